//! The network of the system.

use super::hub::{Hub, Mailbox, Registration};
use super::tcp::{TcpAcceptor, TcpSocket};
use super::{Lookup, Net, Ready};
use crate::messenger::SystemClock;
use crate::messi::address::HostPort;
use crate::random;
use crate::sync::lock;
use crate::traits::{Clock, Poller, Time};
use socket2::{Domain, Protocol, Socket as Socket2, Type};
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// The network of the system.
pub struct System {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("number", &self.mailbox.number).finish_non_exhaustive()
    }
}

thread_local! {
    static HUB: RefCell<Weak<Hub>> = const { RefCell::new(Weak::new()) };
}

/// Connections that may wait to be accepted; the system may allow fewer. Those beyond try again after a second.
const BACKLOG: i32 = 4096;

impl System {
    /// With a poller of its own.
    ///
    /// # Errors
    ///
    /// The system has no more descriptors, or cannot tell again and again that something is ready.
    pub fn new() -> io::Result<System> {
        Ok(System::on(Hub::new()?))
    }

    /// With the poller of the calling thread: whoever waits in it waits for all that have it. To be used on this
    /// thread.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of_this_thread() -> io::Result<System> {
        if let Some(hub) = HUB.with_borrow(Weak::upgrade) {
            return Ok(System::on(hub));
        }
        let hub = Hub::new()?;
        HUB.set(Arc::downgrade(&hub));
        Ok(System::on(hub))
    }

    fn on(hub: Arc<Hub>) -> System {
        let mailbox = hub.mailbox();
        System { hub, mailbox }
    }

    fn registration(&self) -> Registration {
        Registration::new(&self.hub, self.mailbox.number)
    }
}

impl Net for System {
    type Socket = TcpSocket;
    type Acceptor = TcpAcceptor;

    fn now(&self) -> Time {
        SystemClock.now()
    }

    fn listen(&mut self, address: SocketAddr) -> io::Result<Self::Acceptor> {
        let socket = Socket2::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Elsewhere this would let two servers share a port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(TcpAcceptor { socket: TcpListener::from(socket), registration: self.registration() })
    }

    fn connect(&mut self, address: SocketAddr) -> io::Result<Self::Socket> {
        let socket = Socket2::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if is_under_way(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(TcpSocket { socket: Arc::new(TcpStream::from(socket)), registration: self.registration() })
    }

    fn resolve(&mut self, host: &HostPort) -> Lookup {
        let (answer, lookup) = channel();
        if let Ok(address) = host.host().parse::<IpAddr>() {
            let _ = answer.send(Ok(vec![SocketAddr::new(address, host.port())]));
            return lookup;
        }
        let (hub, target) = (Arc::clone(&self.hub), host.clone());
        let late = answer.clone();
        let spawned = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let found = (target.host(), target.port()).to_socket_addrs().map(Iterator::collect);
            // Nobody waits any longer: then nobody misses it.
            let _ = answer.send(found);
            hub.notify();
        });
        if let Err(error) = spawned {
            let _ = late.send(Err(error));
        }
        lookup
    }

    fn ready(&mut self, ask: bool, into: &mut Vec<Ready>) -> io::Result<()> {
        let mut events = lock(&self.mailbox.events);
        if events.is_empty() && ask {
            drop(events);
            self.hub.poll(Some(Duration::ZERO))?;
            events = lock(&self.mailbox.events);
        }
        into.append(&mut events);
        Ok(())
    }

    fn random(&mut self) -> io::Result<u64> {
        random::number()
    }

    fn poller(&self) -> Arc<dyn Poller> {
        Arc::clone(&self.hub) as Arc<dyn Poller>
    }
}

fn is_under_way(error: &io::Error) -> bool {
    // EINPROGRESS has no kind of its own; Windows says WouldBlock.
    #[cfg(unix)]
    let in_progress = error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    let in_progress = false;
    in_progress || error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::super::hub::LOOK;
    use super::super::{Acceptor, Socket};
    use super::*;
    use socket2::SockRef;
    use std::io::{Read, Write};
    use std::time::Instant;

    /// Small frames would wait for the answer to the one before; a server that restarts would wait for minutes.
    #[test]
    fn sockets_do_not_delay_and_their_address_is_free_at_once() {
        let mut net = System::new().unwrap();
        let mut listener = net.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        #[cfg(unix)]
        assert!(SockRef::from(&listener.socket).reuse_address().unwrap());
        let connected = net.connect(listener.address().unwrap()).unwrap();
        assert!(SockRef::from(&*connected.socket).tcp_nodelay().unwrap());
        listener.watch(0, true).unwrap();
        let (accepted, _) = loop {
            match listener.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => net.poller().wait(None),
                accepted => break accepted.unwrap(),
            }
        };
        assert!(SockRef::from(&*accepted.socket).tcp_nodelay().unwrap());
    }

    /// A thread may host many loops, one after the other.
    #[test]
    fn the_place_of_a_loop_that_is_gone_is_used_again() {
        let first = System::of_this_thread().unwrap();
        let numbers: Vec<_> = (0..10).map(|_| System::of_this_thread().unwrap().mailbox.number).collect();
        assert_eq!((first.mailbox.number, numbers), (0, vec![1; 10]));
        let both = [System::of_this_thread().unwrap(), System::of_this_thread().unwrap()];
        assert_eq!(both.map(|net| net.mailbox.number), [1, 2]);
    }

    /// A connection that is watched under this key, and its peer.
    fn pair(net: &mut System, key: u32) -> (TcpSocket, TcpStream) {
        let mut listener = net.listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let peer = TcpStream::connect(listener.address().unwrap()).unwrap();
        listener.watch(0, true).unwrap();
        net.poller().wait(None);
        net.ready(true, &mut Vec::new()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.watch(key, true, false).unwrap();
        (accepted, peer)
    }

    /// What the loop is told, without asking the system.
    fn told(net: &mut System) -> Vec<Ready> {
        let mut ready = Vec::new();
        net.ready(false, &mut ready).unwrap();
        ready
    }

    fn reading(key: u32) -> Ready {
        Ready { key, read: true, write: false }
    }

    /// Makes it the socket that looks are about.
    fn greet(socket: &mut TcpSocket, peer: &mut TcpStream) {
        peer.write_all(b"x").unwrap();
        while socket.read(&mut [0]).is_err() {
            crate::sync::yield_now();
        }
    }

    /// Looks until there is something.
    fn look(net: &System) {
        let begin = Instant::now();
        while !net.poller().poll() {
            assert!(begin.elapsed() < LATE, "it never comes");
            crate::sync::yield_now();
        }
    }

    const LATE: Duration = Duration::from_secs(60);

    /// Not a byte is lost, none comes before its turn, and all of them are told of, however they are read.
    #[test]
    fn what_a_look_has_read_comes_first_and_is_told_until_it_is_taken() {
        let mut net = System::new().unwrap();
        let (mut socket, mut peer) = pair(&mut net, 7);
        let (mut other, mut other_peer) = pair(&mut net, 8);
        assert!(!net.poller().poll(), "of none that was read");
        greet(&mut socket, &mut peer);
        assert!(!net.poller().poll(), "nothing came");
        peer.write_all(b"abc").unwrap();
        look(&net);
        assert_eq!(told(&mut net), [reading(7)]);
        // What another one reads meanwhile does not get in between.
        greet(&mut other, &mut other_peer);
        let mut byte = [0];
        for expected in *b"ab" {
            assert_eq!((socket.read(&mut byte).unwrap(), byte), (1, [expected]));
            assert_eq!(told(&mut net), [reading(7)], "there is more, of which the system knows nothing");
        }
        assert_eq!((socket.read(&mut byte).unwrap(), byte), (1, *b"c"));
        assert_eq!(told(&mut net), []);
        assert_eq!(socket.read(&mut byte).unwrap_err().kind(), io::ErrorKind::WouldBlock);

        // More than a look reads.
        let sent: Vec<u8> = (0..3 * LOOK).map(|i| i as u8).collect();
        peer.write_all(&sent).unwrap();
        look(&net);
        let (mut received, mut buffer) = (Vec::new(), vec![0; 4 * LOOK]);
        while received.len() < sent.len() {
            match socket.read(&mut buffer) {
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(_) => net.poller().wait(Some(LATE)),
            }
        }
        assert_eq!(received, sent);
    }

    /// What a look has read ends a wait: the system knows nothing of it any more.
    #[test]
    fn what_a_look_has_read_ends_the_next_wait() {
        let mut net = System::new().unwrap();
        let (mut socket, mut peer) = pair(&mut net, 7);
        greet(&mut socket, &mut peer);
        peer.write_all(b"a").unwrap();
        look(&net);
        let begin = Instant::now();
        net.poller().wait(Some(LATE));
        assert!(begin.elapsed() < LATE);
        assert_eq!(told(&mut net), [reading(7)]);
    }

    /// Whoever does not want to read is told nothing, and of all that there is when it wants to again.
    #[test]
    fn what_a_look_has_read_is_told_to_whoever_wants_to_read() {
        let mut net = System::new().unwrap();
        let (mut socket, mut peer) = pair(&mut net, 7);
        greet(&mut socket, &mut peer);
        peer.write_all(b"a").unwrap();
        look(&net);
        assert_eq!(told(&mut net), [reading(7)]);
        socket.watch(7, false, false).unwrap();
        assert!(!net.poller().poll());
        assert_eq!(told(&mut net), []);
        socket.watch(7, true, false).unwrap();
        assert_eq!(told(&mut net), [reading(7)]);
        let mut buffer = [0; 2];
        assert_eq!((socket.read(&mut buffer).unwrap(), buffer[0]), (1, b'a'));
        socket.watch(7, false, false).unwrap();
        peer.write_all(b"b").unwrap();
        socket.watch(7, true, false).unwrap();
        assert_eq!(told(&mut net), [], "the system tells it");
        look(&net);
        drop(socket);
        assert!(!net.poller().poll(), "of one that is gone");
    }
}
