//! The lines of `--format json`: one object each, and the first thing in it is its kind.

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::value::RawValue;
use std::io::{self, Write};

/// Where a message comes from that was written elsewhere.
#[derive(Debug, Serialize)]
pub struct Origin {
    pub node: String,
    pub incarnation: u64,
    pub position: u64,
}

/// A message that was committed.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "message")]
pub struct Message {
    pub position: u64,
    pub time: String,
    pub source: u16,
    pub source_name: Option<String>,
    pub message: u16,
    pub message_name: Option<String>,
    pub size: u32,
    pub cause: Option<u64>,
    /// Where it comes from, if that is another node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Where it was dead, if it comes again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requeued: Option<u64>,
    #[serde(flatten)]
    pub contents: Contents,
}

/// What is in a message.
#[derive(Debug, Default, Serialize)]
pub struct Contents {
    /// What is in the payload, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Box<RawValue>>,
    /// Why the payload is not what it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields_error: Option<String>,
    /// In hex, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// A message that a worker gave up, as one letter says.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "dead")]
pub struct Dead<'a> {
    pub position: u64,
    pub source: u16,
    pub source_name: Option<String>,
    pub message: u16,
    pub message_name: Option<String>,
    pub worker: &'a str,
    /// `null` if it was not a handler that failed.
    pub handler: Option<&'a str>,
    pub attempts: u32,
    pub text: &'a str,
    /// Where the letter stands, and when it was written.
    pub letter: u64,
    pub died: String,
    /// Where it came again, if it was requeued.
    pub requeued: Option<u64>,
    /// When it was written; `null` if it is not there any more.
    pub time: Option<String>,
    pub size: Option<u32>,
    #[serde(flatten)]
    pub contents: Contents,
}

/// An entry that is no message, or what lies behind the last one.
#[derive(Debug, Serialize)]
pub struct Part {
    pub kind: &'static str,
    pub position: u64,
    pub length: u64,
}

/// An entry of a kind that only later versions know.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "unknown")]
pub struct Unknown {}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "info")]
pub struct Info<'a> {
    pub version: u64,
    pub crc: bool,
    pub created: String,
    pub file_length: u64,
    pub capacity: Option<u64>,
    pub first: u64,
    pub retained_from: u64,
    pub max_payload: u64,
    pub table: Option<Table<'a>>,
    pub damage: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "table")]
pub struct Table<'a> {
    pub name: &'a str,
    pub messages: Vec<TableMessage<'a>>,
    pub handlers: Vec<TableHandler<'a>>,
    pub workers: Vec<TableWorker>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "message")]
pub struct TableMessage<'a> {
    pub id: u16,
    pub name: &'a str,
    pub encoding: &'a str,
    pub size: Option<u64>,
    /// What its bytes mean, if the journal knows that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "handler")]
pub struct TableHandler<'a> {
    pub id: u16,
    pub name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "worker")]
pub struct TableWorker {
    pub name: String,
    pub members: Vec<TableMember>,
    pub routes: Vec<TableRoute>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "member")]
pub struct TableMember {
    pub name: String,
    pub id: u16,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "route")]
pub struct TableRoute {
    pub source: u16,
    pub message: u16,
    pub receivers: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "verified")]
pub struct Verified {
    pub is_damaged: bool,
    pub crc: bool,
    pub from: u64,
    pub to: u64,
    pub messages: u64,
    pub sealed: u64,
    pub holes: u64,
    pub damaged: u64,
    pub damaged_bytes: u64,
    pub torn_bytes: u64,
    pub missing: u64,
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "checked")]
pub struct Checked<'a> {
    pub fits: bool,
    pub contradictions: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "cursor")]
pub struct Cursor<'a> {
    pub name: &'a str,
    pub position: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "ring")]
pub struct Ring<'a> {
    pub capacity: u64,
    pub one_writer: bool,
    pub tail: u64,
    pub gate: u64,
    pub messages: u64,
    pub bytes: u64,
    /// Of these two a second; only `rmsg top` knows them, as all that is called so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<f64>,
    pub full: u64,
    pub sealed: u64,
    /// Who holds the lock: an index of `processes`, as all that is called `process`.
    pub lock: Option<usize>,
    pub processes: Vec<RingProcess<'a>>,
    pub readers: Vec<RingReader<'a>>,
    pub writers: Vec<RingWriter>,
    pub handlers: Vec<TableHandler<'a>>,
    pub message_names: Vec<RingMessage<'a>>,
}

/// What an id of a message means.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "message")]
pub struct RingMessage<'a> {
    pub id: u16,
    pub name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "process")]
pub struct RingProcess<'a> {
    pub pid: Option<u32>,
    pub program: &'a str,
    pub alive: bool,
    pub paused: bool,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "reader")]
pub struct RingReader<'a> {
    pub name: &'a str,
    pub process: usize,
    pub position: u64,
    pub lag: u64,
    pub lag_messages: u64,
    pub handled: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    pub losses: u64,
    pub asleep: bool,
    pub evictable: bool,
    pub held: bool,
    pub outbox: u64,
    pub outbox_high_water: u64,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "writer")]
pub struct RingWriter {
    pub process: usize,
    pub worker: bool,
    pub messages: u64,
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
}

/// What a dead process held and no longer holds, or still does.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename = "healed")]
pub struct Healed<'a> {
    pub pid: Option<u32>,
    pub program: &'a str,
    pub readers: Vec<&'a str>,
    pub writers: usize,
    pub lock: bool,
    /// Something of it is left, as it may be that of somebody who is alive.
    pub is_left: bool,
}

/// One of these as JSON.
pub fn line(object: &impl Serialize) -> io::Result<String> {
    let mut line = Vec::new();
    object.serialize(&mut Serializer::with_formatter(&mut line, Plain))?;
    String::from_utf8(line).map_err(io::Error::other)
}

/// Compact, and without control characters. JSON has those beyond ASCII as they are, but names are anybody's and lines
/// are shown on terminals.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(char::is_control) {
            let (clean, from) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, clean)?;
            let mut chars = from.chars();
            if let Some(control) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(control))?;
            }
            rest = chars.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_is_printed_as_it_is() {
        let cursor = Cursor { name: "a\"\\\n\u{1b}\u{7f}\u{9b}\u{e9}", position: Some(u64::MAX) };
        let expected = r#"{"kind":"cursor","name":"a\"\\\n\u001b\u007f\u009b#","position":18446744073709551615}"#;
        assert_eq!(line(&cursor).unwrap(), expected.replace('#', "\u{e9}"));
    }

    #[test]
    fn what_is_not_known_is_null_and_what_was_not_asked_for_is_left_out() {
        assert_eq!(
            line(&Cursor { name: "", position: None }).unwrap(),
            r#"{"kind":"cursor","name":"","position":null}"#
        );
        assert_eq!(line(&Unknown {}).unwrap(), r#"{"kind":"unknown"}"#);
    }
}
