//! What may stand between a socket and the frames.

use super::net::Socket;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// The bytes between a socket and the frames: TLS, made by `Layer::tls_server` and `Layer::tls_client` (feature `tls`)
/// for the field `layer` of the options of servers and clients.
///
/// ```no_run
/// # #[cfg(feature = "tls")] {
/// use rust_messenger::messi::Layer;
///
/// let layer = Layer::tls_server(&std::fs::read("server.pem")?, &std::fs::read("server.key")?, None)?;
/// # let _ = layer;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layer(pub(super) Arc<dyn Sessions>);

impl Layer {
    /// The session of a new connection; at a client to the host of this name.
    pub(super) fn session(&self, host: Option<&str>) -> io::Result<Box<dyn Session>> {
        self.0.session(host)
    }
}

/// What a [`Layer`] is, for every connection anew.
pub(super) trait Sessions: Send + Sync + fmt::Debug {
    fn session(&self, host: Option<&str>) -> io::Result<Box<dyn Session>>;
}

/// One connection's [`Layer`]. What it cannot do now is [`io::ErrorKind::WouldBlock`].
pub(super) trait Session: Send + fmt::Debug {
    /// Does what can be done before the first byte of a frame; whether that is all.
    fn handshake(&mut self, socket: &mut dyn Stream) -> io::Result<bool>;

    /// As [`Read::read`].
    fn read(&mut self, socket: &mut dyn Stream, buffer: &mut [u8]) -> io::Result<usize>;

    /// As [`Write::write`]. Bytes that were taken may wait for a later call, of no bytes even.
    fn write(&mut self, socket: &mut dyn Stream, bytes: &[u8]) -> io::Result<usize>;

    /// Whether bytes wait for the socket to take them.
    fn wants_write(&self) -> bool;

    /// Says that nothing more will be written.
    fn close(&mut self);
}

/// What a [`Session`] reads from and writes to.
pub(super) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// A socket, or a session over one.
pub(super) struct Transport<S> {
    pub(super) socket: S,
    pub(super) session: Option<Box<dyn Session>>,
}

impl<S: Socket> Transport<S> {
    #[inline]
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.read(buffer),
            Some(session) => session.read(&mut self.socket, buffer),
        }
    }

    #[inline]
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.write(bytes),
            Some(session) => session.write(&mut self.socket, bytes),
        }
    }

    pub(super) fn wants_write(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.wants_write())
    }

    /// Writes from `bytes` what can be written now: how much that was, and whether the socket is full.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        let mut written = 0;
        while written < bytes.len() || self.wants_write() {
            match self.write(&bytes[written..]) {
                Ok(0) if self.wants_write() => return Ok((written, true)),
                Ok(0) if written < bytes.len() => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((written, true)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok((written, false))
    }
}
