//! The peers of one event loop: what is known of each, and under which id.

use super::connection::Connection;
use super::layer::Transport;
use crate::traits::Time;
use std::net::SocketAddr;

/// The key of what listens; peers have others.
pub(super) const ACCEPTOR: u32 = 0;
/// More peers than that have no keys.
pub(super) const MAX_PEERS: usize = 1_000_000;

/// Who is who in one event loop. Never used again for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PeerId {
    /// Not 0.
    pub(super) key: u32,
    pub(super) generation: u32,
}

pub(super) struct Peer<S> {
    pub(super) id: PeerId,
    pub(super) transport: Transport<S>,
    pub(super) address: SocketAddr,
    pub(super) phase: Phase,
    /// The earliest entry among the timers.
    pub(super) scheduled: Option<Time>,
    /// Is in `unsettled`, `runnable`, `blocked`.
    pub(super) unsettled: bool,
    pub(super) runnable: bool,
    pub(super) blocked: bool,
}

// Nearly all peers are open nearly all the time.
#[allow(clippy::large_enum_variant)]
pub(super) enum Phase {
    /// Until it can be written, then until its session is ready.
    Connecting {
        deadline: Time,
        connected: bool,
    },
    Open(Open),
    /// Closed from this side; `output` is what it was still owed.
    Lingering {
        deadline: Time,
        output: Vec<u8>,
        sent: usize,
        told: bool,
    },
}

pub(super) struct Open {
    pub(super) connection: Connection,
    /// The socket took no more.
    pub(super) full: bool,
    /// The peer has sent all that it will.
    pub(super) ended: bool,
    /// The peer takes nothing any more; reading says when it is gone.
    pub(super) broken: bool,
    /// The session may hold bytes that no event tells of.
    pub(super) ahead: bool,
}

impl Open {
    pub(super) fn wants_input(&self) -> bool {
        !self.ended && self.connection.wants_input()
    }
}

/// All peers, by their ids.
pub(super) struct Peers<S> {
    /// By key, less one.
    slots: Vec<Slot<S>>,
    free: Vec<u32>,
    /// How many there are that do not linger, and that do.
    pub(super) open: usize,
    pub(super) lingering: usize,
}

struct Slot<S> {
    generation: u32,
    peer: Option<Peer<S>>,
}

impl<S> Default for Peers<S> {
    fn default() -> Self {
        Peers { slots: Vec::new(), free: Vec::new(), open: 0, lingering: 0 }
    }
}

impl<S> Peers<S> {
    /// Adds a peer that does not linger.
    pub(super) fn add(&mut self, transport: Transport<S>, address: SocketAddr, phase: Phase) -> PeerId {
        let key = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, peer: None });
            self.slots.len() as u32
        });
        let slot = &mut self.slots[key as usize - 1];
        let id = PeerId { key, generation: slot.generation };
        slot.peer = Some(Peer {
            id,
            transport,
            address,
            phase,
            scheduled: None,
            unsettled: false,
            runnable: false,
            blocked: false,
        });
        self.open += 1;
        id
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer<S>> {
        self.slots.iter().filter_map(|slot| slot.peer.as_ref())
    }

    #[inline]
    pub(super) fn get(&self, id: PeerId) -> Option<&Peer<S>> {
        self.slots.get((id.key as usize).checked_sub(1)?)?.peer.as_ref().filter(|peer| peer.id == id)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer<S>> {
        self.at(id.key).filter(|peer| peer.id == id)
    }

    /// Whichever peer has this key now.
    #[inline]
    pub(super) fn at(&mut self, key: u32) -> Option<&mut Peer<S>> {
        self.slots.get_mut((key as usize).checked_sub(1)?)?.peer.as_mut()
    }

    /// Takes a peer out. Its id is stale from now on.
    pub(super) fn remove(&mut self, id: PeerId) -> Option<Peer<S>> {
        let slot = self.slots.get_mut((id.key as usize).checked_sub(1)?)?;
        let peer = slot.peer.take_if(|peer| peer.id == id)?;
        // A slot whose generations are used up is left empty for good.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.key);
        }
        match peer.phase {
            Phase::Lingering { .. } => self.lingering -= 1,
            _ => self.open -= 1,
        }
        Some(peer)
    }

    /// Lets a peer linger in `phase`, under an id of its own: `id` is stale from now on. `None`, and nothing has
    /// changed, if there is no further id.
    pub(super) fn linger(&mut self, id: PeerId, phase: Phase) -> Option<PeerId> {
        let slot = self.slots.get_mut((id.key as usize).checked_sub(1)?)?;
        let peer = slot.peer.as_mut().filter(|peer| peer.id == id)?;
        let generation = slot.generation.checked_add(1)?;
        (slot.generation, peer.id.generation, peer.phase) = (generation, generation, phase);
        (peer.scheduled, peer.unsettled, peer.runnable, peer.blocked) = (None, false, false, false);
        self.open -= 1;
        self.lingering += 1;
        Some(peer.id)
    }
}
