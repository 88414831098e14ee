//! Sockets, names and the clock, behind small traits, so that everything above can be run without them: [`Net`].

mod hub;
mod system;
mod tcp;

#[cfg(test)]
pub(in crate::messi) use hub::CALLS;
pub use system::System;

use super::address::HostPort;
use crate::traits::{Poller, Time};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// A stream of bytes that never blocks: what it cannot do now is [`io::ErrorKind::WouldBlock`].
pub trait Socket: Read + Write {
    /// From now on tells when it can be read, or written, under `key`, until it is told otherwise. Neither: tells
    /// nothing.
    ///
    /// # Errors
    ///
    /// The system's.
    fn watch(&mut self, key: u32, read: bool, write: bool) -> io::Result<()>;

    /// How the attempt to connect went. To be asked when it can be written for the first time.
    ///
    /// # Errors
    ///
    /// Why it did not go well.
    fn connected(&mut self) -> io::Result<()>;

    /// Says that nothing more will be written.
    ///
    /// # Errors
    ///
    /// The system's.
    fn shutdown(&mut self) -> io::Result<()>;
}

/// Where connections come in.
pub trait Acceptor {
    /// What comes in.
    type Socket: Socket;

    /// The next connection.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when there is none, and the system's.
    fn accept(&mut self) -> io::Result<(Self::Socket, SocketAddr)>;

    /// As [`Socket::watch`], for connections that come in.
    ///
    /// # Errors
    ///
    /// The system's.
    fn watch(&mut self, key: u32, accept: bool) -> io::Result<()>;

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// The system's.
    fn address(&self) -> io::Result<SocketAddr>;
}

/// Something that was watched is ready, or has failed, which is found out by using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// What it is watched under.
    pub key: u32,
    /// It can be read.
    pub read: bool,
    /// It can be written.
    pub write: bool,
}

/// The addresses of a name, once they are known.
pub type Lookup = Receiver<io::Result<Vec<SocketAddr>>>;

/// The network as the event loop sees it; replaced in simulations.
pub trait Net {
    /// A connection.
    type Socket: Socket;
    /// A listener.
    type Acceptor: Acceptor<Socket = Self::Socket>;

    /// The time.
    fn now(&self) -> Time;

    /// Listens.
    ///
    /// # Errors
    ///
    /// The system's.
    fn listen(&mut self, address: SocketAddr) -> io::Result<Self::Acceptor>;

    /// Begins to connect. Watch it for writing, then ask [`Socket::connected`].
    ///
    /// # Errors
    ///
    /// The system's.
    fn connect(&mut self, address: SocketAddr) -> io::Result<Self::Socket>;

    /// Begins to look up a name; the end of a wait may be the answer.
    fn resolve(&mut self, host: &HostPort) -> Lookup;

    /// Appends what waits have found ready, and else, if it is to `ask`, what is ready now. Never waits.
    ///
    /// # Errors
    ///
    /// The system's.
    fn ready(&mut self, ask: bool, into: &mut Vec<Ready>) -> io::Result<()>;

    /// A number that nobody can foretell.
    ///
    /// # Errors
    ///
    /// The system's: it gives no random numbers.
    fn random(&mut self) -> io::Result<u64>;

    /// Where to wait until something is ready.
    fn poller(&self) -> Arc<dyn Poller>;
}
