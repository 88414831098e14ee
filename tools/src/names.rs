//! The names of a journal's messages and handlers. A journal may be anybody's, so they are not printed as they are.

use crate::failure::Failure;
use rust_messenger::message_bus::{Journal, JournalTable};
use rust_messenger::traits::{DeadLetter, Handler, Message, Supervisor};
use std::time::{Duration, Instant};

/// Without control characters: those of a terminal, and ends of lines.
pub fn clean(text: &str) -> String {
    let clean = |c: char| if is_clean(c) { String::from(c) } else { c.escape_unicode().to_string() };
    text.chars().map(clean).collect()
}

/// The same, line by line.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// Not a control character, nor one that changes the order of those around it.
fn is_clean(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A name as the table has it, without the mark of a raw identifier.
pub fn plain(name: &str) -> String {
    clean(name.trim_start_matches("r#"))
}

/// What ids stand for.
#[derive(Debug)]
pub struct Names {
    table: JournalTable,
    /// When the table was read.
    read: Instant,
}

/// For how long a table is good enough that lacks a name.
const FRESH: Duration = Duration::from_secs(1);

impl Names {
    pub fn of(table: Option<JournalTable>) -> Names {
        Names { table: table.unwrap_or_default(), read: Instant::now() }
    }

    pub fn source(&self, id: u16) -> String {
        self.known_source(id).unwrap_or_else(|| format!("#{id}"))
    }

    pub fn message(&self, id: u16) -> String {
        self.known_message(id).unwrap_or_else(|| format!("#{id}"))
    }

    pub fn known_source(&self, id: u16) -> Option<String> {
        self.table.handler(id).map(clean).or_else(|| (id == Supervisor::ID).then(|| "Supervisor".to_owned()))
    }

    pub fn known_message(&self, id: u16) -> Option<String> {
        self.table.message(id).map(clean).or_else(|| (id == DeadLetter::ID).then(|| "DeadLetter".to_owned()))
    }

    /// How wide columns of sources and of messages should be.
    pub fn widths(&self) -> (usize, usize) {
        // So that one long name does not push everything out of sight.
        let width = |length: usize| length.clamp(6, 24);
        let source = self.table.handlers().map(|(_, name)| clean(name).chars().count()).max();
        let message = self.table.messages().iter().map(|message| clean(&message.name).chars().count()).max();
        (width(source.unwrap_or(0)), width(message.unwrap_or(0)))
    }

    /// Reads the table again if it lacks one of these: a program that adds to it may have opened the journal since.
    /// At most once per second, because ids may as well have no name at all.
    pub fn refresh(&mut self, journal: &Journal, source: u16, message: u16) -> Result<(), Failure> {
        let is_known = self.table.handler(source).is_some() && self.table.message(message).is_some();
        if !is_known && self.read.elapsed() >= FRESH {
            self.table = journal.info()?.table.unwrap_or_default();
            self.read = Instant::now();
        }
        Ok(())
    }

    /// The ids of handlers asked for by name or number.
    pub fn sources(&self, asked: &[String]) -> Result<Vec<u16>, Failure> {
        let known: Vec<_> = self.table.handlers().collect();
        look_up("source", asked, &known)
    }

    /// The ids of messages asked for by name or number.
    pub fn messages(&self, asked: &[String]) -> Result<Vec<u16>, Failure> {
        look_up("message", asked, &self.known_messages())
    }

    fn known_messages(&self) -> Vec<(u16, &str)> {
        self.table.messages().iter().map(|message| (message.id, message.name.as_str())).collect()
    }

    /// Takes the type off a message that was asked for as `NAME=TYPE`. A name may have a `=` in it, too.
    pub fn split_type<'a>(&self, asked: &'a str) -> (&'a str, Option<&'a str>) {
        match asked.rsplit_once('=') {
            Some((name, of)) if self.known_messages().iter().all(|(_, known)| *known != asked) => (name, Some(of)),
            _ => (asked, None),
        }
    }

    /// Whether a message is of prost, or of an encoding that nobody has said.
    pub fn may_be_prost(&self, message: u16) -> bool {
        let mut messages = self.table.messages().iter();
        messages.find(|record| record.id == message).is_some_and(|record| ["prost", ""].contains(&&*record.encoding))
    }

    /// The fields of a payload as JSON, if the journal knows them.
    pub fn fields(&self, message: u16, payload: &[u8]) -> Option<Result<String, String>> {
        Some(self.table.to_json(message, payload)?.map_err(|error| error.to_string()))
    }
}

/// By its name, with its path or without, or else by its number.
fn look_up(what: &str, asked: &[String], known: &[(u16, &str)]) -> Result<Vec<u16>, Failure> {
    let id_of = |name: &String| {
        let is_it =
            |known: &str| known == name || known.strip_suffix(name.as_str()).is_some_and(|path| path.ends_with("::"));
        let exact = known.iter().find(|(_, known)| known == name).map(|(id, _)| *id);
        let found: Vec<_> = known.iter().filter(|(_, known)| is_it(known)).collect();
        match (exact, &found[..]) {
            (Some(id), _) | (None, &[&(id, _)]) => return Ok(id),
            (None, [_, _, ..]) => {
                let names: Vec<&str> = found.iter().map(|(_, name)| *name).collect();
                return Err(Failure::Usage(format!("--{what} {name}: which of {}?", names.join(", "))));
            }
            (None, []) => {}
        }
        name.parse().map_err(|_| {
            let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
            let there = if names.is_empty() { "no names; use a number".to_owned() } else { names.join(", ") };
            Failure::Usage(format!("--{what} {name}: no such name; the journal has {there}"))
        })
    };
    asked.iter().map(id_of).collect()
}
