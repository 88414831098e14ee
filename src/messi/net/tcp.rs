//! The sockets of the system: non-blocking TCP, watched by the poller of their thread.

use super::hub::{LOOK, Registration, count_calls};
use super::{Acceptor, Socket};
use crate::sync::lock;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Weak};

/// A listener of [`System`].
#[derive(Debug)]
pub struct TcpAcceptor {
    pub(super) socket: TcpListener,
    pub(super) registration: Registration,
}

/// A connection of [`System`]. The standard library never lets a write end in SIGPIPE.
#[derive(Debug)]
pub struct TcpSocket {
    pub(super) socket: Arc<TcpStream>,
    pub(super) registration: Registration,
}

impl Drop for TcpAcceptor {
    fn drop(&mut self) {
        // What the poller does not know any more is as good as deleted.
        let _ = self.registration.set(&self.socket, None);
    }
}

impl Drop for TcpSocket {
    fn drop(&mut self) {
        let _ = self.registration.set(&*self.socket, None);
        let mut prompt = lock(&self.registration.hub.prompt);
        if prompt.is(&self.socket) {
            (prompt.socket, prompt.event, prompt.ahead) = (Weak::new(), None, 0..0);
        }
    }
}

impl Acceptor for TcpAcceptor {
    type Socket = TcpSocket;

    fn accept(&mut self) -> io::Result<(TcpSocket, SocketAddr)> {
        let (socket, address) = self.socket.accept()?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let registration = Registration::new(&self.registration.hub, self.registration.number);
        Ok((TcpSocket { socket: Arc::new(socket), registration }, address))
    }

    fn watch(&mut self, key: u32, accept: bool) -> io::Result<()> {
        self.registration.set(&self.socket, accept.then_some((key, true, false)))
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Read for TcpSocket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let hub = &self.registration.hub;
        let mut prompt = lock(&hub.prompt);
        if prompt.ahead.is_empty() || !prompt.is(&self.socket) {
            count_calls(1);
            let count = (&*self.socket).read(buffer)?;
            if !prompt.is(&self.socket) && prompt.ahead.is_empty() {
                prompt.socket = Arc::downgrade(&self.socket);
                prompt.event = self.registration.reading();
            }
            return Ok(count);
        }
        let count = prompt.take(buffer);
        if !prompt.ahead.is_empty() {
            hub.announce(&prompt);
        } else if prompt.ahead.end == LOOK {
            // There may be more. How it ends shows at the next read.
            count_calls(1);
            return Ok(count + (&*self.socket).read(&mut buffer[count..]).unwrap_or(0));
        }
        Ok(count)
    }
}

impl Write for TcpSocket {
    #[inline]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        count_calls(1);
        (&*self.socket).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for TcpSocket {
    fn watch(&mut self, key: u32, read: bool, write: bool) -> io::Result<()> {
        let before = self.registration.reading();
        self.registration.set(&*self.socket, (read || write).then_some((key, read, write)))?;
        let event = self.registration.reading();
        if event != before {
            let hub = &self.registration.hub;
            let mut prompt = lock(&hub.prompt);
            if prompt.is(&self.socket) {
                prompt.event = event;
                if !prompt.ahead.is_empty() {
                    hub.announce(&prompt);
                }
            }
        }
        Ok(())
    }

    fn connected(&mut self) -> io::Result<()> {
        match self.socket.take_error()? {
            Some(error) => Err(error),
            // Without an error it may also be that it is still under way.
            None => self.socket.peer_addr().map(|_| ()),
        }
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }
}
