//! What the bytes of a message mean, as text: its **shape**. A journal keeps it, compares it, and tools read by it.
//!
//! ```text
//! shape   = word                                       u8 .. u128, i8 .. i128, f32, f64, bool, char, str, bytes
//!         | "option<" shape ">" | "list<" shape ">" | "map<" shape ", " shape ">"
//!         | "[" shape "; " count "]"                   so many of one shape, behind each other
//!         | "(" shape ", " .. ")"                      fields behind each other
//!         | "{" name [ "@" offset ] ": " shape ", " .. "}"
//!         | "message<" number " " shape ", " .. ">"     fields that are known by their numbers, in any order
//!         | "enum<" name [ " " shape ] ", " .. ">"
//!         | "^" levels                                 what stands so many levels further out: a type in itself
//!         | "?"                                        not known
//! ```
//!
//! A type in itself counts levels by what has brackets. A `?` in the place of the last field, or of the last variant,
//! says that more may follow. Names are those of fields and variants; types have none. A name is quoted unless it is a
//! word, and `_` if it is not known.

use std::fmt;

/// What bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Unknown,
    /// A number, a text, or whatever else is one piece.
    Word(String),
    Option(Box<Shape>),
    List(Box<Shape>),
    Map(Box<[Shape; 2]>),
    Array(Box<Shape>, u64),
    Fields(Fields),
    /// Fields by their numbers.
    Message(Vec<(u32, Shape)>),
    Enum(Variants),
    /// So many levels further out.
    Up(usize),
}

/// Fields behind each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) list: Vec<Field>,
    /// Whether they have names.
    pub(crate) named: bool,
    /// Whether more may follow that are not known.
    pub(crate) open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// `None`: not known, or the field has none.
    pub(crate) name: Option<String>,
    /// Where it begins, if that does not follow from those before it.
    pub(crate) offset: Option<u64>,
    pub(crate) shape: Shape,
}

/// The variants of an enum, by their index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variants {
    /// The name, if known, and what it holds.
    pub(crate) list: Vec<(Option<String>, Option<Shape>)>,
    pub(crate) open: bool,
}

impl Shape {
    pub(crate) fn word(word: &str) -> Shape {
        Shape::Word(word.to_owned())
    }

    /// Nothing: no bytes.
    pub(crate) fn unit() -> Shape {
        Shape::Fields(Fields::default())
    }

    /// Whether there is nothing in it that is not known.
    #[cfg(unix)]
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Shape::Unknown => false,
            Shape::Word(_) | Shape::Up(_) => true,
            Shape::Option(inner) | Shape::List(inner) | Shape::Array(inner, _) => inner.is_complete(),
            Shape::Map(pair) => pair.iter().all(Shape::is_complete),
            Shape::Fields(fields) => !fields.open && fields.list.iter().all(|field| field.shape.is_complete()),
            Shape::Message(fields) => fields.iter().all(|(_, shape)| shape.is_complete()),
            Shape::Enum(variants) => {
                let mut held = variants.list.iter().filter_map(|(_, shape)| shape.as_ref());
                !variants.open && held.all(Shape::is_complete)
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------------------- as text

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Unknown => f.write_str("?"),
            Shape::Word(word) => f.write_str(word),
            Shape::Option(inner) => write!(f, "option<{inner}>"),
            Shape::List(inner) => write!(f, "list<{inner}>"),
            Shape::Map(pair) => write!(f, "map<{}, {}>", pair[0], pair[1]),
            Shape::Array(inner, count) => write!(f, "[{inner}; {count}]"),
            Shape::Fields(fields) => write!(f, "{fields}"),
            Shape::Message(fields) => {
                f.write_str("message<")?;
                for (place, (number, shape)) in fields.iter().enumerate() {
                    comma(f, place)?;
                    write!(f, "{number} {shape}")?;
                }
                f.write_str(">")
            }
            Shape::Enum(variants) => write!(f, "{variants}"),
            Shape::Up(levels) => write!(f, "^{levels}"),
        }
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.named { "{" } else { "(" })?;
        for (place, Field { name, offset, shape }) in self.list.iter().enumerate() {
            comma(f, place)?;
            if self.named {
                write_name(f, name.as_deref())?;
                if let Some(offset) = offset {
                    write!(f, "@{offset}")?;
                }
                f.write_str(": ")?;
            }
            write!(f, "{shape}")?;
        }
        rest(f, self.open, self.list.len())?;
        f.write_str(if self.named { "}" } else { ")" })
    }
}

impl fmt::Display for Variants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("enum<")?;
        for (place, (name, shape)) in self.list.iter().enumerate() {
            comma(f, place)?;
            write_name(f, name.as_deref())?;
            if let Some(shape) = shape {
                write!(f, " {shape}")?;
            }
        }
        rest(f, self.open, self.list.len())?;
        f.write_str(">")
    }
}

fn comma(f: &mut fmt::Formatter<'_>, place: usize) -> fmt::Result {
    if place == 0 { Ok(()) } else { f.write_str(", ") }
}

fn rest(f: &mut fmt::Formatter<'_>, open: bool, place: usize) -> fmt::Result {
    if !open {
        return Ok(());
    }
    comma(f, place)?;
    f.write_str("?")
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text != "_" && text.chars().all(is_part_of_word)
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn write_name(f: &mut fmt::Formatter<'_>, name: Option<&str>) -> fmt::Result {
    match name {
        None => f.write_str("_"),
        Some(name) if is_word(name) => f.write_str(name),
        Some(name) => write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

// ----------------------------------------------------------------------------------------------------------- from text

/// Deeper ones are not read: whoever reads them recurs.
const DEPTH: usize = 128;

/// What a text says, if it is a shape.
#[cfg(unix)]
pub(crate) fn parse(text: &str) -> Option<Shape> {
    let mut parser = Parser { rest: text, levels: 0 };
    let shape = parser.shape()?;
    parser.rest.is_empty().then_some(shape)
}

#[cfg(unix)]
struct Parser<'a> {
    rest: &'a str,
    /// How many brackets are open that a type in itself counts.
    levels: usize,
}

#[cfg(unix)]
impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.eat(token).then_some(())
    }

    fn word(&mut self) -> Option<&'a str> {
        let (word, rest) = self.rest.split_at(self.rest.find(|c| !is_part_of_word(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        Some(word).filter(|word| !word.is_empty())
    }

    fn number<N: std::str::FromStr>(&mut self) -> Option<N> {
        self.word()?.parse().ok()
    }

    fn name(&mut self) -> Option<Option<String>> {
        if !self.eat("\"") {
            return self.word().map(|word| Some(word.to_owned()).filter(|word| word != "_"));
        }
        let mut name = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => name.push(chars.next()?),
                other => name.push(other),
            }
        }
        self.rest = chars.as_str();
        Some(Some(name))
    }

    fn shape(&mut self) -> Option<Shape> {
        if self.eat("?") {
            return Some(Shape::Unknown);
        }
        if self.eat("^") {
            return self.number().filter(|&up| up != 0 && up <= self.levels).map(Shape::Up);
        }
        self.levels += 1;
        if self.levels > DEPTH {
            return None;
        }
        let shape = self.with_brackets();
        self.levels -= 1;
        match shape? {
            Some(shape) => Some(shape),
            None => self.word().map(Shape::word),
        }
    }

    /// `Some(None)` if none begins here.
    fn with_brackets(&mut self) -> Option<Option<Shape>> {
        let shape = if self.eat("option<") {
            Shape::Option(Box::new(self.shape()?))
        } else if self.eat("list<") {
            Shape::List(Box::new(self.shape()?))
        } else if self.eat("map<") {
            let key = self.shape()?;
            self.expect(", ")?;
            Shape::Map(Box::new([key, self.shape()?]))
        } else if self.eat("enum<") {
            return self.variants().map(Some);
        } else if self.eat("message<") {
            let mut fields = Vec::new();
            self.list(">", |parser| {
                let number = parser.number()?;
                parser.expect(" ")?;
                fields.push((number, parser.shape()?));
                Some(())
            })?;
            return Some(Some(Shape::Message(fields)));
        } else if self.eat("(") {
            return self.fields(false, ")").map(Some);
        } else if self.eat("{") {
            return self.fields(true, "}").map(Some);
        } else if self.eat("[") {
            let inner = Box::new(self.shape()?);
            self.expect("; ")?;
            let count = self.number()?;
            self.expect("]")?;
            return Some(Some(Shape::Array(inner, count)));
        } else {
            return Some(None);
        };
        self.expect(">")?;
        Some(Some(shape))
    }

    /// Things with commas between them, and whether more may follow.
    fn list(&mut self, end: &str, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<bool> {
        let (mut first, open_end) = (true, format!("?{end}"));
        while !self.eat(end) {
            if !std::mem::take(&mut first) {
                self.expect(", ")?;
            }
            if self.eat(&open_end) {
                return Some(true);
            }
            item(self)?;
        }
        Some(false)
    }

    fn fields(&mut self, named: bool, end: &str) -> Option<Shape> {
        let mut list = Vec::new();
        let open = self.list(end, |parser| {
            let mut field = Field { name: None, offset: None, shape: Shape::Unknown };
            if named {
                field.name = parser.name()?;
                if parser.eat("@") {
                    field.offset = Some(parser.number()?);
                }
                parser.expect(": ")?;
            }
            field.shape = parser.shape()?;
            list.push(field);
            Some(())
        })?;
        Some(Shape::Fields(Fields { list, named, open }))
    }

    fn variants(&mut self) -> Option<Shape> {
        let mut list = Vec::new();
        let open = self.list(">", |parser| {
            let name = parser.name()?;
            let shape = if parser.eat(" ") { Some(parser.shape()?) } else { None };
            list.push((name, shape));
            Some(())
        })?;
        Some(Shape::Enum(Variants { list, open }))
    }
}

// ------------------------------------------------------------------------------------------------------------ compared

/// Whether what was written in one shape is read right in the other: `Err` says where it first is not.
///
/// Texts that are no shapes are compared as they are.
///
/// # Errors
///
/// Where they differ: a path of fields, and what stands there in either.
#[cfg(unix)]
pub(crate) fn compare(codec: &str, written: &str, read: &str) -> Result<(), Difference> {
    match (parse(written), parse(read)) {
        (Some(Shape::Unknown), _) | (_, Some(Shape::Unknown)) => Ok(()),
        (Some(old), Some(new)) => Rules { varint: codec == "postcard" }.compare(&old, &new),
        _ if written == read => Ok(()),
        _ => Err(Difference { at: String::new(), written: written.to_owned(), read: read.to_owned() }),
    }
}

/// Where two shapes differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The fields that lead there; empty for the whole.
    pub(crate) at: String,
    pub(crate) written: String,
    pub(crate) read: String,
}

impl Difference {
    fn within(mut self, name: &str) -> Difference {
        let dot = if self.at.is_empty() { "" } else { "." };
        self.at = format!("{name}{dot}{}", self.at);
        self
    }
}

/// What an encoding lets pass.
#[cfg(unix)]
#[derive(Clone, Copy)]
struct Rules {
    /// Integers of 16 bits and more have as many bytes as they need, and a larger one reads a smaller one's.
    varint: bool,
}

#[cfg(unix)]
impl Rules {
    fn compare(self, old: &Shape, new: &Shape) -> Result<(), Difference> {
        let differ = || Err(Difference { at: String::new(), written: old.to_string(), read: new.to_string() });
        match (old, new) {
            (Shape::Unknown, _) | (_, Shape::Unknown) => Ok(()),
            (Shape::Word(a), Shape::Word(b)) if a == b || self.varint && is_wider(a, b) => Ok(()),
            (Shape::Option(a), Shape::Option(b)) => self.compare(a, b).map_err(|there| there.within("some")),
            (Shape::List(a), Shape::List(b)) => self.compare(a, b).map_err(|there| there.within("each")),
            (Shape::Map(a), Shape::Map(b)) => {
                self.compare(&a[0], &b[0]).map_err(|there| there.within("key"))?;
                self.compare(&a[1], &b[1]).map_err(|there| there.within("value"))
            }
            (Shape::Array(a, m), Shape::Array(b, n)) if m == n => {
                self.compare(a, b).map_err(|there| there.within("each"))
            }
            // An array of which one place is no longer like the others, or not known.
            (Shape::Array(each, count), Shape::Fields(fields)) if fits(fields, *count) => {
                fields.list.iter().try_for_each(|field| self.compare(each, &field.shape)).or_else(|_| differ())
            }
            (Shape::Fields(fields), Shape::Array(each, count)) if fits(fields, *count) => {
                fields.list.iter().try_for_each(|field| self.compare(&field.shape, each)).or_else(|_| differ())
            }
            (Shape::Message(a), Shape::Message(b)) => {
                a.iter().try_for_each(|(number, old)| match b.iter().find(|(other, _)| other == number) {
                    Some((_, new)) => self.compare(old, new).map_err(|there| there.within(&number.to_string())),
                    None => Ok(()),
                })
            }
            (Shape::Fields(a), Shape::Fields(b)) => self.compare_fields(a, b).unwrap_or_else(differ),
            (Shape::Enum(a), Shape::Enum(b)) => self.compare_variants(a, b).unwrap_or_else(differ),
            (Shape::Up(a), Shape::Up(b)) if a == b => Ok(()),
            // One is written out further than the other: whether they are alike, nobody can tell here.
            (Shape::Up(_), _) | (_, Shape::Up(_)) => Ok(()),
            _ => differ(),
        }
    }

    /// `None`: they differ as a whole.
    fn compare_fields(self, old: &Fields, new: &Fields) -> Option<Result<(), Difference>> {
        let is_alike = |shorter: &Fields, longer: &Fields| shorter.open || shorter.list.len() >= longer.list.len();
        if !is_alike(old, new) || !is_alike(new, old) {
            return None;
        }
        for (place, (a, b)) in old.list.iter().zip(&new.list).enumerate() {
            let names_differ = matches!((&a.name, &b.name), (Some(a), Some(b)) if a != b);
            if names_differ || a.offset != b.offset {
                return None;
            }
            if let Err(there) = self.compare(&a.shape, &b.shape) {
                return Some(Err(there.within(&label(a, place))));
            }
        }
        Some(Ok(()))
    }

    fn compare_variants(self, old: &Variants, new: &Variants) -> Option<Result<(), Difference>> {
        // There may be more than there were: they come behind the others.
        if !new.open && new.list.len() < old.list.len() {
            return None;
        }
        for (place, ((a, held), (b, holds))) in old.list.iter().zip(&new.list).enumerate() {
            if matches!((a, b), (Some(a), Some(b)) if a != b) {
                return None;
            }
            let unit = Shape::unit();
            let (held, holds) = (held.as_ref().unwrap_or(&unit), holds.as_ref().unwrap_or(&unit));
            if let Err(there) = self.compare(held, holds) {
                return Some(Err(there.within(a.as_deref().unwrap_or(&place.to_string()))));
            }
        }
        Some(Ok(()))
    }
}

#[cfg(unix)]
fn fits(fields: &Fields, count: u64) -> bool {
    let known = fields.list.len() as u64;
    known == count || fields.open && known < count
}

#[cfg(unix)]
fn label(field: &Field, place: usize) -> String {
    field.name.clone().unwrap_or_else(|| place.to_string())
}

/// Whether a varint of `read` reads all of `written`. A byte is no varint.
#[cfg(unix)]
fn is_wider(written: &str, read: &str) -> bool {
    let varints = |word: &str| {
        let (sign, bits) = word.split_at_checked(1)?;
        let bits: u32 = bits.parse().ok()?;
        (matches!(sign, "u" | "i") && matches!(bits, 16 | 32 | 64 | 128)).then(|| (sign.to_owned(), bits))
    };
    matches!((varints(written), varints(read)), (Some((a, m)), Some((b, n))) if a == b && m <= n)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_shape_comes_back_from_its_text() {
        for text in [
            "?",
            "u32",
            "()",
            "{}",
            "(?)",
            "{?}",
            "(u8, str)",
            "{price: u64, \"a \\\"b\\\\\": option<list<bytes>>, _: map<str, [f64; 3]>, ?}",
            "{price@0: u64, side@8: [?; 4]}",
            "enum<Buy, Sell u32, Both (u8, i8), _ {x: char}, ?>",
            "enum<>",
            "message<>",
            "message<1 uint64, 7 list<message<1 map<string, ?>>>>",
            "{next: option<^2>, all: list<(^2, bool)>}",
        ] {
            let shape = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(shape.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_shape_is_none_and_depth_ends() {
        for text in
            ["", " u8", "u8 ", "list<u8", "{price u64}", "^0", "^1", "list<^2>", "[u8; x]", "(u8,u8)", "\"", "{\"a"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let nested = |depth: usize| format!("{}u8{}", "list<".repeat(depth), ">".repeat(depth));
        assert!(parse(&nested(DEPTH - 1)).is_some());
        assert_eq!(parse(&nested(DEPTH)), None);
        assert_eq!(parse(&nested(1 << 20)), None);
    }

    #[test]
    fn what_is_complete_has_no_question_in_it() {
        for (text, complete) in [
            ("{a: u8, b: enum<A, B list<u8>>}", true),
            ("?", false),
            ("{a: u8, ?}", false),
            ("map<str, enum<A ?>>", false),
            ("[(u8, ?); 2]", false),
            ("enum<A, ?>", false),
            ("option<^1>", true),
        ] {
            assert_eq!(parse(text).unwrap().is_complete(), complete, "{text}");
        }
    }

    /// What is written left is read right, or is not.
    #[test]
    fn what_is_not_read_right_differs() {
        let same = |codec, old, new| assert_eq!(compare(codec, old, new), Ok(()), "{codec}: {old} as {new}");
        let differs = |codec, old, new, at: &str| match compare(codec, old, new) {
            Err(there) => assert_eq!(there.at, at, "{codec}: {old} as {new}"),
            Ok(()) => panic!("{codec}: {old} as {new}"),
        };
        for codec in ["postcard", "bincode", "plain memory", "mine"] {
            same(codec, "{a: u8}", "{a: u8}");
            differs(codec, "{a: u8}", "{a: u8, b: u8}", "");
            differs(codec, "{a: u8, b: u8}", "{a: u8}", "");
            differs(codec, "{a: u32}", "{a: i32}", "a");
            differs(codec, "{a: u8}", "{a: u16}", "a");
            differs(codec, "{a: u32, b: u32}", "{b: u32, a: u32}", "");
            differs(codec, "{a: u32}", "{b: u32}", "");
            differs(codec, "{l: list<{p: option<f32>}>}", "{l: list<{p: option<f64>}>}", "l.each.p.some");
            differs(codec, "map<str, u8>", "map<u8, u8>", "key");
            differs(codec, "map<str, u8>", "map<str, i8>", "value");
            differs(codec, "[u8; 3]", "[u8; 4]", "");
            differs(codec, "{a@0: u8, b@4: u32}", "{a@0: u8, b@8: u32}", "");
            differs(codec, "[u8; 3]", "(u8, u8, i8)", "");
            same(codec, "[u8; 3]", "(u8, ?)");
            same(codec, "{a: u8, ?}", "{a: u8, b: u8}");
            differs(codec, "{a: u8, ?}", "{a: i8, b: u8}", "a");
            same(codec, "{_: u8, b: u8}", "{a: u8, b: u8}");
            same(codec, "(u8, i8)", "{a: u8, b: i8}");
            same(codec, "()", "{}");
            same(codec, "enum<A, B u8>", "enum<A, B u8, C str>");
            differs(codec, "enum<A, B u8, C str>", "enum<A, B u8>", "");
            differs(codec, "enum<A, C>", "enum<A, B, C>", "");
            differs(codec, "enum<A, B u8>", "enum<A, B i8>", "B");
            differs(codec, "enum<A, B>", "enum<A, B u8>", "B");
            same(codec, "enum<A, ?>", "enum<A, B u8>");
            same(codec, "{n: option<^2>}", "{n: option<^2>}");
        }
        same("postcard", "{a: u16, b: i32}", "{a: u64, b: i128}");
        differs("postcard", "{a: u64}", "{a: u32}", "a");
        differs("postcard", "{a: u16}", "{a: i32}", "a");
        differs("postcard", "{a: u8}", "{a: u16}", "a");
        differs("bincode", "{a: u16}", "{a: u32}", "a");
        // By number: only one with two types differs.
        for codec in ["prost", ""] {
            same(codec, "message<1 uint64, 2 string>", "message<2 string, 3 message<1 bytes>>");
            same(codec, "message<>", "message<1 enum>");
            differs(codec, "message<1 uint64>", "message<1 int64>", "1");
            differs(codec, "message<3 list<message<1 bytes>>>", "message<3 list<message<1 string>>>", "3.each.1");
        }
        // By hand.
        same("mine", "version 1!", "version 1!");
        differs("mine", "version 1!", "version 2!", "");
        same("", "?", "version 2");
    }
}
