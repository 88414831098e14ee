//! `Messenger!` and `messenger_id_enum!`.
//!
//! The expansions are names, not logic: a struct per worker whose fields are its handlers, one `if` per route, and the
//! table as constants. Everything that runs is ordinary code in `routing.rs`, `messenger.rs` and below it. They
//! refer to nothing but `$crate`, so they need no prelude and survive a renamed crate, and all but the table's own type
//! sits inside `const _`.

mod diagnosis;

/// Makes the type of ids for messages or handlers: a `#[repr(u16)]` enum that converts into `u16`.
///
/// ```
/// rust_messenger::messenger_id_enum!(
///     MessageId {
///         MessageA = 0,
///         MessageB = 1,
///     }
/// );
/// assert_eq!(u16::from(MessageId::MessageB), 1);
/// ```
#[macro_export]
macro_rules! messenger_id_enum {
    ( $(#[$meta:meta])* $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $id:expr ),+ $(,)? } ) => {
        $(#[$meta])*
        #[derive(
            $crate::__private::Clone,
            $crate::__private::Copy,
            $crate::__private::Debug,
            $crate::__private::PartialEq,
            $crate::__private::Eq,
            $crate::__private::Hash,
        )]
        #[doc = "Each value is an id."]
        #[repr(u16)]
        pub enum $name {
            $(
                $(#[$variant_meta])*
                #[doc = $crate::__private::concat!("`", $crate::__private::stringify!($id), "`")]
                $variant = $id,
            )+
        }

        impl $crate::__private::From<$name> for u16 {
            #[inline]
            fn from(id: $name) -> u16 {
                id as u16
            }
        }
    };
    ( $($other:tt)* ) => {
        ::core::compile_error!("messenger_id_enum!: expected `Name { First = 0, Second = 1 }`, every id written out");
    };
}

/// Makes a type a [`Handler`](crate::traits::Handler) by its id: a number, a constant, or a value of an enum
/// ([`messenger_id_enum!`]). `handler!(Type, id, default)` also says how a worker makes it, whatever the table's
/// configuration is: by `Default`.
///
/// ```
/// use rust_messenger::prelude::*;
///
/// messenger_id_enum!(HandlerId { Clerk = 1, Vault = 2 });
///
/// struct Clerk;
/// handler!(Clerk, HandlerId::Clerk);
///
/// #[derive(Default)]
/// struct Vault {
///     balance: i64,
/// }
/// handler!(Vault, HandlerId::Vault, default);
///
/// assert_eq!((Clerk::ID, Vault::ID), (1, 2));
/// ```
///
/// A handler that does more than handle, in [`on_start`](crate::traits::Handler::on_start) for example, implements
/// [`Handler`](crate::traits::Handler) itself; so does a generic one, since the macro takes no type parameters.
#[macro_export]
macro_rules! handler {
    ($handler:ty, $id:expr $(,)?) => {
        impl $crate::traits::Handler for $handler {
            type Id = $crate::__private::u16;
            const ID: $crate::__private::u16 = $crate::__id!($handler, $id);
        }
    };
    ($handler:ty, $id:expr, default $(,)?) => {
        $crate::handler!($handler, $id);

        impl<__C> $crate::traits::New<__C> for $handler {
            fn new<__W: $crate::traits::Writer>(_: &__C, _: &__W) -> Self {
                <$handler as $crate::__private::Default>::default()
            }
        }
    };
    ($handler:ty, $id:expr, $($other:tt)+) => {
        $crate::handler!($handler, $id, default);
        ::core::compile_error!("handler!: after the id comes nothing, or `default`: `handler!(Type, id, default)`");
    };
    ($handler:ty $(,)?) => {
        $crate::handler!($handler, 0);
        ::core::compile_error!($crate::__private::concat!(
            "handler!: the id is missing: `handler!(",
            $crate::__private::stringify!($handler),
            ", 7)`"
        ));
    };
    ($($other:tt)*) => {
        ::core::compile_error!("handler!: expected `handler!(Type, id)` or `handler!(Type, id, default)`");
    };
}

/// Writes a routing table: which message from which source goes to which handler on which worker thread.
///
/// ```text
/// Messenger! {
///     type Name;                               optional, `Messenger` if left out
///     config::Config,                          the configuration: `impl New<config::Config>` for each handler
///     WorkerA:                                 a thread of this name
///         handlers: [ a: HandlerA, b: HandlerB ]
///         routes: [
///             HandlerA, MessageB: [ b ],       what HandlerA sends as MessageB goes to b
///             HandlerB, MessageA: [ a ],
///         ]
/// }
/// ```
///
/// [`messenger::Messenger`](crate::messenger::Messenger) shows a whole one that runs.
///
/// The compiler checks that
///
/// * every receiver is a handler of its worker and handles its message, and no worker routes one `(source, message)`
///   twice;
/// * no two messages share an id, no two handlers or sources share an id, no two workers share a name, and no two
///   handlers of a worker share a name;
/// * every handler is in some route, or marked `#[allow(unrouted)]`.
///
/// A worker makes a handler by its [`New`](crate::traits::New), or by an expression in the table, which may fail:
/// `venue: Venue = |config| Venue::open(&config.path)?`. It is of the handler's type and stands in a block that returns
/// a `Result`, so `?` works, with any error. No handler starts before all of them are made; where one cannot be made
/// the messenger does not start ([`StartError::Handler`](crate::messenger::StartError::Handler)).
///
/// Spell a message or handler type the same way in every route. Write no comma between workers.
///
/// A route `H, Due: [h]` turns the deadlines of the handler `h: H` into messages: see [`Due`](crate::traits::Due).
///
/// The table does not say what a handler sends, so the compiler cannot see that a route is missing. The messenger
/// counts and reports such messages at run time ([`Report::Unrouted`](crate::traits::Report::Unrouted)), except those
/// of handlers marked `#[allow(unrouted)]`.
///
/// The table's type has `new(bus)`, `with_options(bus, options)`, `graph()` and `table()`, and all the methods of
/// [`messenger::Messenger`](crate::messenger::Messenger).
#[macro_export]
macro_rules! Messenger {
    ( type $name:ident; $config:ty, $( $rest:tt )+ ) => {
        $crate::__messenger_table! { $name, $config, $( $rest )+ }
    };
    ( type $name:ident; $config:ty $(,)? ) => {
        ::core::compile_error!("Messenger!: no workers after the config type, expected `Config, Worker: handlers: [...] routes: [...]`");
        $crate::__messenger_stand_in! { $name }
    };
    ( type $( $rest:tt )* ) => {
        ::core::compile_error!("Messenger!: after `type Name;` come the config type and a comma: `type Name; Config, Worker: ...`");
    };
    ( $worker:tt : $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $worker: "the config type comes before the first worker: `Messenger! { Config, Worker: .. }`" }
        $crate::__messenger_stand_in! { Messenger }
    };
    ( $config:tt $worker:tt : $( $rest:tt )* ) => {
        $crate::__messenger_complaint! { $worker: "a comma comes between the config type and the first worker" }
        $crate::__messenger_stand_in! { Messenger }
    };
    ( $config:ty, $( $rest:tt )+ ) => {
        $crate::__messenger_table! { Messenger, $config, $( $rest )+ }
    };
    ( $config:ty $(,)? ) => {
        ::core::compile_error!("Messenger!: no workers after the config type, expected `Config, Worker: handlers: [...] routes: [...]`");
        $crate::__messenger_stand_in! { Messenger }
    };
    ( $( $rest:tt )* ) => {
        ::core::compile_error!("Messenger!: expected `Config, Worker: handlers: [name: Type, ...] routes: [Source, Message: [name, ...], ...]`");
        $crate::__messenger_stand_in! { Messenger }
    };
}

/// The expansion of [`Messenger!`].
///
/// Names that are asked about below are matched as `tt`: once a token was matched as `ident`, errors no longer point at
/// it. The handlers' names are not among them: `tt` would be ambiguous with the attribute before.
///
/// No item that is made here is in scope where a type of the user's is named, but for the table itself and names that
/// begin with `__`: a worker may be called like a handler's type, and a message `W`.
#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_table {
    (
        $name:ident, $config:ty,
        $(
            $worker:tt:
                handlers: [ $(
                    $( #[allow($allow:tt)] )? $handler:ident: $handler_ty:ty $( = |$from:pat_param| $make:expr )?
                ),+ $(,)? ]
                routes: [ $( $source:ty, $message:ty: [ $( $receiver:tt ),+ $(,)? ] ),* $(,)? ]
        )+
    ) => {
        $crate::__messenger_type! { $name }

        const _: () = {
            const __TABLE: &$crate::routing::Table = &$crate::routing::Table {
                name: $crate::__private::stringify!($name),
                workers: &[ $( $crate::routing::TableWorker {
                    name: $crate::__private::stringify!($worker),
                    handlers: &[ $( $crate::routing::TableHandler {
                        name: $crate::__private::stringify!($handler),
                        type_name: $crate::__private::stringify!($handler_ty),
                        id: <$handler_ty as $crate::traits::Handler>::ID as u16,
                        allow_unrouted: false $(
                            || $crate::__private::is_unrouted($crate::__private::stringify!($allow))
                        )?,
                    }, )+ ],
                    routes: &[ $( $crate::routing::TableRoute {
                        source: $crate::__private::stringify!($source),
                        source_id: <$source as $crate::traits::Handler>::ID as u16,
                        message: $crate::__private::stringify!($message),
                        message_id: <$message as $crate::traits::Message>::ID as u16,
                        layout: <$message as $crate::traits::Message>::LAYOUT,
                        receivers: &[ $( $crate::__private::stringify!($receiver), )+ ],
                    }, )* ],
                }, )+ ],
            };

            const __INDEX: &$crate::__private::Index<{ $crate::__private::size(__TABLE) }> =
                &$crate::__private::Index::of(__TABLE);

            impl $crate::__private::HasTable for $name<()> {
                const TABLE: &'static $crate::routing::Table<'static> = __TABLE;
            }

            impl $crate::__private::Topology<$config> for $name<()> {
                const ROWS: &'static $crate::__private::Rows = &$crate::__private::Rows {
                    table: __TABLE,
                    sources: &$crate::__private::sources(__INDEX),
                    routed: &$crate::__private::routed::<{ $crate::__private::routed_count(__TABLE) }>(__TABLE),
                };

                fn launch<__L: $crate::__private::Launch<$config>>(
                    launcher: &mut __L,
                ) -> $crate::__private::Result<(), __L::Error> {
                    $( {
                        struct __Worker { $( $handler: $handler_ty, )+ }

                        impl $crate::__private::Router for __Worker {
                            const ROUTES: $crate::__private::usize =
                                <[&$crate::__private::str]>::len(&[$( $crate::__private::stringify!($source), )*]);

                            #[inline]
                            fn route<__W: $crate::traits::Writer>(
                                &mut self,
                                header: &$crate::traits::Header,
                                payload: &[u8],
                                writer: &__W,
                                at: &$crate::__private::At,
                            ) -> $crate::__private::bool {
                                $(
                                    if $crate::__private::is(
                                        header,
                                        <$source as $crate::traits::Handler>::ID,
                                        <$message as $crate::traits::Message>::ID,
                                    ) {
                                        let deliver = |message: &$message| { $( {
                                            at.set($crate::__private::stringify!($receiver));
                                            // A name is no type. It becomes one for the question, so that the
                                            // caret is on it; and where it is no field, that is said once.
                                            #[allow(non_camel_case_types)]
                                            type $receiver = ();
                                            let handlers = <$receiver as $crate::__private::IsInThisWorker<{
                                                __INDEX.has_handler(
                                                    $crate::__private::stringify!($worker),
                                                    $crate::__private::stringify!($receiver),
                                                )
                                            }, _, _>>::among(self);
                                            <$message as $crate::__private::RoutesTo<_, _>>::deliver(
                                                message, &mut handlers.$receiver, writer,
                                            );
                                        } )+ };
                                        $crate::__private::decode::<$message, __W>(
                                            header, payload, writer, at, $crate::__private::stringify!($message),
                                            deliver,
                                        );
                                        return true;
                                    }
                                )*
                                let _ = (header, payload, writer, at);
                                false
                            }
                        }

                        impl $crate::__private::Roster<$config> for __Worker {
                            const NAME: &'static $crate::__private::str = $crate::__private::stringify!($worker);
                            const IS_SOURCE: $crate::__private::bool =
                                __INDEX.has_source($crate::__private::stringify!($worker));
                            const DUE: &'static [$crate::__private::Option<u16>] = &[ $( __INDEX.check_handler(
                                $crate::__private::stringify!($worker), $crate::__private::stringify!($handler),
                            ).due ),+ ];

                            fn new<__W: $crate::traits::Writer>(
                                config: &$config,
                                writer: &__W,
                                at: &$crate::__private::At,
                            ) -> $crate::__private::Option<Self> {
                                struct __Made { $( $handler: $crate::__private::Option<$handler_ty>, )+ }

                                let _ = (config, writer);
                                let made = __Made { $( $handler: at.make(
                                    $crate::__private::stringify!($handler),
                                    || $crate::__messenger_make! {
                                        $handler_ty, $config, config, writer $(, |$from| $make )?
                                    },
                                ), )+ };
                                if at.has_failed() {
                                    $( at.dismiss($crate::__private::stringify!($handler), made.$handler); )+
                                    return $crate::__private::Option::None;
                                }
                                $crate::__private::Option::Some(__Worker { $( $handler: made.$handler?, )+ })
                            }

                            #[inline]
                            fn next_deadline(
                                &self,
                                at: &$crate::__private::At,
                                due: impl $crate::__private::Fn(
                                    u16,
                                    $crate::__private::Option<$crate::traits::Time>,
                                ) -> $crate::__private::Option<$crate::traits::Time>,
                            ) -> $crate::__private::Option<$crate::traits::Time> {
                                $crate::__private::earliest([ $(
                                    $crate::__private::deadline::<
                                        { __INDEX.check_handler(
                                            $crate::__private::stringify!($worker),
                                            $crate::__private::stringify!($handler),
                                        ).due.is_some() },
                                        _,
                                    >(&self.$handler, $crate::__private::stringify!($handler), at, &due)
                                ),+ ])
                            }

                            fn visit<__V: $crate::__private::Visit>(
                                &mut self,
                                visitor: &mut __V,
                                at: &$crate::__private::At,
                            ) {
                                $(
                                    at.set($crate::__private::stringify!($handler));
                                    visitor.handler(&mut self.$handler);
                                )+
                            }

                            fn dismiss(self, at: &$crate::__private::At) {
                                $( at.dismiss($crate::__private::stringify!($handler), self.$handler); )+
                            }
                        }

                        launcher.worker::<__Worker>()?;
                    } )+
                    $crate::__private::Result::Ok(())
                }
            }

            // Names that stand twice are found by the compiler.
            #[allow(non_camel_case_types, dead_code)]
            enum __WorkersAreNamedOnce { $( $worker, )+ }

            // Each check is a fact that becomes a trait, asked of the user's own words, so that the caret is there. A
            // name is no type; it becomes one for the question. `ci/bench_compile.sh` cuts them: checks begin here.
            $(
                $(
                    $( const _: () = {
                        #[allow(non_camel_case_types)]
                        struct $allow {}
                        <$allow as $crate::__private::IsUnrouted<{
                            $crate::__private::is_unrouted($crate::__private::stringify!($allow))
                        }>>::OK
                    }; )?
                    const _: [(); 5] = {
                        const __CHECKS: $crate::__private::HandlerChecks = __INDEX.check_handler(
                            $crate::__private::stringify!($worker), $crate::__private::stringify!($handler),
                        );
                        [
                            <$handler_ty as $crate::__private::HasHandlerIdOfItsOwn<{
                                __CHECKS.has_id_of_its_own
                            }>>::OK,
                            <$handler_ty as $crate::__private::LeavesSupervisorItsId<{
                                __CHECKS.leaves_supervisor_its_id
                            }>>::OK,
                            <$handler_ty as $crate::__private::SendsAlone<{ __CHECKS.sends_alone }>>::OK,
                            <$handler_ty as $crate::__private::IsInSomeRoute<{ __CHECKS.is_in_some_route }>>::OK,
                            <$handler_ty as $crate::__private::FitsItsId<{
                                $crate::__private::is_id(
                                    <$handler_ty as $crate::traits::Handler>::ID as $crate::__private::u64
                                )
                            }>>::OK,
                        ]
                    };
                )+
                $(
                    const _: [(); 6] = {
                        const __CHECKS: $crate::__private::RouteChecks = __INDEX.check_route(
                            $crate::__private::stringify!($worker),
                            $crate::__private::stringify!($source),
                            $crate::__private::stringify!($message),
                        );
                        [
                            <$source as $crate::__private::HasHandlerIdOfItsOwn<{
                                __CHECKS.has_source_id_of_its_own
                            }>>::OK,
                            <$message as $crate::__private::HasMessageIdOfItsOwn<{
                                __CHECKS.has_message_id_of_its_own
                            }>>::OK,
                            <$message as $crate::__private::LeavesDueItsId<{ __CHECKS.leaves_due_its_id }>>::OK,
                            <$source as $crate::__private::LeavesSupervisorItsId<{
                                __CHECKS.leaves_supervisor_its_id
                            }>>::OK,
                            <$source as $crate::__private::HasDueAlone<{ __CHECKS.has_due_alone }>>::OK,
                            <$message as $crate::__private::IsRoutedOnce<{ __CHECKS.is_routed_once }>>::OK,
                        ]
                    };
                )*
            )+
            // And checks end here.
        };
    };
    ( $name:ident, $config:ty, $( $rest:tt )+ ) => {
        $crate::__messenger_diagnosis! { @worker $( $rest )+ }
        $crate::__messenger_stand_in! { $name }
    };
}

/// The type of a table, but for what is in the table.
#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_type {
    ( $name:ident ) => {
        /// The routing table.
        #[derive($crate::__private::Debug)]
        pub struct $name<B = ()>($crate::messenger::Messenger<B, $name<()>>);

        const _: () = {
            impl<B: $crate::traits::MessageBus> $name<B> {
                /// The table's handlers on `bus`, not yet running.
                pub fn new(bus: B) -> Self {
                    $name($crate::messenger::Messenger::new(bus))
                }

                /// The table's handlers on `bus`, not yet running, with options.
                pub fn with_options(bus: B, options: $crate::messenger::Options) -> Self {
                    $name($crate::messenger::Messenger::with_options(bus, options))
                }
            }

            impl $name<()> {
                /// The routing table, to be drawn: it prints as Mermaid.
                pub fn graph() -> &'static $crate::routing::Table<'static> {
                    Self::table()
                }

                /// The routing table as data.
                pub const fn table() -> &'static $crate::routing::Table<'static> {
                    <Self as $crate::__private::HasTable>::TABLE
                }
            }

            impl<B> $crate::__private::Deref for $name<B> {
                type Target = $crate::messenger::Messenger<B, $name<()>>;

                fn deref(&self) -> &Self::Target {
                    &self.0
                }
            }
        };
    };
}

/// Stands for a table that is wrong, so that nothing else is said of the code that uses it.
#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_stand_in {
    ( $name:ident ) => {
        $crate::__messenger_type! { $name }

        impl $crate::__private::HasTable for $name<()> {
            const TABLE: &'static $crate::routing::Table<'static> = $crate::__private::NO_TABLE;
        }

        impl<__C> $crate::__private::Topology<__C> for $name<()> {
            const ROWS: &'static $crate::__private::Rows = $crate::__private::NO_ROWS;

            fn launch<__L: $crate::__private::Launch<__C>>(_: &mut __L) -> $crate::__private::Result<(), __L::Error> {
                $crate::__private::Result::Ok(())
            }
        }
    };
}

/// Makes a handler, in a block that returns a `Result`: by `New`, or by the table's own expression.
#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_make {
    ( $handler:ty, $config_ty:ty, $config:ident, $writer:ident ) => {
        $crate::__private::Result::Ok(<$handler as $crate::traits::New<$config_ty>>::new($config, $writer))
    };
    ( $handler:ty, $config_ty:ty, $config:ident, $writer:ident, |$from:pat_param| $make:expr ) => {{
        let $from: &$config_ty = $config;
        let made: $handler = $make;
        $crate::__private::Result::Ok(made)
    }};
}
