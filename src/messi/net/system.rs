//! The network of the system: non-blocking TCP, and one `polling::Poller` for all that one thread hosts.

use super::{Acceptor, Lookup, Net, Ready, Socket};
use crate::messenger::SystemClock;
use crate::messi::address::HostPort;
use crate::random;
use crate::sync::{Mutex, lock};
use crate::traits::{Clock, Poller, Time};
use socket2::{Domain, Protocol, Socket as Socket2, Type};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
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

/// The events of one event loop: several of one thread share a poller, and whoever waits gets the events of all.
#[derive(Debug)]
struct Mailbox {
    number: u32,
    events: Mutex<Vec<Ready>>,
}

/// The one poller of a thread.
struct Hub {
    poller: polling::Poller,
    state: Mutex<HubState>,
    /// What was read last.
    prompt: Mutex<Weak<TcpStream>>,
}

struct HubState {
    events: polling::Events,
    mailboxes: Vec<Weak<Mailbox>>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("poller", &self.poller).finish_non_exhaustive()
    }
}

thread_local! {
    static HUB: RefCell<Weak<Hub>> = const { RefCell::new(Weak::new()) };
}

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
        let mut state = lock(&hub.state);
        let free = state.mailboxes.iter().position(|mailbox| mailbox.strong_count() == 0);
        let number = free.unwrap_or(state.mailboxes.len());
        let mailbox = Arc::new(Mailbox { number: number as u32, events: Mutex::new(Vec::new()) });
        match free {
            Some(free) => state.mailboxes[free] = Arc::downgrade(&mailbox),
            None => state.mailboxes.push(Arc::downgrade(&mailbox)),
        }
        drop(state);
        System { hub, mailbox }
    }

    fn registration(&self) -> Registration {
        Registration { hub: Arc::clone(&self.hub), number: self.mailbox.number, entry: None }
    }
}

/// Connections that may wait to be accepted; the system may allow fewer. Those beyond try again after a second.
const BACKLOG: i32 = 4096;
/// How many bits of a poller's key are the key in one event loop; the rest is the loop's number.
const KEY_BITS: u32 = 20;

impl Hub {
    fn new() -> io::Result<Arc<Hub>> {
        let poller = polling::Poller::new()?;
        if !poller.supports_level() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no level-triggered events on this system"));
        }
        let state = HubState { events: polling::Events::new(), mailboxes: Vec::new() };
        Ok(Arc::new(Hub { poller, state: Mutex::new(state), prompt: Mutex::new(Weak::new()) }))
    }

    /// Waits, and hands the events out.
    fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut state = lock(&self.state);
        let HubState { events, mailboxes } = &mut *state;
        events.clear();
        match self.poller.wait(events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in events.iter() {
            let (number, key) = (event.key >> KEY_BITS, (event.key & ((1 << KEY_BITS) - 1)) as u32);
            if let Some(mailbox) = mailboxes.get(number).and_then(Weak::upgrade) {
                lock(&mailbox.events).push(Ready { key, read: event.readable, write: event.writable });
            }
        }
        Ok(())
    }
}

impl Poller for Hub {
    fn wait(&self, timeout: Option<Duration>) {
        // What it is that failed shows when the sockets are used.
        if self.poll(timeout).is_err() {
            #[expect(clippy::disallowed_methods, reason = "a poller that always fails must not make a hot loop")]
            thread::sleep(timeout.unwrap_or(Duration::from_millis(1)).min(Duration::from_millis(1)));
        }
    }

    fn poll(&self) -> bool {
        // One system call, where asking the poller takes five.
        let prompt = lock(&self.prompt).upgrade();
        prompt.is_some_and(|socket| match socket.peek(&mut [0]) {
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            Ok(_) => true,
        })
    }

    fn notify(&self) {
        // Fails only when the system is at its end; the wait then ends by its timeout.
        let _ = self.poller.notify();
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

    fn ready(&mut self, into: &mut Vec<Ready>) -> io::Result<()> {
        let mut events = lock(&self.mailbox.events);
        if events.is_empty() {
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

/// The registration of a socket at the poller.
#[derive(Debug)]
struct Registration {
    hub: Arc<Hub>,
    number: u32,
    /// Under which key, and whether for reading and for writing.
    entry: Option<(u32, bool, bool)>,
}

impl Registration {
    /// Whoever owns `source` ends the registration before it ends the source.
    #[allow(unsafe_code)]
    fn set<S>(&mut self, source: &S, entry: Option<(u32, bool, bool)>) -> io::Result<()>
    where
        S: polling::AsSource,
        for<'a> &'a S: polling::AsRawSource,
    {
        if entry == self.entry {
            return Ok(());
        }
        let (key, read, write) = entry.unwrap_or_default();
        debug_assert!(key < 1 << KEY_BITS);
        let event = polling::Event::new((self.number << KEY_BITS | key) as usize, read, write);
        let poller = &self.hub.poller;
        match (self.entry, entry) {
            // SAFETY: the source is deleted from the poller before it is closed: both of its owners, `TcpSocket` and
            // `TcpAcceptor`, end the registration in their `drop`.
            (None, _) => unsafe { poller.add_with_mode(source, event, polling::PollMode::Level)? },
            (Some(_), None) => poller.delete(source)?,
            (Some(_), Some(_)) => poller.modify_with_mode(source, event, polling::PollMode::Level)?,
        }
        self.entry = entry;
        Ok(())
    }
}

/// A listener of [`System`].
#[derive(Debug)]
pub struct TcpAcceptor {
    socket: TcpListener,
    registration: Registration,
}

/// A connection of [`System`]. The standard library never lets a write end in SIGPIPE.
#[derive(Debug)]
pub struct TcpSocket {
    socket: Arc<TcpStream>,
    registration: Registration,
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
    }
}

impl Acceptor for TcpAcceptor {
    type Socket = TcpSocket;

    fn accept(&mut self) -> io::Result<(TcpSocket, SocketAddr)> {
        let (socket, address) = self.socket.accept()?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let Registration { hub, number, .. } = &self.registration;
        let registration = Registration { hub: Arc::clone(hub), number: *number, entry: None };
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
        let count = (&*self.socket).read(buffer)?;
        let mut prompt = lock(&self.registration.hub.prompt);
        if !std::ptr::eq(prompt.as_ptr(), &*self.socket) {
            *prompt = Arc::downgrade(&self.socket);
        }
        Ok(count)
    }
}

impl Write for TcpSocket {
    #[inline]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self.socket).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for TcpSocket {
    fn watch(&mut self, key: u32, read: bool, write: bool) -> io::Result<()> {
        self.registration.set(&*self.socket, (read || write).then_some((key, read, write)))
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

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use socket2::SockRef;

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

    /// Here its descriptor is suddenly that of a file.
    #[test]
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    fn a_poller_that_fails_is_no_hot_loop() {
        use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        const WAITS: u32 = 30;
        let net = System::new().unwrap();
        // SAFETY: the descriptor is open, and stays the poller's: it is let go of before the poller can close it.
        let mut descriptor = unsafe { OwnedFd::from_raw_fd(net.hub.poller.as_raw_fd()) };
        let replaced = rustix::io::dup2(std::fs::File::open("/dev/null").unwrap(), &mut descriptor);
        let _ = descriptor.into_raw_fd();
        replaced.unwrap();
        let begin = std::time::Instant::now();
        for timeout in [None, Some(Duration::from_secs(100)), Some(Duration::from_millis(1))] {
            assert!(net.hub.poll(timeout).is_err());
            (0..WAITS).for_each(|_| net.poller().wait(timeout));
        }
        assert!(begin.elapsed() >= 3 * WAITS * Duration::from_millis(1), "{:?}", begin.elapsed());
    }
}
