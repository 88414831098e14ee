//! `Messenger!`, `messenger_id_enum!` and what the encodings' macros share.
//!
//! The expansions are names, not logic: a struct per worker whose fields are its handlers, one `if` per route, and the
//! table as constants. Everything that runs is ordinary code in `routing.rs`, `worker.rs` and `messenger.rs`. They
//! refer to nothing but `$crate`, so they need no prelude and survive a renamed crate, and all but the table's own type
//! sits inside `const _`.

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
        #[repr(u16)]
        #[allow(missing_docs)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant = $id, )+
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

/// [`Message`](crate::traits::Message) for a type, by its id.
#[doc(hidden)]
#[macro_export]
macro_rules! __message_id {
    ($message:ty, $id:expr) => {
        impl $crate::traits::Message for $message {
            type Id = u16;
            const ID: u16 = $id as u16;
        }
    };
}

/// A message whose `encoding` module has `size`, `encode` and `decode`.
#[doc(hidden)]
#[macro_export]
macro_rules! __encoded_message {
    ($message:ty, $id:expr, $($encoding:tt)+) => {
        $crate::__message_id!($message, $id);

        impl $crate::traits::ExtendedMessage for $message {
            #[inline]
            fn get_size(&self) -> usize {
                $($encoding)+::size(self)
            }

            fn write_into(&self, buffer: &mut [u8]) {
                $crate::encoding::write_into(self, buffer)
            }

            #[inline]
            fn encode(
                &self,
                space: &mut $crate::traits::Space<'_>,
            ) -> $crate::__private::Result<(), $crate::traits::EncodeError> {
                $($encoding)+::encode(self, space)
            }
        }

        impl $crate::traits::DeserializeFrom for $message {
            /// Panics when the bytes are no such message; the bus itself calls `try_deserialize_from`.
            fn deserialize_from(buffer: &[u8]) -> Self {
                match <Self as $crate::traits::DeserializeFrom>::try_deserialize_from(buffer) {
                    $crate::__private::Result::Ok(message) => message,
                    $crate::__private::Result::Err(error) => ::core::panic!("{error}"),
                }
            }

            #[inline]
            fn try_deserialize_from(
                buffer: &[u8],
            ) -> $crate::__private::Result<Self, $crate::traits::DecodeError> {
                $($encoding)+::decode(buffer)
            }
        }
    };
}

/// Writes a routing table: which message from which source goes to which handler on which worker thread.
///
/// ```text
/// Messenger! {
///     type Name;                               optional, `Messenger` if left out
///     config::Config,                          what handlers are made from: `impl New<config::Config>`
///     WorkerA:                                 a thread of this name
///         handlers: [ a: HandlerA, b: HandlerB ]
///         routes: [
///             HandlerA, MessageB: [ b ],       what HandlerA sends as MessageB goes to b
///             HandlerB, MessageA: [ a ],
///         ]
/// }
/// ```
///
/// The compiler checks that every receiver is a handler of its worker and handles its message, that no worker routes
/// one `(source, message)` twice, that no two messages and no two handlers share an id, and that every handler is in
/// some route (or marked `#[allow(unrouted)]`). A message or handler type is spelled the same way in every route.
///
/// The table's type has `new(bus)`, `with_options(bus, options)` and `graph()`, and all the methods of
/// [`messenger::Messenger`](crate::messenger::Messenger).
#[macro_export]
macro_rules! Messenger {
    ( type $name:ident; $config:ty, $( $rest:tt )+ ) => {
        $crate::__messenger_table! { $name, $config, $( $rest )+ }
    };
    ( type $name:ident; $( $rest:tt )* ) => {
        ::core::compile_error!("Messenger!: after `type Name;` comes the config type and a comma, e.g. `type Name; Config, WorkerA: ...`");
    };
    ( $worker:ident : $( $rest:tt )* ) => {
        ::core::compile_error!("Messenger!: the config type comes first, e.g. `Messenger! { Config, WorkerA: handlers: [...] routes: [...] }`");
    };
    ( $config:ty, $( $rest:tt )+ ) => {
        $crate::__messenger_table! { Messenger, $config, $( $rest )+ }
    };
    ( $( $rest:tt )* ) => {
        ::core::compile_error!("Messenger!: expected `Config, WorkerName: handlers: [name: Type, ...] routes: [Source, Message: [name, ...], ...]`");
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __messenger_table {
    (
        $name:ident, $config:ty,
        $(
            $worker:ident:
                handlers: [ $( $( #[allow($allow:ident)] )? $handler:ident: $handler_ty:ty ),+ $(,)? ]
                routes: [ $( $source:ty, $message:ty: [ $( $receiver:ident ),+ $(,)? ] ),* $(,)? ]
            $(,)?
        )+
    ) => {
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
                /// The routing table as a picture.
                pub fn graph() -> $crate::routing::Graph {
                    $crate::routing::Graph::of(<Self as $crate::routing::Tabled>::TABLE)
                }
            }

            impl<B> $crate::__private::Deref for $name<B> {
                type Target = $crate::messenger::Messenger<B, $name<()>>;

                fn deref(&self) -> &Self::Target {
                    &self.0
                }
            }

            impl $crate::routing::Tabled for $name<()> {
                const TABLE: &'static $crate::routing::Table = &$crate::routing::Table {
                    name: $crate::__private::stringify!($name),
                    workers: &[ $( $crate::routing::TableWorker {
                        name: $crate::__private::stringify!($worker),
                        handlers: &[ $( $crate::routing::TableHandler {
                            name: $crate::__private::stringify!($handler),
                            type_name: $crate::__private::stringify!($handler_ty),
                            id: <$handler_ty as $crate::traits::Handler>::ID as u16,
                            allow_unrouted: false $( || $crate::routing::allows_unrouted($crate::__private::stringify!($allow)) )?,
                        }, )+ ],
                        routes: &[ $( $crate::routing::TableRoute {
                            source: $crate::__private::stringify!($source),
                            source_id: <$source as $crate::traits::Handler>::ID as u16,
                            message: $crate::__private::stringify!($message),
                            message_id: <$message as $crate::traits::Message>::ID as u16,
                            receivers: &[ $( $crate::__private::stringify!($receiver), )+ ],
                        }, )* ],
                    }, )+ ],
                };
            }

            impl $crate::routing::Topology<$config> for $name<()> {
                fn launch<L: $crate::routing::Launch<$config>>(
                    launcher: &mut L,
                ) -> $crate::__private::Result<(), L::Error> {
                    $( launcher.worker::<$worker>()?; )+
                    $crate::__private::Result::Ok(())
                }
            }

            const TABLE: &$crate::routing::Table = <$name<()> as $crate::routing::Tabled>::TABLE;

            $(
                #[allow(non_camel_case_types)]
                struct $worker { $( $handler: $handler_ty, )+ }

                impl $crate::traits::Router for $worker {
                    #[inline]
                    fn route<W: $crate::traits::Writer>(
                        &mut self,
                        header: &$crate::traits::Header,
                        payload: &[u8],
                        writer: &W,
                        at: &$crate::__private::Cell<&'static $crate::__private::str>,
                    ) {
                        let key = $crate::routing::key(header);
                        $(
                            if key == $crate::routing::route_key(
                                <$source as $crate::traits::Handler>::ID as u16,
                                <$message as $crate::traits::Message>::ID as u16,
                            ) {
                                return $crate::routing::decode::<$message, W>(header, payload, writer, |message| { $(
                                    at.set($crate::__private::stringify!($receiver));
                                    <$message as $crate::routing::RoutesTo<_>>::deliver(message, &mut self.$receiver, writer);
                                )+ });
                            }
                        )*
                        let _ = (key, payload, writer, at);
                    }
                }

                impl $crate::routing::Roster<$config> for $worker {
                    const NAME: &'static $crate::__private::str = $crate::__private::stringify!($worker);
                    const IS_SOURCE: bool = $crate::routing::is_source(TABLE, $crate::__private::stringify!($worker));

                    fn new<W: $crate::traits::Writer>(
                        config: &$config,
                        writer: &W,
                        at: &$crate::__private::Cell<&'static $crate::__private::str>,
                    ) -> Self {
                        $worker { $( $handler: {
                            at.set($crate::__private::stringify!($handler));
                            <$handler_ty as $crate::traits::New<$config>>::new(config, writer)
                        }, )+ }
                    }

                    fn visit<V: $crate::routing::Visit>(
                        &mut self,
                        visitor: &mut V,
                        at: &$crate::__private::Cell<&'static $crate::__private::str>,
                    ) {
                        $(
                            at.set($crate::__private::stringify!($handler));
                            visitor.handler(&mut self.$handler);
                        )+
                    }
                }

                // The checks, each a fact encoded as a trait, so that the caret is on the user's own words.
                $(
                    const _: () = <$message as $crate::routing::RoutedOnce<{
                        $crate::routing::routed_once(
                            TABLE,
                            $crate::__private::stringify!($worker),
                            $crate::routing::route_key(
                                <$source as $crate::traits::Handler>::ID as u16,
                                <$message as $crate::traits::Message>::ID as u16,
                            ),
                        )
                    }>>::OK;
                    const _: () = <$message as $crate::routing::HasMessageIdOfItsOwn<{
                        $crate::routing::message_id_is_unique(
                            TABLE,
                            $crate::__private::stringify!($message),
                            <$message as $crate::traits::Message>::ID as u16,
                        )
                    }>>::OK;
                )*
                $(
                    const _: () = <$handler_ty as $crate::routing::HasHandlerIdOfItsOwn<{
                        $crate::routing::handler_id_is_unique(
                            TABLE,
                            $crate::__private::stringify!($handler_ty),
                            <$handler_ty as $crate::traits::Handler>::ID as u16,
                        )
                    }>>::OK;
                    const _: () = <$handler_ty as $crate::routing::IsInSomeRoute<{
                        $crate::routing::is_in_some_route(
                            TABLE,
                            $crate::__private::stringify!($worker),
                            $crate::__private::stringify!($handler),
                        )
                    }>>::OK;
                )+
            )+
        };
    };

    // Diagnosis: reached only when the grammar above did not match.
    ( $name:ident, $config:ty, $worker:ident: routes: $( $rest:tt )* ) => {
        ::core::compile_error!($crate::__private::concat!("Messenger!: worker `", $crate::__private::stringify!($worker), "`: `handlers: [...]` comes before `routes: [...]`"));
    };
    ( $name:ident, $config:ty, $worker:ident: handlers: [ ] $( $rest:tt )* ) => {
        ::core::compile_error!($crate::__private::concat!("Messenger!: worker `", $crate::__private::stringify!($worker), "` has no handlers; write `handlers: [ name: Type ]` or remove the worker"));
    };
    ( $name:ident, $config:ty, $worker:ident: handlers: [ $( $handlers:tt )* ] , $( $rest:tt )* ) => {
        ::core::compile_error!("Messenger!: no comma between `handlers: [...]` and `routes: [...]`");
    };
    ( $name:ident, $config:ty, $( $rest:tt )* ) => {
        ::core::compile_error!("Messenger!: expected, for each worker, `WorkerName: handlers: [name: Type, ...] routes: [Source, Message: [name, ...], ...]`");
    };
}
