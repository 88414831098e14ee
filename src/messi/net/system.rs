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
use std::ops::Range;
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
    prompt: Mutex<Prompt>,
}

/// The socket that was read last, at which a look is worth it. A look reads, for asking first would be a system call
/// more.
///
/// While there are bytes of it ahead, no other socket takes its place; and if it is watched for reading, too, an event
/// in its mailbox says so, for the system knows nothing of them any more.
struct Prompt {
    socket: Weak<TcpStream>,
    /// Where its events go, if it is watched for reading.
    event: Option<(u32, u32)>,
    /// What looks have read, and which part of that nobody has taken yet.
    bytes: Box<[u8]>,
    ahead: Range<usize>,
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

/// Counts system calls where tests ask how many there are.
#[cfg(not(test))]
#[inline(always)]
fn count_calls(_: u32) {}

#[cfg(test)]
fn count_calls(calls: u32) {
    CALLS.set(CALLS.get() + calls);
}

#[cfg(test)]
thread_local! {
    /// The system calls that this thread has made here.
    pub(in crate::messi) static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
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
/// System calls of a wait in the poller, which sets its timer and clears its notification each time.
const POLLER_CALLS: u32 = 5;
/// Bytes that a look reads: an answer fits.
const LOOK: usize = 4 << 10;
/// How many bits of a poller's key are the key in one event loop; the rest is the loop's number.
const KEY_BITS: u32 = 20;

impl Hub {
    fn new() -> io::Result<Arc<Hub>> {
        let poller = polling::Poller::new()?;
        if !poller.supports_level() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no level-triggered events on this system"));
        }
        let state = HubState { events: polling::Events::new(), mailboxes: Vec::new() };
        let prompt = Prompt { socket: Weak::new(), event: None, bytes: vec![0; LOOK].into(), ahead: 0..0 };
        Ok(Arc::new(Hub { poller, state: Mutex::new(state), prompt: Mutex::new(prompt) }))
    }

    /// Waits, and hands the events out.
    fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut state = lock(&self.state);
        let HubState { events, mailboxes } = &mut *state;
        events.clear();
        // What is announced ends this wait, as what is ready does.
        let has_some = |mailbox: &Weak<Mailbox>| mailbox.upgrade().is_some_and(|mailbox| mailbox.has_some());
        let timeout = if mailboxes.iter().any(has_some) { Some(Duration::ZERO) } else { timeout };
        if timeout == Some(Duration::ZERO) && self.has_nothing() {
            return Ok(());
        }
        count_calls(POLLER_CALLS);
        match self.poller.wait(events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in events.iter() {
            let (number, key) = (event.key >> KEY_BITS, (event.key & ((1 << KEY_BITS) - 1)) as u32);
            post(mailboxes, number, Ready { key, read: event.readable, write: event.writable });
        }
        Ok(())
    }

    /// Whether nothing is ready, as far as one system call can tell.
    #[cfg(target_os = "linux")]
    fn has_nothing(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        count_calls(1);
        let mut poller = [PollFd::new(&self.poller, PollFlags::IN)];
        poll(&mut poller, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }

    #[cfg(not(target_os = "linux"))]
    fn has_nothing(&self) -> bool {
        false
    }

    /// Tells the loop of the prompt socket that there is something of it to read, if it wants to.
    fn announce(&self, prompt: &Prompt) -> bool {
        let Some((number, key)) = prompt.event else { return false };
        post(&lock(&self.state).mailboxes, number as usize, Ready { key, read: true, write: false });
        true
    }
}

fn post(mailboxes: &[Weak<Mailbox>], number: usize, ready: Ready) {
    if let Some(mailbox) = mailboxes.get(number).and_then(Weak::upgrade) {
        lock(&mailbox.events).push(ready);
    }
}

impl Mailbox {
    fn has_some(&self) -> bool {
        !lock(&self.events).is_empty()
    }
}

impl Prompt {
    fn is(&self, socket: &TcpStream) -> bool {
        std::ptr::eq(self.socket.as_ptr(), socket)
    }

    /// Takes what looks have read.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.ahead.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes[self.ahead.start..self.ahead.start + count]);
        self.ahead.start += count;
        count
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
        let mut prompt = lock(&self.prompt);
        let prompt = &mut *prompt;
        if prompt.event.is_none() {
            return false;
        }
        let Some(socket) = prompt.socket.upgrade() else { return false };
        if prompt.ahead.is_empty() {
            count_calls(1);
            match (&*socket).read(&mut prompt.bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // Whoever reads is told of an end once more, and of an error as the end.
                read => prompt.ahead = 0..read.unwrap_or(0),
            }
        }
        self.announce(prompt)
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

/// The registration of a socket at the poller.
#[derive(Debug)]
struct Registration {
    hub: Arc<Hub>,
    number: u32,
    /// Under which key, and whether for reading and for writing.
    entry: Option<(u32, bool, bool)>,
}

impl Registration {
    /// Where the events go if it is watched for reading: the number of the loop, and the key.
    fn reading(&self) -> Option<(u32, u32)> {
        self.entry.filter(|(_, read, _)| *read).map(|(key, ..)| (self.number, key))
    }

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
        count_calls(1);
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

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use socket2::SockRef;
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
