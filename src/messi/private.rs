//! What expansions name, and the tests that run these parts without sockets and without a clock.

pub use super::address::HostPort;
pub use super::connection::{Connection, Refusal, Verdict};
pub use super::net::{Acceptor, Lookup, Net, Ready, Socket, System};
pub use super::protocol::field_of;
pub use super::wire::{Decoder, Frame, Kind, Side, TooBig, frame};
