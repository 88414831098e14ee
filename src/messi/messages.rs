//! The messages of a protocol on the bus: its members, wrapped, and the events and commands of bridges.

use super::peers::PeerId;
use super::protocol::{Member, Protocol, ToClientSide, ToServerSide, Visitor};
use super::reason::Reason;
use crate::traits::{
    AFTER_EVENTS, DecodeError, DeserializeFrom, EncodeError, ExtendedMessage, FIRST_OF_LIBRARY, Layout, Message,
    Payload, Publish, Space, WriteError,
};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use std::fmt;
use std::marker::PhantomData;

/// The id on the bus: four for each number, one for each wrapper.
const fn id(base: u16, number: u16, wrapper: u16) -> u16 {
    let id = base as u32 + number as u32 * 4 + wrapper as u32;
    assert!(
        id < FIRST_OF_LIBRARY as u32,
        "the ids from 0xFF00 on are the library's: give this member a smaller number"
    );
    id as u16
}

/// One connection of a server. A server never reuses the id.
///
/// ```
/// use rust_messenger::messi::ClientId;
///
/// let client = ClientId::from_number(7).unwrap();
/// assert_eq!(client.number(), 7);
/// assert_eq!(ClientId::from_number(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

impl From<PeerId> for ClientId {
    fn from(peer: PeerId) -> ClientId {
        ClientId(u64::from(peer.generation) << 32 | u64::from(peer.key))
    }
}

impl From<ClientId> for PeerId {
    fn from(client: ClientId) -> PeerId {
        PeerId { key: client.0 as u32, generation: (client.0 >> 32) as u32 }
    }
}

impl ClientId {
    /// Its number, never 0.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The connection of this number, if it may be one's: for tests of handlers, and for those who keep numbers.
    pub fn from_number(number: u64) -> Option<ClientId> {
        (number != 0).then_some(ClientId(number))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Slot and generation.
        write!(f, "{}.{}", self.0 & 0xFFFF_FFFF, self.0 >> 32)
    }
}

/// To whom a server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum To {
    /// One client. To reply, use `One(message.client)`.
    One(ClientId),
    /// All connected clients.
    All,
}

impl To {
    fn word(self) -> u64 {
        match self {
            To::One(client) => client.0,
            To::All => 0,
        }
    }

    fn of_word(word: u64) -> To {
        if word == 0 { To::All } else { To::One(ClientId(word)) }
    }
}

/// A message from a client. The protocol's [`Server`](super::Server) puts it on the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct FromClient<M> {
    /// The client that sent it.
    pub client: ClientId,
    /// The message.
    pub message: M,
}

/// A message to clients. The protocol's [`Server`](super::Server) sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToClient<M> {
    /// Its receivers.
    pub to: To,
    /// The message.
    pub message: M,
}

/// A message from the server. The protocol's [`Client`](super::Client) puts it on the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct FromServer<M> {
    /// The message.
    pub message: M,
}

/// A message to the server. The protocol's [`Client`](super::Client) sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToServer<M> {
    /// The message.
    pub message: M,
}

/// Makes a wrapper a message: its id, and its bytes, which are a word if it has one, and then the member.
macro_rules! wrapper {
    ($wrapper:ident, $direction:ty, $number:literal, $($word:ident: $to_word:expr, $of_word:expr)?) => {
        impl<M: Member<$direction>> Message for $wrapper<M> {
            type Id = u16;
            const ID: u16 = id(<M::Protocol as Protocol>::MESSAGES, M::NUMBER, $number);
            // Without the name of an encoding, as journals have it.
            const LAYOUT: Layout = match M::SHAPE {
                Some(shape) => Layout::UNKNOWN.with_shape(shape),
                None => Layout::UNKNOWN,
            };
        }

        impl<M: Member<$direction>> ExtendedMessage for $wrapper<M> {
            fn get_size(&self) -> usize {
                self.message.encoded_len() $(+ { let _ = &self.$word; 8 })?
            }

            fn write_into(&self, buffer: &mut [u8]) {
                crate::encoding::write_into(self, buffer);
            }

            fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
                $( space.put(&$to_word(self.$word).to_le_bytes())?; )?
                crate::encoding::prost::encode(&self.message, space)
            }
        }

        impl<M: Member<$direction>> DeserializeFrom for $wrapper<M> {
            fn deserialize_from(buffer: &[u8]) -> Self {
                match Self::try_deserialize_from(buffer) {
                    Ok(message) => message,
                    Err(error) => panic!("{error}"),
                }
            }

            fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
                $(
                    let (word, buffer) = take_word(buffer)?;
                    let $word = $of_word(word)?;
                )?
                Ok($wrapper { $($word,)? message: crate::encoding::prost::decode(buffer)? })
            }
        }
    };
}

wrapper!(FromClient, ToServerSide, 0, client: |client: ClientId| client.0, client_of_word);
wrapper!(ToServer, ToServerSide, 1,);
wrapper!(ToClient, ToClientSide, 2, to: To::word, |word| Ok::<_, DecodeError>(To::of_word(word)));
wrapper!(FromServer, ToClientSide, 3,);

fn take_word(buffer: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    let (word, rest) = buffer.split_first_chunk().ok_or_else(|| DecodeError::new("too short for a client id"))?;
    Ok((u64::from_le_bytes(*word), rest))
}

fn client_of_word(word: u64) -> Result<ClientId, DecodeError> {
    // Keys begin at 1.
    if word as u32 == 0 { Err(DecodeError::new("no client id")) } else { Ok(ClientId(word)) }
}

/// The bytes of the field `number` in a protocol buffer message that is known to be one, if that field is a message and
/// occurs once.
#[inline]
fn only_occurrence(message: &[u8], number: u32) -> Option<&[u8]> {
    // Nearly always it is all that there is, with a key and a length of a byte each.
    if let [key, len @ ..0x80, member @ ..] = message
        && (u32::from(*key), usize::from(*len)) == (number << 3 | WireType::LengthDelimited as u32, member.len())
    {
        return Some(member);
    }
    only_of_many(message, number)
}

fn only_of_many(mut message: &[u8], number: u32) -> Option<&[u8]> {
    let mut found = None;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).ok()?;
        if tag != number {
            skip_field(wire_type, tag, &mut message, DecodeContext::default()).ok()?;
        } else if wire_type != WireType::LengthDelimited || found.is_some() {
            return None;
        } else {
            let len = decode_varint(&mut message).ok().and_then(|len| usize::try_from(len).ok())?;
            let (member, behind) = message.split_at_checked(len)?;
            (found, message) = (Some(member), behind);
        }
    }
    found
}

/// A member on its way from a bridge to the bus: as it came, if its bytes stand in one piece.
struct Inbound<'a, M> {
    client: Option<ClientId>,
    bytes: Option<&'a [u8]>,
    message: &'a M,
}

impl<M: prost::Message> Payload for Inbound<'_, M> {
    fn size(&self) -> usize {
        self.client.map_or(0, |_| 8) + self.bytes.map_or_else(|| self.message.encoded_len(), <[u8]>::len)
    }

    fn fill(&mut self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        if let Some(client) = self.client {
            space.put(&client.0.to_le_bytes())?;
        }
        match self.bytes {
            Some(bytes) => space.put(bytes),
            None => crate::encoding::prost::encode(self.message, space),
        }
    }
}

/// Puts whichever member is set on the bus, if it is allowed. `None`: it is not.
pub(super) struct PublishFrom<'a, W> {
    pub(super) source: u16,
    pub(super) client: Option<ClientId>,
    /// The bytes of the root.
    pub(super) root: &'a [u8],
    pub(super) allow: Option<&'a [u16]>,
    pub(super) writer: &'a W,
}

impl<W: Publish> PublishFrom<'_, W> {
    fn publish<D, M: Member<D>>(self, id: u16, message: &M) -> Option<Result<(), WriteError>> {
        let PublishFrom { source, client, root, allow, writer } = self;
        allow.is_none_or(|allowed| allowed.contains(&id)).then(|| {
            let bytes = only_occurrence(root, M::field());
            writer.try_put(source, id, &mut Inbound { client, bytes, message })
        })
    }
}

impl<W: Publish> Visitor<ToServerSide> for PublishFrom<'_, W> {
    type Output = Option<Result<(), WriteError>>;

    fn member<M: Member<ToServerSide>>(self, member: &M) -> Self::Output {
        self.publish::<ToServerSide, M>(FromClient::<M>::ID, member)
    }
}

impl<W: Publish> Visitor<ToClientSide> for PublishFrom<'_, W> {
    type Output = Option<Result<(), WriteError>>;

    fn member<M: Member<ToClientSide>>(self, member: &M) -> Self::Output {
        self.publish::<ToClientSide, M>(FromServer::<M>::ID, member)
    }
}

/// Whether any member is set.
pub(super) struct IsSet;

impl<D> Visitor<D> for IsSet {
    type Output = ();

    fn member<M: Member<D>>(self, _: &M) {}
}

/// A root in which only this member is set, as bytes: without the root, so that the member need not be cloned.
#[derive(Clone, Copy)]
pub(super) struct Wrapped<'a, M, D> {
    message: &'a M,
    size: usize,
    direction: PhantomData<fn() -> D>,
}

impl<'a, D, M: Member<D>> Wrapped<'a, M, D> {
    pub(super) fn new(message: &'a M) -> Self {
        Wrapped { message, size: prost::encoding::message::encoded_len(M::field(), message), direction: PhantomData }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn encode(&self, mut out: &mut [u8]) {
        prost::encoding::message::encode(M::field(), self.message, &mut out);
    }
}

// ------------------------------------------------------------------------------------------------------------- events

/// Makes a message of the library: its id, and its bytes.
macro_rules! event {
    (
        $(#[$attribute:meta])*
        $event:ident = $id:literal { $( $(#[$field_attribute:meta])* $field:ident: $ty:ty, $to:expr, $of:expr; )* }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $event { $( $(#[$field_attribute])* pub $field: $ty, )* }

        impl Message for $event {
            type Id = u16;
            const ID: u16 = FIRST_OF_LIBRARY + $id;
        }

        impl ExtendedMessage for $event {
            fn get_size(&self) -> usize {
                0 $(+ { let _ = &self.$field; 8 })*
            }

            fn write_into(&self, buffer: &mut [u8]) {
                crate::encoding::write_into(self, buffer);
            }

            #[allow(unused_variables)]
            fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
                $( space.put(&$to(self.$field).to_le_bytes())?; )*
                Ok(())
            }
        }

        impl DeserializeFrom for $event {
            fn deserialize_from(buffer: &[u8]) -> Self {
                match Self::try_deserialize_from(buffer) {
                    Ok(message) => message,
                    Err(error) => panic!("{error}"),
                }
            }

            fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
                $( let (word, buffer) = take_word(buffer)?; let $field = $of(word)?; )*
                if buffer.is_empty() { Ok($event { $($field,)* }) } else { Err(DecodeError::new("too long")) }
            }
        }
    };
}

fn reason_of_word(word: u64) -> Result<Reason, DecodeError> {
    let reason = u8::try_from(word).ok().and_then(Reason::from_number);
    reason.ok_or_else(|| DecodeError::new("no such reason"))
}

fn port_of_word(word: u64) -> Result<u16, DecodeError> {
    u16::try_from(word).map_err(|_| DecodeError::new("no such port"))
}

event! {
    /// A server listens. From a [`Server`](super::Server).
    Listening = 0 {
        /// The port, also if the system chose it.
        port: u16, u64::from, port_of_word;
    }
}

event! {
    /// A client has connected. From a [`Server`](super::Server); alternates with [`ClientDisconnected`].
    ClientConnected = 1 {
        /// The client.
        client: ClientId, |client: ClientId| client.0, client_of_word;
    }
}

event! {
    /// A client's connection has ended. From a [`Server`](super::Server), after all that the client sent.
    ClientDisconnected = 2 {
        /// The client.
        client: ClientId, |client: ClientId| client.0, client_of_word;
        /// Why it ended.
        reason: Reason, |reason| reason as u64, reason_of_word;
    }
}

event! {
    /// The server is connected. From a [`Client`](super::Client); alternates with [`Disconnected`].
    Connected = 3 {}
}

event! {
    /// The connection to the server has ended. From a [`Client`](super::Client), after all that the server sent.
    Disconnected = 4 {
        /// Why it ended.
        reason: Reason, |reason| reason as u64, reason_of_word;
    }
}

const _: () = assert!(Disconnected::ID < AFTER_EVENTS && Disconnect::ID >= AFTER_EVENTS);

event! {
    /// Ends one client's connection, after everything sent to it before. To a [`Server`](super::Server).
    Disconnect = 5 {
        /// The client.
        client: ClientId, |client: ClientId| client.0, client_of_word;
    }
}

event! {
    /// Starts a [`Server`](super::Server) or [`Client`](super::Client) that does not run.
    StartBridge = 6 {}
}

event! {
    /// Stops a [`Server`](super::Server) or [`Client`](super::Client): it ends its connections, after everything sent
    /// before.
    StopBridge = 7 {}
}

#[cfg(test)]
mod tests;
