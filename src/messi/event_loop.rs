//! Many connections on one thread: reads, writes and timers by the events of one poller. Knows nothing above frames.
//!
//! Every connection gets a share of each [`turn`](EventLoop::turn), so that none keeps the others waiting; what is sent
//! is collected and goes out in few system calls at the end of the turn, or when a batch is full. A connection that is
//! closed from this side lingers: what is queued is still sent, and what still comes in is thrown away until the peer
//! has seen the end, since closing on unread bytes would take from it what it has not read yet.
//!
//! Here are the peers that come and go, and the turns; `sending` collects and sends, `settling` brings what a peer
//! waits for in line with its phase.

mod sending;
mod settling;

use super::connection::Verdict;
use super::layer::{Session, Transport};
use super::net::{Net, Ready};
use super::peers::{ACCEPTOR, MAX_PEERS, Peer, PeerId, Peers, Phase};
use super::reason::Reason;
use super::settings::Settings;
use super::wire::Side;
use crate::message_bus::wait::Patience;
use crate::sync::yield_now;
use crate::traits::{Poller, Time};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Takes a peer's message.
pub(super) trait Deliver: FnMut(PeerId, &[u8]) -> Verdict {}

impl<F: FnMut(PeerId, &[u8]) -> Verdict> Deliver for F {}

/// Where the events of peers go.
pub(super) trait PeerSink {
    /// A connection is made.
    fn opened(&mut self, peer: PeerId, address: SocketAddr);

    /// A connection was not made after all.
    fn failed(&mut self, peer: PeerId, address: SocketAddr, error: io::Error);

    /// A message has come.
    fn message(&mut self, peer: PeerId, payload: &[u8]) -> Verdict;

    /// A connection has ended. Nothing more of it will come.
    fn closed(&mut self, peer: PeerId, address: SocketAddr, reason: Reason);
}

/// Frames that one turn takes in, shared by those that have some. Their events should fit a processor's first cache.
const FRAMES_A_TURN: usize = 512;
/// Frames of one peer and turn, if many have some.
const FRAMES_A_PEER: usize = 64;
/// Bytes read at once.
const READ: usize = 128 << 10;
/// How often the poller is asked while there is something to do anyway: it takes several system calls.
const POLL_EVERY: Duration = Duration::from_micros(100);
/// More bytes than that at once are a stream, not an answer: of those, waiting makes larger batches.
const ANSWER: usize = 4 << 10;

/// Connections, by the events of one poller.
pub(super) struct EventLoop<N: Net> {
    pub(super) net: N,
    /// The time of what is done now.
    pub(super) now: Time,
    side: Side,
    settings: Settings,
    pub(super) linger: Duration,
    /// Those that linger must not become many more than those that may be connected.
    may_linger: usize,
    poller: Arc<dyn Poller>,
    peers: Peers<N::Socket>,
    timers: BinaryHeap<Reverse<(Time, PeerId)>>,
    /// With something to do that no event will tell.
    runnable: Vec<PeerId>,
    /// Whose message had no room.
    blocked: Vec<PeerId>,
    /// Who may have something to send, or another interest than before.
    unsettled: Vec<PeerId>,
    news: VecDeque<News>,
    ready: Vec<Ready>,
    /// When the poller was asked last, a wait aside.
    polled: Time,
    /// The last turn found nothing to do.
    idle: bool,
    /// Who sent last, and how often that peer was worth waiting for.
    prompt: Option<PeerId>,
    /// The answer came before the poller was asked.
    answered: bool,
    patience: Patience,
    scratch: Box<[u8]>,
}

/// What the next turn says first.
enum News {
    Opened(PeerId, SocketAddr),
    Failed(PeerId, SocketAddr, io::Error),
    Closed(PeerId, SocketAddr, Reason),
}

impl<N: Net> EventLoop<N> {
    /// For so many peers at a time, and those that linger after them.
    pub(super) fn new(net: N, side: Side, settings: Settings, linger: Duration, peers: usize) -> Self {
        EventLoop {
            poller: net.poller(),
            now: net.now(),
            net,
            side,
            settings,
            linger,
            // All that are connected when it is stopped, and as many from before.
            may_linger: peers.saturating_mul(2).max(16),
            peers: Peers::default(),
            timers: BinaryHeap::new(),
            runnable: Vec::new(),
            blocked: Vec::new(),
            unsettled: Vec::new(),
            news: VecDeque::new(),
            ready: Vec::new(),
            polled: Time::default(),
            idle: true,
            prompt: None,
            answered: false,
            patience: Patience::default(),
            scratch: vec![0; READ].into_boxed_slice(),
        }
    }

    /// The time, which is also that of what follows.
    pub(super) fn tell_time(&mut self) -> Time {
        self.now = self.net.now();
        self.now
    }

    pub(super) fn poller(&self) -> &Arc<dyn Poller> {
        &self.poller
    }

    /// How many connections there are, those that linger aside.
    pub(super) fn len(&self) -> usize {
        self.peers.open
    }

    /// Whether there can be no more peers.
    pub(super) fn has_no_keys(&self) -> bool {
        self.peers.open + self.peers.lingering >= MAX_PEERS
    }

    /// Whether there is no connection at all, not even one that lingers.
    pub(super) fn is_silent(&self) -> bool {
        self.peers.open == 0 && self.peers.lingering == 0
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.iter().filter(|peer| matches!(peer.phase, Phase::Open(_))).map(|peer| peer.id)
    }

    /// Ends all connections from this side, as [`disconnect`](Self::disconnect).
    pub(super) fn disconnect_all(&mut self) {
        let lingers = |peer: &&Peer<N::Socket>| matches!(peer.phase, Phase::Lingering { .. });
        let ids: Vec<PeerId> = self.peers.iter().filter(|peer| !lingers(peer)).map(|peer| peer.id).collect();
        for id in ids {
            self.disconnect(id);
        }
    }

    /// How many bytes wait for this peer to read them.
    pub(super) fn pending(&self, id: PeerId) -> Option<usize> {
        match &self.peers.get(id)?.phase {
            Phase::Open(open) => Some(open.connection.pending()),
            _ => None,
        }
    }

    // --------------------------------------------------------------------------------------------------- coming, going

    /// Adds a connection that came in, or one that is still under way, and gives it until `deadline` to be ready.
    pub(super) fn add(
        &mut self,
        socket: N::Socket,
        address: SocketAddr,
        session: Option<Box<dyn Session>>,
        under_way: bool,
        deadline: Time,
    ) -> PeerId {
        let phase = Phase::Connecting { deadline, connected: !under_way };
        let id = self.peers.add(Transport { socket, session }, address, phase);
        self.settle_later(id);
        if !under_way {
            self.go_on_connecting(id);
        }
        id
    }

    /// Ends a connection at once.
    fn end(&mut self, id: PeerId, reason: Reason) {
        if let Some(peer) = self.peers.remove(id) {
            match peer.phase {
                Phase::Open(_) => self.news.push_back(News::Closed(id, peer.address, reason)),
                Phase::Connecting { .. } => {
                    self.news.push_back(News::Failed(id, peer.address, io::ErrorKind::ConnectionAborted.into()));
                }
                Phase::Lingering { .. } => {}
            }
        }
    }

    fn fail(&mut self, id: PeerId, error: io::Error) {
        if let Some(peer) = self.peers.remove(id) {
            self.news.push_back(News::Failed(id, peer.address, error));
        }
    }

    /// Ends a connection from this side, after what is queued for it. Its id is stale from now on. False if it was.
    pub(super) fn disconnect(&mut self, id: PeerId) -> bool {
        let may_linger = self.peers.lingering < self.may_linger;
        let deadline = self.now + self.linger;
        let Some(peer) = self.peers.get(id) else { return false };
        let Phase::Open(open) = &peer.phase else {
            // Nobody was told of it yet, so nobody is told now. One that lingers does so under an id of its own.
            self.peers.remove(id);
            return true;
        };
        let address = peer.address;
        if !may_linger || open.broken {
            self.end(id, Reason::Requested);
            return true;
        }
        let output = open.connection.output().to_vec();
        let Some(lingers) = self.peers.linger(id, Phase::Lingering { deadline, output, sent: 0, told: false }) else {
            self.end(id, Reason::Requested);
            return true;
        };
        self.news.push_back(News::Closed(id, address, Reason::Requested));
        self.settle_later(lingers);
        true
    }

    // ----------------------------------------------------------------------------------------------------------- turns

    /// Whether a turn would find something to do without waiting.
    pub(super) fn is_busy(&self) -> bool {
        !self.runnable.is_empty() || !self.news.is_empty()
    }

    /// When to make the next turn, if no event comes before.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.is_busy() {
            return Some(Time::default());
        }
        self.timers.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Writes what is queued, then waits for an event until `deadline`, or, as long as that pays, for a prompt answer.
    pub(super) fn wait(&mut self, deadline: Option<Time>, deliver: &mut impl Deliver) {
        // Whoever comes here late must not wait until later still.
        let now = self.tell_time();
        self.flush();
        let deadline = [deadline, self.next_deadline()].into_iter().flatten().min();
        let left = deadline.map(|deadline| deadline.since(now));
        if left == Some(Duration::ZERO) {
            // Whoever does not wait wants to know what there is, unless there is enough to do.
            self.idle |= !self.is_busy();
        } else if !self.is_answered(deliver) {
            self.poller.wait(left);
        }
        self.tell_time();
    }

    /// Looks at the socket that sent last a few times. Whether an answer has come.
    fn is_answered(&mut self, deliver: &mut impl Deliver) -> bool {
        let Some(prompt) = self.prompt.take().filter(|_| self.patience.tries()) else { return false };
        let answered = (0..Patience::LOOKS).any(|_| {
            yield_now();
            self.take_in(prompt, FRAMES_A_TURN, deliver)
        });
        self.patience.learn(answered);
        self.settle_later(prompt);
        self.answered = answered;
        answered
    }

    /// Does what can be done now. Says whether somebody wants to come in.
    pub(super) fn turn(&mut self, sink: &mut impl PeerSink) -> bool {
        let now = self.now;
        self.tell(sink);
        let mut ready = std::mem::take(&mut self.ready);
        let busy = std::mem::take(&mut self.answered) || !self.runnable.is_empty() || !self.unsettled.is_empty();
        // First: whoever waits for an answer does not wait for what else there is to do.
        self.flush();
        // Behind a turn that did something comes another one, or a wait, which finds all that there is.
        let ask = (self.idle && !busy) || now.since(self.polled) >= POLL_EVERY;
        if ask {
            self.polled = now;
        }
        // A poller that fails tells nothing; timers still run, and its waits do not become a hot loop.
        let _ = self.net.ready(ask, &mut ready);
        self.idle = !busy && ready.is_empty();
        let share = FRAMES_A_TURN / (ready.len() + self.runnable.len() + self.blocked.len()).max(1);
        let share = share.max(FRAMES_A_PEER);
        let mut accept = false;
        let (mut runnable, mut blocked) = (std::mem::take(&mut self.runnable), std::mem::take(&mut self.blocked));
        for id in runnable.drain(..).chain(blocked.drain(..)) {
            self.resume(id, share, &mut |id, payload: &[u8]| sink.message(id, payload));
        }
        for event in ready.drain(..) {
            if event.key == ACCEPTOR {
                accept = true;
            } else {
                self.on_event(event, share, sink);
            }
        }
        // Their memory is used again: in a turn, new entries come when it is settled.
        (self.ready, self.runnable, self.blocked) = (ready, runnable, blocked);
        self.run_timers();
        self.flush();
        self.tell(sink);
        accept
    }

    fn tell(&mut self, sink: &mut impl PeerSink) {
        while let Some(news) = self.news.pop_front() {
            match news {
                News::Opened(id, address) => sink.opened(id, address),
                News::Failed(id, address, error) => sink.failed(id, address, error),
                News::Closed(id, address, reason) => sink.closed(id, address, reason),
            }
        }
    }

    fn on_event(&mut self, event: Ready, share: usize, sink: &mut impl PeerSink) {
        let Some(peer) = self.peers.at(event.key) else { return };
        let id = peer.id;
        match &mut peer.phase {
            Phase::Connecting { .. } => {
                self.go_on_connecting(id);
                // At once: a second event of this turn may bring its first message.
                self.tell(sink);
            }
            Phase::Open(open) => {
                open.full &= !event.write;
                if event.read {
                    let _ = self.take_in(id, share, &mut |id, payload: &[u8]| sink.message(id, payload));
                }
            }
            Phase::Lingering { .. } => {}
        }
        self.settle_later(id);
    }

    /// Reads once. Whether that changed anything.
    fn take_in(&mut self, id: PeerId, share: usize, deliver: &mut impl Deliver) -> bool {
        let now = self.now;
        let mut scratch = std::mem::take(&mut self.scratch);
        let (mut result, mut changed, mut prompt) = (Ok(()), false, false);
        if let Some(Peer { phase: Phase::Open(open), transport, .. }) = self.peers.get_mut(id)
            && open.wants_input()
        {
            match transport.read(&mut scratch) {
                Ok(0) => (open.ended, changed) = (true, true),
                Ok(count) => {
                    changed = true;
                    prompt = count <= ANSWER;
                    open.ahead = transport.session.is_some() && count == scratch.len();
                    let mut budget = share;
                    let input = &scratch[..count];
                    result = open.connection.receive(input, now, &mut budget, |payload| deliver(id, payload));
                }
                Err(error) if is_transient(&error) => {}
                Err(_) => (open.ended, changed) = (true, true),
            }
        }
        self.scratch = scratch;
        if prompt {
            self.prompt = Some(id);
        }
        if let Err(reason) = result {
            self.end(id, reason);
        }
        changed
    }

    /// Goes on with what a peer sent before.
    fn resume(&mut self, id: PeerId, share: usize, deliver: &mut impl Deliver) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(id) else { return };
        (peer.runnable, peer.blocked) = (false, false);
        let Phase::Open(open) = &mut peer.phase else { return };
        let mut budget = share;
        let result = open.connection.resume(now, &mut budget, |payload| deliver(id, payload));
        let ahead = std::mem::take(&mut open.ahead);
        match result {
            Err(reason) => self.end(id, reason),
            Ok(()) if ahead => _ = self.take_in(id, budget, deliver),
            Ok(()) => {}
        }
        self.settle_later(id);
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
