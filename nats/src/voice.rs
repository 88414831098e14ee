//! What a bridge says of itself, each change in its order.

use crate::connection::lock;
use crate::status::Status;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many may wait to be said. Beyond that the oldest is not said any more.
const MOST: usize = 64;
/// How long before a connection ends the server may have said why.
const LATELY: Duration = Duration::from_secs(1);

/// Whether there is a server.
#[derive(Debug)]
enum Server {
    /// Nothing was heard yet.
    Unknown,
    There {
        since: Instant,
        /// What it, or the client, last complained of.
        trouble: Option<(Instant, String)>,
    },
    Away,
}

#[derive(Debug)]
pub(crate) struct Voice {
    server: Server,
    /// How long something stands still before it is said.
    stall: Duration,
    last: Arc<Mutex<Option<Status>>>,
    unsaid: VecDeque<Status>,
}

impl Voice {
    pub(crate) fn new(stall: Duration) -> Voice {
        Voice { server: Server::Unknown, stall, last: Arc::default(), unsaid: VecDeque::new() }
    }

    /// The last status, whether it is said or not.
    pub(crate) fn last(&self) -> &Arc<Mutex<Option<Status>>> {
        &self.last
    }

    pub(crate) fn connected(&mut self) {
        self.server = Server::There { since: Instant::now(), trouble: None };
        self.change(Status::Connected);
    }

    pub(crate) fn disconnected(&mut self) {
        let reason = match &mut self.server {
            Server::There { trouble, .. } => trouble.take().filter(|(at, _)| at.elapsed() < LATELY),
            Server::Unknown | Server::Away => return,
        };
        self.away(reason.map_or_else(|| "lost".to_owned(), |(_, reason)| reason));
    }

    /// The server or the client complains.
    pub(crate) fn trouble(&mut self, text: String) {
        match &mut self.server {
            Server::There { trouble, .. } => *trouble = Some((Instant::now(), text)),
            Server::Unknown | Server::Away => self.away(text),
        }
    }

    fn away(&mut self, reason: String) {
        self.server = Server::Away;
        self.change(Status::Disconnected { reason });
    }

    /// What goes out, and what comes from each of the nodes, stands still since then; or does not.
    pub(crate) fn standing<'a>(&mut self, out: Option<Instant>, sources: impl Iterator<Item = (&'a str, Instant)>) {
        let Server::There { since, .. } = self.server else { return };
        let (now, stall) = (Instant::now(), self.stall);
        // Without a server nothing could go on.
        let is_long = |from: Instant| now.saturating_duration_since(from.max(since)) >= stall;
        let out = out.is_some_and(is_long);
        let sources: Vec<String> =
            sources.filter(|(_, since)| is_long(*since)).map(|(node, _)| node.to_owned()).collect();
        let is_stalled = out || !sources.is_empty();
        self.change(if is_stalled { Status::Stalled { out, sources } } else { Status::Connected });
    }

    pub(crate) fn change(&mut self, status: Status) {
        let mut last = lock(&self.last);
        if last.as_ref() == Some(&status) {
            return;
        }
        *last = Some(status.clone());
        drop(last);
        if self.unsaid.len() >= MOST {
            self.unsaid.pop_front();
        }
        self.unsaid.push_back(status);
    }

    /// Says what is unsaid, as far as `say` will. Returns whether that is all.
    pub(crate) fn speak(&mut self, mut say: impl FnMut(&Status) -> bool) -> bool {
        while let Some(status) = self.unsaid.front() {
            if !say(status) {
                return false;
            }
            self.unsaid.pop_front();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(voice: &mut Voice) -> Vec<Status> {
        let mut said = Vec::new();
        assert!(voice.speak(|status| {
            said.push(status.clone());
            true
        }));
        said
    }

    fn away(reason: &str) -> Status {
        Status::Disconnected { reason: reason.to_owned() }
    }

    fn standing(voice: &mut Voice, out: Option<Instant>, sources: &[(&str, Instant)]) {
        voice.standing(out, sources.iter().copied());
    }

    #[test]
    fn each_change_is_said_once_and_in_its_order() {
        let mut voice = Voice::new(Duration::from_secs(60));
        voice.disconnected();
        standing(&mut voice, None, &[]);
        assert_eq!(said(&mut voice), []);
        voice.trouble("IO error".to_owned());
        voice.trouble("IO error".to_owned());
        voice.connected();
        voice.disconnected();
        voice.disconnected();
        assert!(!voice.speak(|_| false));
        voice.connected();
        standing(&mut voice, None, &[]);
        assert_eq!(said(&mut voice), [away("IO error"), Status::Connected, away("lost"), Status::Connected]);
        voice.trouble("user authentication expired".to_owned());
        voice.disconnected();
        assert_eq!(said(&mut voice), [away("user authentication expired")]);
        assert_eq!(*lock(voice.last()), Some(away("user authentication expired")));
    }

    #[test]
    fn what_stands_still_is_said_when_that_is_long_and_a_server_is_there() {
        let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(100)) else { return };
        let (mut patient, mut voice) = (Voice::new(Duration::from_secs(60)), Voice::new(Duration::ZERO));
        standing(&mut voice, Some(long_ago), &[]);
        assert_eq!(said(&mut voice), []);
        // It could not go on while there was no server.
        patient.connected();
        standing(&mut patient, Some(long_ago), &[("pump", long_ago)]);
        assert_eq!(said(&mut patient), [Status::Connected]);
        voice.connected();
        standing(&mut voice, None, &[("pump", long_ago)]);
        standing(&mut voice, Some(long_ago), &[]);
        standing(&mut voice, None, &[]);
        let stalled = |out, sources: &[&str]| {
            let sources = sources.iter().map(|source| source.to_string()).collect();
            Status::Stalled { out, sources }
        };
        let expected = [Status::Connected, stalled(false, &["pump"]), stalled(true, &[]), Status::Connected];
        assert_eq!(said(&mut voice), expected);
    }

    #[test]
    fn what_waits_to_be_said_is_bounded() {
        let mut voice = Voice::new(Duration::ZERO);
        for number in 0..1000 {
            voice.trouble(number.to_string());
        }
        let said = said(&mut voice);
        assert_eq!((said.len(), said.last()), (MOST, Some(&away("999"))));
    }
}
