//! What is sent is collected, and goes out at the end of a turn or when a batch is full.

use super::EventLoop;
use crate::messi::connection::{Refusal, Share};
use crate::messi::error::SendError;
use crate::messi::net::Net;
use crate::messi::peers::{Peer, PeerId, Phase};
use crate::messi::reason::Reason;
use crate::messi::wire::Kind;

/// Queued bytes that are worth a system call before the end of the turn.
const BATCH: usize = 64 << 10;

impl<N: Net> EventLoop<N> {
    /// Queues a frame; `encode` fills its `size` bytes.
    #[inline]
    pub(in crate::messi) fn send(
        &mut self,
        id: PeerId,
        (kind, share): (Kind, Share),
        size: usize,
        encode: impl Fn(&mut [u8]),
    ) -> Result<(), SendError> {
        let now = self.now;
        let Some(Peer { phase: Phase::Open(open), unsettled, .. }) = self.peers.get_mut(id) else {
            return Err(SendError::Gone);
        };
        let sent = open.connection.send(kind, size, share, now, &encode);
        let flush = !open.full && open.connection.output().len() >= BATCH;
        if sent.is_ok() && !flush {
            if !std::mem::replace(unsettled, true) {
                self.unsettled.push(id);
            }
            return Ok(());
        }
        self.send_slowly(id, (kind, share), size, sent, encode)
    }

    #[cold]
    #[inline(never)]
    fn send_slowly(
        &mut self,
        id: PeerId,
        (kind, share): (Kind, Share),
        size: usize,
        sent: Result<(), Refusal>,
        encode: impl Fn(&mut [u8]),
    ) -> Result<(), SendError> {
        self.settle_later(id);
        match sent {
            Ok(()) => {
                self.write(id);
                return Ok(());
            }
            Err(Refusal::TooBig { size, max }) => return Err(SendError::TooBig { size, max }),
            Err(Refusal::Full) => self.write(id),
        }
        let now = self.now;
        let Some(Peer { phase: Phase::Open(open), .. }) = self.peers.get_mut(id) else { return Err(SendError::Gone) };
        match open.connection.send(kind, size, share, now, encode) {
            Ok(()) => Ok(()),
            Err(Refusal::TooBig { size, max }) => Err(SendError::TooBig { size, max }),
            Err(Refusal::Full) => Err(SendError::Full),
        }
    }

    /// Ends the connection to a peer that does not read.
    pub(in crate::messi) fn give_up_slow(&mut self, id: PeerId) {
        self.end(id, Reason::SlowConsumer);
    }

    /// Writes to one peer what it takes.
    pub(super) fn write(&mut self, id: PeerId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Phase::Open(open) = &mut peer.phase else { return };
        if open.connection.output().is_empty() && !peer.transport.wants_write() {
            return;
        }
        if open.broken {
            return open.connection.discard_output(now);
        }
        match peer.transport.write_all(open.connection.output()) {
            Ok((written, full)) => {
                open.connection.wrote(written, now);
                open.full = full;
            }
            Err(_) => {
                // What it sent before may still be there to be read.
                open.broken = true;
                open.connection.discard_output(now);
            }
        }
    }

    /// Writes what is queued.
    pub(in crate::messi) fn flush(&mut self) {
        while let Some(id) = self.unsettled.pop() {
            self.settle(id);
        }
    }
}
