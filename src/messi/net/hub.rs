//! One `polling::Poller` for all event loops of a thread: who is told what, and the look at the socket that was read
//! last. The door to `polling`.

use super::Ready;
use crate::sync::{Mutex, lock};
use crate::traits::Poller;
use std::fmt;
use std::io::{self, Read};
use std::net::TcpStream;
use std::ops::Range;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// The events of one event loop: several of one thread share a poller, and whoever waits gets the events of all.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) number: u32,
    pub(super) events: Mutex<Vec<Ready>>,
}

/// The one poller of a thread.
pub(super) struct Hub {
    pub(super) poller: polling::Poller,
    state: Mutex<HubState>,
    pub(super) prompt: Mutex<Prompt>,
}

/// The socket that was read last, at which a look is worth it. A look reads, for asking first would be a system call
/// more.
///
/// While there are bytes of it ahead, no other socket takes its place; and if it is watched for reading, too, an event
/// in its mailbox says so, for the system knows nothing of them any more.
pub(super) struct Prompt {
    pub(super) socket: Weak<TcpStream>,
    /// Where its events go, if it is watched for reading.
    pub(super) event: Option<(u32, u32)>,
    /// What looks have read, and which part of that nobody has taken yet.
    bytes: Box<[u8]>,
    pub(super) ahead: Range<usize>,
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
pub(super) fn count_calls(_: u32) {}

#[cfg(test)]
pub(super) fn count_calls(calls: u32) {
    CALLS.set(CALLS.get() + calls);
}

#[cfg(test)]
thread_local! {
    /// The system calls that this thread has made here.
    pub(in crate::messi) static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// System calls of a wait in the poller, which sets its timer and clears its notification each time.
const POLLER_CALLS: u32 = 5;
/// Bytes that a look reads: an answer fits.
pub(super) const LOOK: usize = 4 << 10;
/// How many bits of a poller's key are the key in one event loop; the rest is the loop's number.
const KEY_BITS: u32 = 20;

impl Hub {
    pub(super) fn new() -> io::Result<Arc<Hub>> {
        let poller = polling::Poller::new()?;
        if !poller.supports_level() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "no level-triggered events on this system"));
        }
        let state = HubState { events: polling::Events::new(), mailboxes: Vec::new() };
        let prompt = Prompt { socket: Weak::new(), event: None, bytes: vec![0; LOOK].into(), ahead: 0..0 };
        Ok(Arc::new(Hub { poller, state: Mutex::new(state), prompt: Mutex::new(prompt) }))
    }

    /// A mailbox for one more event loop, at a place that nobody has any more.
    pub(super) fn mailbox(&self) -> Arc<Mailbox> {
        let mut state = lock(&self.state);
        let free = state.mailboxes.iter().position(|mailbox| mailbox.strong_count() == 0);
        let number = free.unwrap_or(state.mailboxes.len());
        let mailbox = Arc::new(Mailbox { number: number as u32, events: Mutex::new(Vec::new()) });
        match free {
            Some(free) => state.mailboxes[free] = Arc::downgrade(&mailbox),
            None => state.mailboxes.push(Arc::downgrade(&mailbox)),
        }
        drop(state);
        mailbox
    }

    /// Waits, and hands the events out.
    pub(super) fn poll(&self, timeout: Option<Duration>) -> io::Result<()> {
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
    pub(super) fn announce(&self, prompt: &Prompt) -> bool {
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
    pub(super) fn is(&self, socket: &TcpStream) -> bool {
        std::ptr::eq(self.socket.as_ptr(), socket)
    }

    /// Takes what looks have read.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> usize {
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

/// The registration of a socket at the poller.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) hub: Arc<Hub>,
    pub(super) number: u32,
    /// Under which key, and whether for reading and for writing.
    entry: Option<(u32, bool, bool)>,
}

impl Registration {
    /// Of a source that is not watched yet.
    pub(super) fn new(hub: &Arc<Hub>, number: u32) -> Registration {
        Registration { hub: Arc::clone(hub), number, entry: None }
    }

    /// Where the events go if it is watched for reading: the number of the loop, and the key.
    pub(super) fn reading(&self) -> Option<(u32, u32)> {
        self.entry.filter(|(_, read, _)| *read).map(|(key, ..)| (self.number, key))
    }

    /// Whoever owns `source` ends the registration before it ends the source.
    #[allow(unsafe_code)]
    pub(super) fn set<S>(&mut self, source: &S, entry: Option<(u32, bool, bool)>) -> io::Result<()>
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

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Here its descriptor is suddenly that of a file.
    #[test]
    #[allow(unsafe_code)]
    fn a_poller_that_fails_is_no_hot_loop() {
        use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        const WAITS: u32 = 30;
        let hub = Hub::new().unwrap();
        // SAFETY: the descriptor is open, and stays the poller's: it is let go of before the poller can close it.
        let mut descriptor = unsafe { OwnedFd::from_raw_fd(hub.poller.as_raw_fd()) };
        let replaced = rustix::io::dup2(std::fs::File::open("/dev/null").unwrap(), &mut descriptor);
        let _ = descriptor.into_raw_fd();
        replaced.unwrap();
        let begin = Instant::now();
        for timeout in [None, Some(Duration::from_secs(100)), Some(Duration::from_millis(1))] {
            assert!(Hub::poll(&hub, timeout).is_err());
            (0..WAITS).for_each(|_| hub.wait(timeout));
        }
        assert!(begin.elapsed() >= 3 * WAITS * Duration::from_millis(1), "{:?}", begin.elapsed());
    }
}
