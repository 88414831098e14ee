//! What a receiver does with each message of a node's stream.
//!
//! A server may deliver again what it delivered on a connection that broke, and what is new before that; and a server
//! whose store was set back gives sequences to other messages than it did before. So sequences say nothing here. Each
//! message names the one before it, and each hello what the stream ended with: what is taken is a chain without a gap,
//! each link once.

use super::catalog::{Catalog, Mismatch};
use super::entry::{Entry, EntryError, Hello, MessageHead, Reached};
use super::subject::{NameError, Names, Subject};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// How many earlier incarnations are remembered. What a server delivers again is of the last few.
const REMEMBERED: usize = 1000;
/// How many subjects are known without reading them again. A table has fewer; whoever lies may have more.
const MOST_SUBJECTS: usize = 1000;

/// What to do with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It was taken before: acknowledge it.
    Again,
    /// Others come first: leave it, the server delivers it again.
    Early,
    /// A bridge of the node began, perhaps one that was taken before: acknowledge it.
    Hello(Hello),
    /// No worker here receives it: acknowledge it.
    NotForHere,
    /// Write it, then acknowledge it.
    Write(Box<MessageHead>),
    /// The local table differs from the sender's: leave it, and all that comes after it, for a table that agrees. Order
    /// is worth more than progress.
    Wait(Mismatch),
    /// It is none of a bridge, or it lies: count it, and acknowledge it.
    Refused(Refusal),
}

/// The messages of one node's stream as they arrive.
///
/// ```
/// use rust_messenger_nats::protocol::{Arrival, Arrivals, Catalog, Entry, Hello, Kind, Names, Origin};
///
/// let names = Names::new("shop", "till-1")?;
/// let mut arrivals = Arrivals::new(names.clone(), 0, None);
/// let origin = Origin { kind: Kind::Ring, incarnation: 1, bridge: 2 };
/// let hello = Hello { origin, after: None, time: 0, before: None };
/// let (name, value) = Entry::Hello(hello).to_header();
/// let subject = names.hello().to_string();
/// let mut take = |sequence| arrivals.take(sequence, &subject, [(name, value.as_str())], &Catalog::default());
/// assert_eq!(take(2), Arrival::Early);
/// assert_eq!(take(1), Arrival::Hello(hello));
/// # Ok::<(), rust_messenger_nats::protocol::NameError>(())
/// ```
#[derive(Debug)]
pub struct Arrivals {
    names: Names,
    /// Those of the node that have come.
    subjects: HashMap<String, Arc<Subject>>,
    at: At,
    /// Incarnations whose time is over.
    over: VecDeque<u64>,
}

/// The last link of the chain.
#[derive(Clone, Copy, Debug)]
enum At {
    /// There is none: the first one is the message behind this sequence.
    Sequence(u64),
    Reached(Reached),
}

impl Arrivals {
    /// Of the stream of the node `names`, behind its message `sequence`, which says `entry` of itself. `None`: there is
    /// no such message, or it is none of a bridge.
    pub fn new(names: Names, sequence: u64, entry: Option<&Entry>) -> Arrivals {
        let at = entry.map_or(At::Sequence(sequence), |entry| At::Reached(entry.reached()));
        Arrivals { names, subjects: HashMap::new(), at, over: VecDeque::new() }
    }

    /// How far it has come; `None` if nothing was taken yet.
    pub fn reached(&self) -> Option<Reached> {
        match self.at {
            At::Sequence(_) => None,
            At::Reached(reached) => Some(reached),
        }
    }

    /// What to do with a message that the server delivers as the stream's `sequence`.
    pub fn take<'a>(
        &mut self,
        sequence: u64,
        subject: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        catalog: &Catalog,
    ) -> Arrival {
        let arrival = self.judge(sequence, subject, headers, catalog).unwrap_or_else(Arrival::Refused);
        if let (Arrival::Refused(_), At::Sequence(before)) = (&arrival, &mut self.at) {
            // No link, but no gap either.
            *before = sequence.max(*before);
        }
        arrival
    }

    fn judge<'a>(
        &mut self,
        sequence: u64,
        subject: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        catalog: &Catalog,
    ) -> Result<Arrival, Refusal> {
        if let At::Sequence(before) = self.at {
            match sequence.checked_sub(before) {
                None | Some(0) => return Ok(Arrival::Again),
                Some(1) => {}
                Some(_) => return Ok(Arrival::Early),
            }
        }
        let subject = self.subject(subject)?;
        match (Entry::from_headers(headers).map_err(Refusal::Entry)?, subject.types()) {
            (Entry::Hello(hello), None) => Ok(self.greet(hello)),
            (Entry::Message(head), Some((handler, message))) => Ok(self.message(head, handler, message, catalog)),
            _ => Err(Refusal::NotItsSubject),
        }
    }

    fn subject(&mut self, text: &str) -> Result<Arc<Subject>, Refusal> {
        if let Some(known) = self.subjects.get(text) {
            return Ok(known.clone());
        }
        let subject = Subject::parse(text).map_err(Refusal::Subject)?;
        if *subject.names() != self.names {
            return Err(Refusal::OtherNode(subject.names().clone()));
        }
        if self.subjects.len() >= MOST_SUBJECTS {
            self.subjects.clear();
        }
        let subject = Arc::new(subject);
        self.subjects.insert(text.to_owned(), subject.clone());
        Ok(subject)
    }

    fn greet(&mut self, hello: Hello) -> Arrival {
        let said = Reached { incarnation: hello.origin.incarnation, position: hello.after };
        if self.over.contains(&said.incarnation) {
            return Arrival::Again;
        }
        if let At::Reached(at) = self.at {
            if at.incarnation == said.incarnation {
                // A store that was set back has it begin before what was taken.
                return if said.position <= at.position { Arrival::Hello(hello) } else { Arrival::Early };
            }
            let is_link = hello.before.is_none_or(|before| {
                let is_last = before.incarnation == at.incarnation && before.position <= at.position;
                is_last || self.over.contains(&before.incarnation)
            });
            if !is_link {
                return Arrival::Early;
            }
            self.over.push_back(at.incarnation);
            if self.over.len() > REMEMBERED {
                self.over.pop_front();
            }
        }
        self.at = At::Reached(said);
        Arrival::Hello(hello)
    }

    fn message(&mut self, head: MessageHead, handler: &str, message: &str, catalog: &Catalog) -> Arrival {
        let incarnation = head.origin.incarnation;
        if self.over.contains(&incarnation) {
            return Arrival::Again;
        }
        if let At::Reached(at) = self.at {
            if at.incarnation == incarnation && Some(head.position) <= at.position {
                return Arrival::Again;
            }
            // What it names may be before the last one: a table that sends less may have filled a store again that was
            // set back. Nothing is missing then.
            if at.incarnation != incarnation || head.previous > at.position {
                return Arrival::Early;
            }
        }
        let row = match catalog.agreed(handler, message, &head) {
            Ok(row) => row,
            Err(mismatch) => return Arrival::Wait(mismatch),
        };
        self.at = At::Reached(Reached { incarnation, position: Some(head.position) });
        if row.is_some() { Arrival::Write(Box::new(head)) } else { Arrival::NotForHere }
    }
}

/// Why a message in a stream is believed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Its headers.
    Entry(EntryError),
    /// Its subject.
    Subject(NameError),
    /// Its subject is that of another node.
    OtherNode(Names),
    /// A hello with the subject of a message, or a message with that of a hello.
    NotItsSubject,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Entry(error) => error.fmt(f),
            Refusal::Subject(error) => error.fmt(f),
            Refusal::OtherNode(names) => write!(f, "the subject is that of the node {:?}", names.node()),
            Refusal::NotItsSubject => f.write_str("a hello and a message have each other's subject"),
        }
    }
}

impl std::error::Error for Refusal {}
