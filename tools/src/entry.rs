//! How an entry of a journal looks in a line: as text, or as JSON.

use crate::args::Format;
use crate::contents::Contents;
use crate::json;
use crate::names::{Names, clean};
use crate::output::{Ink, Output};
use jiff::Timestamp;
use rust_messenger::message_bus::{Entry, Origin, Span};
use rust_messenger::traits::{DeadLetter, Time};
use serde_json::value::RawValue;
use std::io;
use std::time::Duration;

/// So many bytes of a payload are shown in text.
const PREVIEW: usize = 64;

const UNFINISHED: &str = "its writer died, or is still at it";
const CLAIMED: &str = "claimed or lost: its writer died, or is still at it, or it was not synced";

/// What says that a message is dead: where it stands, and when it was written.
#[derive(Debug)]
pub struct Letter {
    pub position: u64,
    pub time: Time,
    pub letter: DeadLetter,
}

/// A message that was given up.
#[derive(Clone, Copy, Debug)]
pub struct Dead<'a> {
    pub position: u64,
    /// One at least.
    pub letters: &'a [Letter],
    /// Where it came again.
    pub requeued: Option<u64>,
}

/// Prints entries.
#[derive(Debug)]
pub struct Printer {
    pub output: Output,
    format: Format,
    payload: bool,
    widths: (usize, usize),
    contents: Contents,
}

impl Printer {
    pub fn new(format: Format, payload: bool, names: &Names, contents: Contents) -> Printer {
        Printer { output: Output::new(), format, payload, widths: names.widths(), contents }
    }

    pub fn entry(&mut self, entry: &Entry<'_>, names: &Names) -> io::Result<()> {
        let line = match self.format {
            Format::Text => self.text(entry, names),
            Format::Json => self.json(entry, names)?,
        };
        self.output.line(&line)
    }

    fn text(&self, entry: &Entry<'_>, names: &Names) -> String {
        let Entry::Message { header, time, cause, origin, requeued, payload, .. } = *entry else {
            return self.part(entry);
        };
        let (source, message) = (names.source(header.source), names.message(header.message));
        let (wide, wider) = self.widths;
        let mut line = format!("{:>12}  ", header.position);
        line += &self.output.paint(Ink::Faint, &utc(time.as_nanos()));
        // Spaces outside of the colours, so that those do not count.
        let pad = " ".repeat(wider.saturating_sub(message.chars().count()));
        line += &format!("  {source:<wide$}  {}{pad}  {:>7} B", self.output.paint(Ink::Strong, &message), header.size);
        if cause != 0 {
            line += &self.output.paint(Ink::Faint, &format!("  by {cause}"));
        }
        if let Some(Origin { node, position, .. }) = origin {
            let node = if node.is_empty() { "somewhere".into() } else { clean(node) };
            line += &self.output.paint(Ink::Faint, &format!("  from {node} {position}"));
        }
        if let Some(position) = requeued {
            line += &self.output.paint(Ink::Faint, &format!("  requeued from {position}"));
        }
        match self.contents.read(header.message, payload, names) {
            Some(Ok(fields)) => line += &format!("  {fields}"),
            Some(Err(error)) => {
                line += &self.output.paint(Ink::Notice, &format!("  {}", clean(&error)));
            }
            None => {}
        }
        if self.payload {
            line += &dump(payload);
        }
        line
    }

    fn part(&self, entry: &Entry<'_>) -> String {
        match described(entry) {
            Some((span, name, what)) => {
                let ink = if crate::scan::is_damage(entry) { Ink::Alarm } else { Ink::Notice };
                self.span(ink, span, name, what)
            }
            None => "something that this version of rmsg does not know".to_owned(),
        }
    }

    fn span(&self, ink: Ink, Span { position, len }: Span, name: &str, what: &str) -> String {
        format!("{position:>12}  {}", self.output.paint(ink, &format!("{name}: {len} bytes, {what}")))
    }

    /// What lies behind the last entry.
    pub fn torn(&mut self, span: Span) -> io::Result<()> {
        let line = match self.format {
            Format::Text => self.span(Ink::Notice, span, "torn", UNFINISHED),
            Format::Json => part_line("torn", span)?,
        };
        self.output.line(&line)
    }

    fn json(&self, entry: &Entry<'_>, names: &Names) -> io::Result<String> {
        let Entry::Message { header, time, cause, origin, requeued, payload, .. } = *entry else {
            return match described(entry) {
                Some((span, kind, _)) => part_line(kind, span),
                None => json::line(&json::Unknown {}),
            };
        };
        json::line(&json::Message {
            position: header.position,
            time: utc(time.as_nanos()),
            source: header.source,
            source_name: names.known_source(header.source),
            message: header.message,
            message_name: names.known_message(header.message),
            size: header.size,
            cause: Some(cause).filter(|&cause| cause != 0),
            origin: origin.map(|Origin { node, incarnation, position, .. }| json::Origin {
                node: node.to_owned(),
                incarnation,
                position,
            }),
            requeued,
            contents: self.contents_of(header.message, payload, names)?,
        })
    }

    fn contents_of(&self, message: u16, payload: &[u8], names: &Names) -> io::Result<json::Contents> {
        let (fields, fields_error) = match self.contents.read(message, payload, names) {
            Some(Ok(fields)) => (Some(RawValue::from_string(fields)?), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let payload = self.payload.then(|| payload.iter().map(|byte| format!("{byte:02x}")).collect());
        Ok(json::Contents { fields, fields_error, payload })
    }

    /// A message that was given up, and what is known of that. `entry` is the message, if it is there.
    pub fn dead(&mut self, dead: &Dead<'_>, entry: Option<&Entry<'_>>, names: &Names) -> io::Result<()> {
        match self.format {
            Format::Text => {
                let first = &dead.letters[0].letter;
                let line = match entry {
                    Some(entry) => self.text(entry, names),
                    None => {
                        let (source, message) = (names.source(first.source), names.message(first.message));
                        format!("{:>12}  {source}  {message}  not there any more", dead.position)
                    }
                };
                self.output.line(&line)?;
                for letter in dead.letters {
                    self.output.line(&format!("{:14}{}", "", self.paint_letter(letter)))?;
                }
                if let Some(at) = dead.requeued {
                    self.output.line(&format!("{:14}requeued: it stands at {at}, too", ""))?;
                }
            }
            Format::Json => {
                for letter in dead.letters {
                    let line = self.dead_json(dead, letter, entry, names)?;
                    self.output.line(&line)?;
                }
            }
        }
        Ok(())
    }

    fn paint_letter(&self, Letter { position, letter, .. }: &Letter) -> String {
        let who = [("worker", &letter.worker), ("handler", &letter.handler)];
        let who = who.iter().filter(|(_, name)| !name.is_empty()).map(|(what, name)| format!("{what} {}", clean(name)));
        let how = match letter.attempts {
            0 => "undecodable".to_owned(),
            1 => "1 attempt".to_owned(),
            attempts => format!("{attempts} attempts"),
        };
        let who = who.chain([how]).collect::<Vec<_>>().join(", ");
        let text = self.output.paint(Ink::Notice, &clean(&letter.text));
        format!("dead by letter {position}: {who}: {text}")
    }

    fn dead_json(
        &self,
        dead: &Dead<'_>,
        Letter { position, time, letter }: &Letter,
        entry: Option<&Entry<'_>>,
        names: &Names,
    ) -> io::Result<String> {
        let (mut written, mut size, mut contents) = (None, None, json::Contents::default());
        if let Some(Entry::Message { header, time, payload, .. }) = entry {
            (written, size) = (Some(utc(time.as_nanos())), Some(header.size));
            contents = self.contents_of(header.message, payload, names)?;
        }
        json::line(&json::Dead {
            position: dead.position,
            source: letter.source,
            source_name: names.known_source(letter.source),
            message: letter.message,
            message_name: names.known_message(letter.message),
            worker: &letter.worker,
            handler: Some(&*letter.handler).filter(|name| !name.is_empty()),
            attempts: letter.attempts,
            text: &letter.text,
            letter: *position,
            died: utc(time.as_nanos()),
            requeued: dead.requeued,
            time: written,
            size,
            contents,
        })
    }
}

fn part_line(kind: &'static str, Span { position, len: length }: Span) -> io::Result<String> {
    json::line(&json::Part { kind, position, length })
}

/// What lies there that is no message: where, its name, and what that means.
pub fn described(entry: &Entry<'_>) -> Option<(Span, &'static str, &'static str)> {
    match *entry {
        Entry::Sealed(span) => Some((span, "sealed", "given up by its writer")),
        Entry::Hole(span) => Some((span, "hole", CLAIMED)),
        Entry::Damaged(span) => Some((span, "damaged", "not what was written")),
        Entry::Lagged(span) => Some((span, "gone", "given back by retention")),
        _ => None,
    }
}

/// The first bytes in hex and ASCII, in lines of sixteen.
fn dump(payload: &[u8]) -> String {
    let mut text = String::new();
    let shown = &payload[..payload.len().min(PREVIEW)];
    for (place, chunk) in shown.chunks(16).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let ascii: String =
            chunk.iter().map(|&byte| if matches!(byte, 0x20..=0x7e) { char::from(byte) } else { '.' }).collect();
        text += &format!("\n{:>18}  {:<47}  |{ascii}|", format!("{:04x}", place * 16), hex.join(" "));
    }
    if shown.len() < payload.len() {
        text += &format!("\n{:>18}  and {} more bytes", "", payload.len() - shown.len());
    }
    text
}

/// A time since 1970 as RFC 3339 has it, in UTC.
pub fn utc(nanos: u64) -> String {
    // So many nanoseconds end in 2554, timestamps in 9999.
    let time = Timestamp::UNIX_EPOCH + Duration::from_nanos(nanos);
    format!("{time:.9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // By `date -u -d @seconds`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (18_446_744_073, "2554-07-21T23:34:33"),
        ] {
            assert_eq!(utc(seconds * 1_000_000_000 + 7), format!("{expected}.000000007Z"));
        }
        assert_eq!(utc(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }

    #[test]
    fn a_dump_shows_the_beginning_and_says_how_much_is_left() {
        let text = dump(&[b'a'; 65]);
        assert_eq!(text.lines().count(), 6);
        assert!(text.ends_with("and 1 more bytes"), "{text}");
        assert_eq!(dump(&[]), "");
    }
}
