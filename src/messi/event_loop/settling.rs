//! What each peer waits for is brought in line with its phase: while it connects, is open, and lingers.

use super::{EventLoop, News, is_transient};
use crate::messi::connection::Connection;
use crate::messi::layer::Transport;
use crate::messi::net::{Net, Socket};
use crate::messi::peers::{Open, Peer, PeerId, Phase};
use crate::messi::reason::Reason;
use std::cmp::Reverse;
use std::io::{self, Read};

impl<N: Net> EventLoop<N> {
    pub(super) fn go_on_connecting(&mut self, id: PeerId) {
        let (side, settings, now) = (self.side, self.settings.clone(), self.now);
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Phase::Connecting { connected, .. } = &mut peer.phase else { return };
        let Transport { socket, session } = &mut peer.transport;
        if !*connected {
            match socket.connected() {
                Ok(()) => *connected = true,
                Err(error) if is_transient(&error) || error.kind() == io::ErrorKind::NotConnected => return,
                Err(error) => return self.fail(id, error),
            }
        }
        match session.as_mut().map_or(Ok(true), |session| session.handshake(socket)) {
            Ok(true) => {
                // The session may have read ahead.
                let ahead = session.is_some();
                let connection = Connection::new(side, settings, now);
                peer.phase = Phase::Open(Open { connection, full: false, ended: false, broken: false, ahead });
                let opened = News::Opened(id, peer.address);
                self.news.push_back(opened);
            }
            Ok(false) => {}
            Err(error) if is_transient(&error) => {}
            Err(error) => self.fail(id, error),
        }
    }

    pub(super) fn settle_later(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(id)
            && !std::mem::replace(&mut peer.unsettled, true)
        {
            self.unsettled.push(id);
        }
    }

    /// Brings what a peer waits for, and what waits for it, in line with what has become of it.
    pub(super) fn settle(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.unsettled = false;
        match &mut peer.phase {
            Phase::Open(open) if !open.full => self.write(id),
            Phase::Lingering { .. } => self.go_on_lingering(id),
            _ => {}
        }
        let Some(peer) = self.peers.get_mut(id) else { return };
        let (mut runs, mut blocks) = (false, false);
        let (read, write) = match &mut peer.phase {
            Phase::Connecting { connected, .. } => (*connected, !*connected || peer.transport.wants_write()),
            Phase::Open(open) => {
                runs = open.connection.wants_turn() || (open.ahead && open.wants_input());
                blocks = open.connection.is_blocked();
                if open.ended && !open.connection.has_more() {
                    return self.end(id, Reason::ConnectionClosed);
                }
                (open.wants_input(), open.full)
            }
            Phase::Lingering { output, sent, .. } => (true, *sent < output.len() || peer.transport.wants_write()),
        };
        if peer.transport.socket.watch(id.key, read, write).is_err() {
            return self.end(id, Reason::GeneralError);
        }
        if runs && !std::mem::replace(&mut peer.runnable, true) {
            self.runnable.push(id);
        } else if blocks && !std::mem::replace(&mut peer.blocked, true) {
            self.blocked.push(id);
        }
        self.schedule(id);
    }

    /// Sends what is left, says that this is the end, and waits for the peer to see it.
    fn go_on_lingering(&mut self, id: PeerId) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut over = false;
        if let Some(Peer { phase: Phase::Lingering { output, sent, told, .. }, transport, .. }) = self.peers.get_mut(id)
        {
            match transport.write_all(&output[*sent..]) {
                Ok((written, _)) => *sent += written,
                Err(_) => over = true,
            }
            if *sent == output.len() && !transport.wants_write() && !std::mem::replace(told, true) {
                if let Some(session) = &mut transport.session {
                    session.close();
                    let _ = session.write(&mut transport.socket, &[]);
                }
                over |= transport.socket.shutdown().is_err();
            }
            match transport.socket.read(&mut scratch) {
                Ok(0) => over = true,
                Err(error) if !is_transient(&error) => over = true,
                _ => {}
            }
        }
        self.scratch = scratch;
        if over {
            self.peers.remove(id);
        }
    }

    fn schedule(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let deadline = match &peer.phase {
            Phase::Connecting { deadline, .. } | Phase::Lingering { deadline, .. } => Some(*deadline),
            // At its end nobody is late any more.
            Phase::Open(open) if open.ended => None,
            Phase::Open(open) => open.connection.next_deadline(),
        };
        if let Some(deadline) = deadline
            && peer.scheduled.is_none_or(|scheduled| deadline < scheduled)
        {
            peer.scheduled = Some(deadline);
            self.timers.push(Reverse((deadline, id)));
        }
    }

    pub(super) fn run_timers(&mut self) {
        let now = self.now;
        while let Some(Reverse((deadline, id))) = self.timers.peek().copied() {
            if deadline > now {
                return;
            }
            self.timers.pop();
            let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.scheduled == Some(deadline)) else { continue };
            peer.scheduled = None;
            match &mut peer.phase {
                Phase::Open(open) if open.ended => {}
                Phase::Open(open) => {
                    if let Err(reason) = open.connection.tick(now) {
                        self.end(id, reason);
                    }
                }
                Phase::Lingering { deadline, .. } if *deadline <= now => _ = self.peers.remove(id),
                Phase::Lingering { .. } => {}
                Phase::Connecting { deadline, .. } if *deadline <= now => {
                    self.fail(id, io::ErrorKind::TimedOut.into());
                }
                Phase::Connecting { .. } => {}
            }
            self.settle_later(id);
        }
    }
}
