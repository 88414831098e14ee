//! What is said of a table that `Messenger!` does not take: the first place that is wrong, and what to write there.

/// Says what is wrong with a table that does not have the shape of one: goes through it as a reader would, worker by
/// worker, handler by handler, route by route, to the first place that is wrong.
#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_diagnosis {
    // A worker. One that has the right shape is looked into, and what comes after it is looked at afterwards.
    ( @worker $worker:ident: handlers: [ $( $handlers:tt )+ ] routes: [ $( $routes:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @handler $worker [ $( $handlers )+ ] [ $( $routes )* ] $( $rest )* }
    };
    ( @worker $worker:tt: handlers: [ ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $worker: "no handlers; write `handlers: [ name: Type ]`, or remove the worker" }
    };
    ( @worker $worker:tt: handlers: [ $( $handlers:tt )* ] , $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $worker: "no comma between `handlers: [...]` and `routes: [...]`" }
    };
    ( @worker $worker:tt: handlers: [ $( $handlers:tt )* ] routes: [ $( $routes:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $worker: "the name of a worker is a plain identifier" }
    };
    ( @worker $worker:tt: handlers: [ $( $handlers:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $worker: "`routes: [...]` comes after `handlers: [...]`; a worker that receives nothing has `routes: []`" }
    };
    ( @worker $worker:tt: $routes:tt: [ $( $tokens:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $routes: "`handlers: [...]` comes first, then `routes: [...]`" }
    };
    ( @worker $worker:tt: $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $worker: "after the colon comes `handlers: [ name: Type, ... ]`" }
    };
    ( @worker , $next:tt $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $next: "no comma comes before a worker" }
    };
    ( @worker , ) => {
        ::core::compile_error!("Messenger!: no comma comes after the last worker");
    };
    ( @worker $other:tt $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $other: "expected a worker, `Name: handlers: [...] routes: [...]`" }
    };
    ( @worker ) => {
        ::core::compile_error!("Messenger!: expected `Config, Worker: handlers: [name: Type, ...] routes: [Source, Message: [name, ...], ...]`");
    };

    // The handlers of a worker, before its routes and whatever comes next.
    ( @handler $worker:tt [ #[allow($allow:tt)] $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @handler $worker [ $( $more )* ] $( $rest )* }
    };
    ( @handler $worker:tt [ #[$attribute:tt $( $arguments:tt )*] $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $attribute: "a handler may be marked `#[allow(unrouted)]`, nothing else" }
    };
    (
        @handler $worker:tt [ $handler:ident: $handler_ty:ty = |$from:pat_param| $make:expr, $( $more:tt )* ]
        $( $rest:tt )*
    ) => {
        $crate::__messenger_diagnosis! { @handler $worker [ $( $more )* ] $( $rest )* }
    };
    ( @handler $worker:tt [ $handler:ident: $handler_ty:ty = |$from:pat_param| $make:expr ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @handler $worker [ ] $( $rest )* }
    };
    ( @handler $worker:tt [ $handler:tt: $handler_ty:ty = $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $handler: "what makes a handler is written `name: Type = |config| expression`" }
    };
    ( @handler $worker:tt [ $handler:ident: $handler_ty:ty, $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @handler $worker [ $( $more )* ] $( $rest )* }
    };
    ( @handler $worker:tt [ $handler:ident: $handler_ty:ty ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @handler $worker [ ] $( $rest )* }
    };
    ( @handler $worker:tt [ $handler:tt: $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $handler: "a comma comes after this handler's type, `name: Type, next: Type`" }
    };
    ( @handler $worker:tt [ $other:tt $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $other: "a handler is written `name: Type`" }
    };
    ( @handler $worker:tt [ ] [ $( $routes:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @route $worker [ $( $routes )* ] $( $rest )* }
    };

    // The routes of a worker, before whatever comes next.
    (
        @route $worker:tt [ $source:ty, $message:ty: [ $( $receiver:ident ),+ $(,)? ] , $( $more:tt )* ]
        $( $rest:tt )*
    ) => {
        $crate::__messenger_diagnosis! { @route $worker [ $( $more )* ] $( $rest )* }
    };
    ( @route $worker:tt [ $source:ty, $message:ty: [ $( $receiver:ident ),+ $(,)? ] ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @route $worker [ ] $( $rest )* }
    };
    (
        @route $worker:tt [ $source:ty, $message:ty: [ $( $receiver:ident ),+ $(,)? ] $next:tt $( $more:tt )* ]
        $( $rest:tt )*
    ) => {
        $crate::__messenger_complaint! { $next: "a comma comes between two routes" }
    };
    ( @route $worker:tt [ $source:ty, $message:ty: [ ] $( $more:tt )* ] $( $rest:tt )* ) => {
        ::core::compile_error!($crate::__private::concat!(
            "Messenger!: worker `", $crate::__private::stringify!($worker), "`: the route `",
            $crate::__private::stringify!($source), ", ", $crate::__private::stringify!($message),
            "` has no receivers; name handlers of this worker, or remove the route",
        ));
    };
    ( @route $worker:tt [ $source:ty, $message:ty: [ $first:tt $( $other:tt )* ] $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $first: "receivers are names of this worker's handlers, with commas between them" }
    };
    ( @route $worker:tt [ $other:tt $( $more:tt )* ] $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $other: "a route is written `Source, Message: [receiver, ...]`" }
    };
    ( @route $worker:tt [ ] $( $rest:tt )* ) => {
        $crate::__messenger_diagnosis! { @worker $( $rest )* }
    };
}

/// A complaint about a token of a table. `compile_error!` has no caret of its own, so a name becomes a type that lacks
/// a trait, which says what is wrong; for any other token the compiler's own complaint adds the caret.
#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_complaint {
    ( $at:tt: $cure:literal ) => {
        $crate::__messenger_complaint! { $at $at: $cure }
    };
    ( $name:ident $at:tt: $cure:literal ) => {
        const _: () = {
            #[diagnostic::on_unimplemented(message = $cure, label = "here")]
            trait Grammar<const IS_RIGHT: $crate::__private::bool> {
                const OK: () = ();
            }

            impl<T> Grammar<true> for T {}

            #[allow(non_camel_case_types)]
            type $at = ();

            <$at as Grammar<false>>::OK
        };
    };
    ( $other:tt $at:tt: $cure:literal ) => {
        ::core::compile_error!($crate::__private::concat!(
            "Messenger!: at `",
            $crate::__private::stringify!($at),
            "`: ",
            $cure,
        ));
        $crate::__messenger_caret! { $at }
    };
}

/// Takes no token, so that the compiler's own complaint puts its caret at the first one.
#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_caret {
    () => {};
}
