//! Protocols, and their messages on the bus.
//!
//! A Messi protocol is two protocol buffer messages, `ClientToServer` and `ServerToClient`, each with one oneof called
//! `messages`. The members of the oneofs travel on the bus, in wrappers: the wrapper says who sends the member to whom,
//! and whether a bridge sends or receives it.

/// A protocol. [`messi_protocol!`](crate::messi_protocol) makes it.
///
/// ```
/// use rust_messenger::messi::Protocol;
///
/// /// What a log says of any protocol.
/// fn describe<P: Protocol>() -> String {
///     format!("{}: server {}, client {}, messages from {:#x}", P::NAME, P::SERVER, P::CLIENT, P::MESSAGES)
/// }
/// ```
pub trait Protocol: Sized + Send + 'static {
    /// Its name.
    const NAME: &'static str;
    /// The handler id of its [`Server`](super::Server).
    const SERVER: u16;
    /// The handler id of its [`Client`](super::Client).
    const CLIENT: u16;
    /// The first of the ids of its messages on the bus.
    const MESSAGES: u16;
    /// The root message that clients send.
    type ClientToServer: Root<Direction = ToServerSide>;
    /// The root message that servers send.
    type ServerToClient: Root<Direction = ToClientSide>;
}

/// The direction from client to server.
#[derive(Clone, Copy, Debug)]
pub struct ToServerSide;

/// The direction from server to client.
#[derive(Clone, Copy, Debug)]
pub struct ToClientSide;

/// `ClientToServer` or `ServerToClient`: a prost message with a oneof called `messages`.
///
/// ```
/// use rust_messenger::messi::{Member, Protocol, Root, Visitor};
///
/// struct Number;
///
/// impl<D> Visitor<D> for Number {
///     type Output = u16;
///
///     fn member<M: Member<D>>(self, _: &M) -> u16 {
///         M::NUMBER
///     }
/// }
///
/// /// Which member a client has sent, by its number in `messi_protocol!`.
/// fn number_of<P: Protocol>(message: &P::ClientToServer) -> Option<u16> {
///     message.visit(Number)
/// }
/// ```
pub trait Root: prost::Message + Default + Clone + PartialEq + 'static {
    /// The direction in which it travels.
    type Direction;

    /// Passes the member that is set to `visitor`. Returns `None` if none is set, or one that this version does not
    /// know.
    fn visit<V: Visitor<Self::Direction>>(&self, visitor: V) -> Option<V::Output>;
}

/// Does something with the member that is set, whichever it is.
///
/// ```
/// use rust_messenger::messi::{Member, Visitor};
///
/// /// The size of a member in bytes.
/// struct Size;
///
/// impl<D> Visitor<D> for Size {
///     type Output = usize;
///
///     fn member<M: Member<D>>(self, member: &M) -> usize {
///         member.encoded_len()
///     }
/// }
/// ```
pub trait Visitor<D> {
    /// The result.
    type Output;

    /// Does it with `member`.
    fn member<M: Member<D>>(self, member: &M) -> Self::Output;
}

/// A member of the oneof of the root of direction `D`.
///
/// ```
/// use rust_messenger::messi::{Member, To, ToClient, ToClientSide};
///
/// fn to_everybody<M: Member<ToClientSide>>(message: M) -> ToClient<M> {
///     ToClient { to: To::All, message }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no member of a protocol's oneof in this direction",
    note = "list it in `messi_protocol!`"
)]
pub trait Member<D>: prost::Message + Default + Clone + PartialEq + 'static {
    /// The protocol.
    type Protocol: Protocol;
    /// Its number in `messi_protocol!`.
    const NUMBER: u16;
    /// What a journal keeps of its fields: [`Layout::shape`](crate::traits::Layout::shape). Provided: `None`, unknown.
    const SHAPE: Option<fn() -> String> = None;

    /// Its field number in the oneof.
    fn field() -> u32;
}

/// The field number of the one field that is set in `root`.
pub fn field_of(root: &impl prost::Message) -> u32 {
    let bytes = root.encode_to_vec();
    prost::encoding::decode_key(&mut &bytes[..]).map_or(0, |(field, _)| field)
}

/// Makes a [`Protocol`] of two prost messages.
///
/// Give each member of a oneof with its variant, its type, and a number: its place among the ids of the bus. You may
/// add members, but keep the number of each: the field numbers of the .proto file do well.
///
/// A member also becomes its root with `into()`: `server.send(client, &ConnectRsp {}.into())`.
///
/// ```
/// # mod chat {
/// #     #[derive(Clone, PartialEq, prost::Message)]
/// #     pub struct ConnectReq { #[prost(string, tag = "1")] pub user: String }
/// #     #[derive(Clone, PartialEq, prost::Message)]
/// #     pub struct ConnectRsp {}
/// #     #[derive(Clone, PartialEq, prost::Message)]
/// #     pub struct ClientToServer {
/// #         #[prost(oneof = "client_to_server::Messages", tags = "1")]
/// #         pub messages: Option<client_to_server::Messages>,
/// #     }
/// #     pub mod client_to_server {
/// #         #[derive(Clone, PartialEq, prost::Oneof)]
/// #         pub enum Messages { #[prost(message, tag = "1")] ConnectReq(super::ConnectReq) }
/// #     }
/// #     #[derive(Clone, PartialEq, prost::Message)]
/// #     pub struct ServerToClient {
/// #         #[prost(oneof = "server_to_client::Messages", tags = "1")]
/// #         pub messages: Option<server_to_client::Messages>,
/// #     }
/// #     pub mod server_to_client {
/// #         #[derive(Clone, PartialEq, prost::Oneof)]
/// #         pub enum Messages { #[prost(message, tag = "1")] ConnectRsp(super::ConnectRsp) }
/// #     }
/// # }
/// rust_messenger::messi_protocol! {
///     /// Talk.
///     pub Chat: server 10, client 11, messages from 0x100;
///     chat::ClientToServer, chat::client_to_server::Messages: [ ConnectReq(chat::ConnectReq) = 1 ]
///     chat::ServerToClient, chat::server_to_client::Messages: [ ConnectRsp(chat::ConnectRsp) = 1 ]
/// }
/// let root = chat::ServerToClient::from(chat::ConnectRsp {});
/// assert!(matches!(root.messages, Some(chat::server_to_client::Messages::ConnectRsp(_))));
/// ```
#[macro_export]
macro_rules! messi_protocol {
    (
        $(#[$attribute:meta])*
        $visibility:vis $name:ident: server $server:expr, client $client:expr, messages from $messages:expr;
        $up:ty, $up_messages:ty: [ $($up_variant:ident($up_member:ty) = $up_number:expr),* $(,)? ]
        $down:ty, $down_messages:ty: [ $($down_variant:ident($down_member:ty) = $down_number:expr),* $(,)? ]
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility struct $name;

        impl $crate::messi::Protocol for $name {
            const NAME: &'static $crate::__private::str = $crate::__private::stringify!($name);
            const SERVER: u16 = $server;
            const CLIENT: u16 = $client;
            const MESSAGES: u16 = $messages;
            type ClientToServer = $up;
            type ServerToClient = $down;
        }

        $crate::__messi_root! {
            $name, $up, $up_messages, ToServerSide: $($up_variant($up_member) = $up_number),*
        }
        $crate::__messi_root! {
            $name, $down, $down_messages, ToClientSide: $($down_variant($down_member) = $down_number),*
        }
    };
}

/// One root of a protocol and its members.
#[doc(hidden)]
#[macro_export]
macro_rules! __messi_root {
    (
        $name:ident, $root:ty, $messages:ty, $direction:ident:
        $($variant:ident($member:ty) = $number:expr),*
    ) => {
        impl $crate::messi::Root for $root {
            type Direction = $crate::messi::$direction;

            #[inline]
            fn visit<__V: $crate::messi::Visitor<$crate::messi::$direction>>(
                &self,
                visitor: __V,
            ) -> $crate::__private::Option<__V::Output> {
                type __Messages = $messages;
                match &self.messages {
                    $(
                        $crate::__private::Option::Some(__Messages::$variant(member)) => {
                            // Boxed, where the member holds its root.
                            $crate::__private::Option::Some(visitor.member::<$member>(member))
                        }
                    )*
                    _ => {
                        let _ = visitor;
                        $crate::__private::Option::None
                    }
                }
            }
        }

        $(
            impl $crate::__private::From<$member> for $root {
                #[inline]
                fn from(member: $member) -> Self {
                    let mut root = <$root as $crate::__private::Default>::default();
                    let member = $crate::__private::From::from(member);
                    root.messages = $crate::__private::Option::Some(<$messages>::$variant(member));
                    root
                }
            }

            impl $crate::messi::Member<$crate::messi::$direction> for $member {
                type Protocol = $name;
                const NUMBER: u16 = $number;
                const SHAPE: $crate::__private::Option<fn() -> $crate::__private::String> = {
                    #[allow(unused_imports)]
                    use $crate::__private::encoding::prost::Unlisted as _;
                    <$member>::FIELD_SHAPE
                };

                #[inline]
                fn field() -> u32 {
                    static FIELD: $crate::__private::OnceLock<u32> = $crate::__private::OnceLock::new();
                    *FIELD.get_or_init(|| {
                        // The rest of the root is what its default is, which takes no bytes.
                        let member = <$member as $crate::__private::Default>::default();
                        $crate::__private::messi::field_of(&<$root as $crate::__private::From<$member>>::from(member))
                    })
                }
            }
        )*
    };
}
