//! Why connections end.

use std::fmt;

/// Why a connection ended. The first six are Messi's own, under their names and with their numbers.
///
/// ```
/// use rust_messenger::messi::Reason;
///
/// assert_eq!(Reason::from_number(3), Some(Reason::KeepAliveTimeout));
/// println!("disconnected: {}", Reason::KeepAliveTimeout);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// This side could not encode a message. Never used here: `send` returns such an error.
    MessageEncodeError,
    /// The peer sent bytes that are no message of the protocol.
    MessageDecodeError,
    /// The peer or the network closed the connection.
    ConnectionClosed,
    /// The peer gave no sign of life.
    KeepAliveTimeout,
    /// The system refused something.
    GeneralError,
    /// The peer announced a larger frame than this side accepts.
    MessageTooBig,
    /// The peer did not read what this side sent.
    SlowConsumer,
    /// The peer took longer than allowed for a frame, or for its first one.
    Limit,
    /// The peer sent a message that the options do not allow.
    NotAllowed,
    /// The peer violated the protocol.
    Protocol,
    /// This side ended it: `disconnect` or `stop`.
    Requested,
}

impl Reason {
    const ALL: [Reason; 11] = [
        Reason::MessageEncodeError,
        Reason::MessageDecodeError,
        Reason::ConnectionClosed,
        Reason::KeepAliveTimeout,
        Reason::GeneralError,
        Reason::MessageTooBig,
        Reason::SlowConsumer,
        Reason::Limit,
        Reason::NotAllowed,
        Reason::Protocol,
        Reason::Requested,
    ];

    /// The reason with this number: its place in the list above.
    pub fn from_number(number: u8) -> Option<Reason> {
        Reason::ALL.get(usize::from(number)).copied()
    }

    /// Its name in logs and in other languages.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::MessageEncodeError => "message_encode_error",
            Reason::MessageDecodeError => "message_decode_error",
            Reason::ConnectionClosed => "connection_closed",
            Reason::KeepAliveTimeout => "keep_alive_timeout",
            Reason::GeneralError => "general_error",
            Reason::MessageTooBig => "message_too_big",
            Reason::SlowConsumer => "slow_consumer",
            Reason::Limit => "limit",
            Reason::NotAllowed => "not_allowed",
            Reason::Protocol => "protocol",
            Reason::Requested => "requested",
        }
    }
}

/// As Messi's C code says it.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::MessageEncodeError => "Message encode error.",
            Reason::MessageDecodeError => "Message decode error.",
            Reason::ConnectionClosed => "Connection closed.",
            Reason::KeepAliveTimeout => "Keep alive timeout.",
            Reason::GeneralError => "General error.",
            Reason::MessageTooBig => "Message too big.",
            Reason::SlowConsumer => "Slow consumer.",
            Reason::Limit => "Time limit exceeded.",
            Reason::NotAllowed => "Message not allowed.",
            Reason::Protocol => "Protocol error.",
            Reason::Requested => "Disconnected on request.",
        })
    }
}
