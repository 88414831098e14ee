//! The header of a message in a stream: who sent it, where it stands there, and what its bytes are.
//!
//! One header line says it all, its fields separated by single spaces. Each value has one way to be written, so a line
//! that is read and written again is the same line.

use super::subject::{escape, unescape};
use rust_messenger::traits::Layout;
use std::fmt;

/// The name of the header of a message.
pub const MESSAGE: &str = "Rm-Message";
/// The name of the header of a hello.
pub const HELLO: &str = "Rm-Hello";
/// The version of both, their first field.
pub const VERSION: u16 = 1;
/// Positions are less than that: a journal keeps one of elsewhere in 55 bits, without the lowest four, which are zero.
pub const MAX_POSITION: u64 = 1 << 59;

/// What a node's bus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A journal: its messages outlive the process, and so do its positions.
    Journal,
    /// A ring: each start of its process is another incarnation.
    Ring,
}

/// Whose a message is: an incarnation of a node's bus, and a start of its bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// What the bus is.
    pub kind: Kind,
    /// The journal's id; on a ring, random for each start. Positions grow within an incarnation.
    pub incarnation: u64,
    /// Random for each start of the bridge.
    pub bridge: u64,
}

/// In which order the words of a machine's memory are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The lowest byte first.
    Little,
    /// The highest byte first.
    Big,
}

impl ByteOrder {
    /// Of this machine.
    pub const HERE: ByteOrder = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
}

/// How a message became bytes, as far as the other side can notice a difference: a [`Layout`], with a hash for its
/// shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayoutTag {
    /// Of the sender's machine. Messages that are plain memory have it.
    pub order: ByteOrder,
    /// The size in bytes if every message has the same; or 0.
    pub size: u64,
    /// The alignment in bytes if readers read it in place; or 0.
    pub align: u64,
    /// FNV-1a of 64 bits of the shape's text; `None` if there is none, or if not all in it is known.
    pub shape: Option<u64>,
    /// The name of the codec; empty if unknown.
    pub codec: String,
}

impl LayoutTag {
    /// Of a layout on this machine. Makes the text of its shape: not for each message.
    pub fn of(layout: &Layout) -> LayoutTag {
        // A `?` in a shape is what is not known. One in a quoted name makes it unknown, too, and that is no harm.
        let shape = layout.shape.map(|shape| shape()).filter(|text| !text.contains('?'));
        LayoutTag {
            order: ByteOrder::HERE,
            size: layout.size as u64,
            align: layout.align as u64,
            shape: shape.map(|text| fnv(text.as_bytes())),
            codec: layout.codec.to_owned(),
        }
    }

    /// Whether bytes of the one can be read as the other. What is not known contradicts nothing; the order of bytes
    /// matters to plain memory alone.
    pub fn agrees(&self, other: &LayoutTag) -> bool {
        let same_shape = match (self.shape, other.shape) {
            (Some(here), Some(there)) => here == there,
            _ => true,
        };
        let is_plain = self.align != 0 || other.align != 0;
        same_shape
            && (self.codec == other.codec || self.codec.is_empty() || other.codec.is_empty())
            && (self.size, self.align) == (other.size, other.align)
            && (!is_plain || self.order == other.order)
    }
}

impl fmt::Display for LayoutTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = Value::default();
        value.layout(self);
        f.write_str(&value.0)
    }
}

/// FNV-1a of 64 bits, as in a journal's table.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
}

/// What stands in the header of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageHead {
    /// Whose it is.
    pub origin: Origin,
    /// Where it stands on the sender's bus: a multiple of 16, less than [`MAX_POSITION`].
    pub position: u64,
    /// The position of the message before it in the stream, of this incarnation; `None` for its first one there. With it
    /// a receiver knows that nothing is missing between the two, whatever has become of the stream's sequences.
    pub previous: Option<u64>,
    /// When it was written there, in nanoseconds since 1970-01-01 UTC; `None` on a bus that records no times.
    pub time: Option<u64>,
    /// The position of the message during whose handling it was sent; `None` if there was none, or none is recorded.
    pub cause: Option<u64>,
    /// The id of the handler that sent it.
    pub source: u16,
    /// The id of the message.
    pub message: u16,
    /// How it became bytes.
    pub layout: LayoutTag,
}

/// What a bridge publishes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// Whose it is.
    pub origin: Origin,
    /// The bridge goes on with the first message after this position of this incarnation; `None`: with the first one
    /// that it has.
    pub after: Option<u64>,
    /// When it was said, in nanoseconds since 1970-01-01 UTC.
    pub time: u64,
    /// What the stream ended with; `None` if there was nothing in it.
    pub before: Option<Reached>,
}

/// How far an incarnation has come in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reached {
    /// It.
    pub incarnation: u64,
    /// The position of its last message there; `None` if there is only its hello.
    pub position: Option<u64>,
}

/// What the header of a message in a stream says.
///
/// ```
/// use rust_messenger_nats::protocol::{Entry, Hello, Kind, Origin};
///
/// let origin = Origin { kind: Kind::Journal, incarnation: 0xabc, bridge: 7 };
/// let hello = Entry::Hello(Hello { origin, after: Some(8192), time: 5, before: None });
/// let (name, value) = hello.to_header();
/// assert_eq!((name, value.as_str()), ("Rm-Hello", "1 j 0000000000000abc 0000000000000007 8192 5 - -"));
/// assert_eq!(Entry::from_headers([(name, value.as_str())]), Ok(hello));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A message of the node's bus.
    Message(MessageHead),
    /// A bridge began.
    Hello(Hello),
}

impl Entry {
    /// Whose it is.
    pub fn origin(&self) -> Origin {
        match self {
            Entry::Message(head) => head.origin,
            Entry::Hello(hello) => hello.origin,
        }
    }

    /// How far its incarnation has come with it.
    pub fn reached(&self) -> Reached {
        let position = match self {
            Entry::Message(head) => Some(head.position),
            Entry::Hello(hello) => hello.after,
        };
        Reached { incarnation: self.origin().incarnation, position }
    }

    /// The header's name and value.
    pub fn to_header(&self) -> (&'static str, String) {
        let mut value = Value(String::with_capacity(ROOM));
        value.decimal(VERSION.into());
        let Origin { kind, incarnation, bridge } = self.origin();
        value.word(if kind == Kind::Journal { "j" } else { "r" });
        value.hex(incarnation);
        value.hex(bridge);
        let name = match self {
            Entry::Message(head) => {
                value.decimal(head.position);
                for number in [head.previous, head.time, head.cause] {
                    value.optional(number);
                }
                value.decimal(head.source.into());
                value.decimal(head.message.into());
                value.layout(&head.layout);
                MESSAGE
            }
            Entry::Hello(hello) => {
                value.optional(hello.after);
                value.decimal(hello.time);
                match hello.before {
                    Some(before) => value.hex(before.incarnation),
                    None => value.word("-"),
                }
                value.optional(hello.before.and_then(|before| before.position));
                HELLO
            }
        };
        (name, value.0)
    }

    /// Reads the headers of a message, whose names may be in any order. Others are passed over: the server and whoever
    /// comes later have theirs.
    ///
    /// # Errors
    ///
    /// [`EntryError`].
    pub fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Entry, EntryError> {
        let mut found = None;
        for (name, value) in headers {
            if name != MESSAGE && name != HELLO {
                continue;
            }
            if found.replace((name, value)).is_some() {
                return Err(EntryError::Several);
            }
        }
        match found {
            Some((HELLO, value)) => read_hello(value),
            Some((_, value)) => read_message(value),
            None => Err(EntryError::Missing),
        }
    }
}

/// What a value takes whose numbers and names are as long as most are.
const ROOM: usize = 192;

/// The value of a header as it is written, field by field. Each message has one, and what formats any number in any way
/// takes longer than all else that is done for it.
#[derive(Default)]
struct Value(String);

impl Value {
    fn word(&mut self, word: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
    }

    fn decimal(&mut self, mut number: u64) {
        let (mut digits, mut first) = ([b'0'; 20], 20);
        loop {
            first -= 1;
            digits[first] += (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.digits(&digits[first..]);
    }

    fn hex(&mut self, number: u64) {
        let digit = |place: u32| b"0123456789abcdef"[(number >> (60 - 4 * place)) as usize & 15];
        let mut digits = [0; 16];
        (0..).zip(&mut digits).for_each(|(place, byte)| *byte = digit(place));
        self.digits(&digits);
    }

    fn digits(&mut self, digits: &[u8]) {
        // Digits are text.
        self.word(str::from_utf8(digits).unwrap_or_default());
    }

    fn optional(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.decimal(number),
            None => self.word("-"),
        }
    }

    fn layout(&mut self, layout: &LayoutTag) {
        self.word(if layout.order == ByteOrder::Little { "le" } else { "be" });
        self.decimal(layout.size);
        self.decimal(layout.align);
        match layout.shape {
            Some(shape) => self.hex(shape),
            None => self.word("-"),
        }
        self.word(&escape(&layout.codec));
    }
}

/// The number of a text that has digits alone, at least one of them.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit.into()) }
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, digit) }
}

/// The number of sixteen lower-case digits.
fn hexadecimal(text: &[u8]) -> Option<u64> {
    let digit = |number: u64, byte: &u8| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    };
    if text.len() == 16 { text.iter().try_fold(0, digit) } else { None }
}

fn read_message(value: &str) -> Result<Entry, EntryError> {
    let mut fields = Fields::new(value)?;
    let origin = fields.origin()?;
    let position = fields.position("position")?;
    let previous = fields.optional(|fields| fields.position("previous"))?;
    let time = fields.optional(|fields| fields.number("time"))?;
    let cause = fields.optional(|fields| fields.position("cause"))?;
    let source = fields.number("source")?;
    let message = fields.number("message")?;
    let layout = fields.layout()?;
    fields.end()?;
    // A word for the cause that is 0 says that there is none.
    if cause == Some(0) || cause.is_some_and(|cause| cause >= position) {
        return Err(EntryError::Field("cause"));
    }
    if previous.is_some_and(|previous| previous >= position) {
        return Err(EntryError::Field("previous"));
    }
    Ok(Entry::Message(MessageHead { origin, position, previous, time, cause, source, message, layout }))
}

fn read_hello(value: &str) -> Result<Entry, EntryError> {
    let mut fields = Fields::new(value)?;
    let origin = fields.origin()?;
    let after = fields.optional(|fields| fields.position("after"))?;
    let time = fields.number("time")?;
    let incarnation = fields.optional(|fields| fields.hex("before"))?;
    let position = fields.optional(|fields| fields.position("before"))?;
    fields.end()?;
    if incarnation.is_none() && position.is_some() {
        return Err(EntryError::Field("before"));
    }
    let before = incarnation.map(|incarnation| Reached { incarnation, position });
    Ok(Entry::Hello(Hello { origin, after, time, before }))
}

/// The fields of a value from left to right.
struct Fields<'a> {
    rest: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// Reads the version.
    fn new(value: &'a str) -> Result<Fields<'a>, EntryError> {
        let mut fields = Fields { rest: Some(value) };
        match fields.number("version")? {
            VERSION => Ok(fields),
            other => Err(EntryError::Version(other)),
        }
    }

    /// The next field, and what follows it. A field is short: what is made to find a byte in a long text takes longer.
    fn split(rest: &'a str) -> (&'a str, Option<&'a str>) {
        match rest.bytes().position(|byte| byte == b' ') {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        }
    }

    fn next(&mut self, name: &'static str) -> Result<&'a str, EntryError> {
        let (field, rest) = Fields::split(self.rest.ok_or(EntryError::Field(name))?);
        self.rest = rest;
        Ok(field)
    }

    /// Decimal, in its only form: no sign, no zeros in front.
    fn number<N: TryFrom<u64>>(&mut self, name: &'static str) -> Result<N, EntryError> {
        let field = self.next(name)?;
        let is_canonical = field == "0" || !field.starts_with('0');
        let number = decimal(field.as_bytes()).filter(|_| is_canonical);
        number.and_then(|number| N::try_from(number).ok()).ok_or(EntryError::Field(name))
    }

    /// Sixteen lower-case digits.
    fn hex(&mut self, name: &'static str) -> Result<u64, EntryError> {
        hexadecimal(self.next(name)?.as_bytes()).ok_or(EntryError::Field(name))
    }

    fn position(&mut self, name: &'static str) -> Result<u64, EntryError> {
        let position: u64 = self.number(name)?;
        let is_one = position < MAX_POSITION && position.is_multiple_of(16);
        is_one.then_some(position).ok_or(EntryError::Field(name))
    }

    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, EntryError>) -> Result<Option<T>, EntryError> {
        match self.rest.map(Fields::split) {
            Some(("-", rest)) => {
                self.rest = rest;
                Ok(None)
            }
            _ => read(self).map(Some),
        }
    }

    fn origin(&mut self) -> Result<Origin, EntryError> {
        let kind = match self.next("kind")? {
            "j" => Kind::Journal,
            "r" => Kind::Ring,
            _ => return Err(EntryError::Field("kind")),
        };
        Ok(Origin { kind, incarnation: self.hex("incarnation")?, bridge: self.hex("bridge")? })
    }

    fn layout(&mut self) -> Result<LayoutTag, EntryError> {
        let order = match self.next("order")? {
            "le" => ByteOrder::Little,
            "be" => ByteOrder::Big,
            _ => return Err(EntryError::Field("order")),
        };
        let (size, align) = (self.number("size")?, self.number("align")?);
        let shape = self.optional(|fields| fields.hex("shape"))?;
        let codec = unescape(self.next("codec")?).ok_or(EntryError::Field("codec"))?;
        Ok(LayoutTag { order, size, align, shape, codec })
    }

    fn end(&self) -> Result<(), EntryError> {
        if self.rest.is_some() { Err(EntryError::Field("end")) } else { Ok(()) }
    }
}

/// Why the headers of a message are none of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryError {
    /// There is neither a [`MESSAGE`] nor a [`HELLO`].
    Missing,
    /// There is more than one of them.
    Several,
    /// A version that this one does not know.
    Version(u16),
    /// A field that is missing, or says something impossible; `end` for what stands behind the last one.
    Field(&'static str),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryError::Missing => write!(f, "neither {MESSAGE} nor {HELLO} is in the headers"),
            EntryError::Several => write!(f, "more than one {MESSAGE} or {HELLO} is in the headers"),
            EntryError::Version(version) => write!(f, "version {version} of the headers, and this is {VERSION}"),
            EntryError::Field(field) => write!(f, "the field {field} of the header makes no sense"),
        }
    }
}

impl std::error::Error for EntryError {}
