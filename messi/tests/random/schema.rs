//! Random protocols: as a schema, and as the text of a .proto file.

use std::collections::BTreeSet;
use std::fmt::Write;

/// SplitMix64, by Sebastiano Vigna: the same numbers for a seed, on any machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

pub const SCALARS: [&str; 15] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
    "sfixed64", "bool", "string", "bytes",
];

/// What a map's key may be.
const KEYS: [&str; 12] = [
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "bool",
    "string",
];

#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Scalar(&'static str),
    /// An index into the enums of all files.
    Enum(usize),
    /// An index into the messages of all files.
    Message(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// Absent and the default are the same.
    Implicit,
    Optional,
    Repeated,
    Map(&'static str),
    /// The index of the oneof in its message.
    Oneof(usize),
}

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub number: u32,
    pub label: Label,
    pub ty: Type,
    /// `[packed = false]`.
    pub unpacked: bool,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub name: String,
    /// In which file.
    pub file: usize,
    /// In which message, if in any.
    pub parent: Option<usize>,
    pub oneofs: Vec<String>,
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub struct Enum {
    pub name: String,
    pub file: usize,
    pub parent: Option<usize>,
    pub values: Vec<(String, i32)>,
}

/// The first file is the protocol, others are imported by it.
#[derive(Clone, Debug)]
pub struct Schema {
    pub files: Vec<(String, String)>,
    pub messages: Vec<Message>,
    pub enums: Vec<Enum>,
}

/// Ordinary names, and words that mean something in one of the languages.
const WORDS: [&str; 72] = [
    "amount",
    "owner",
    "street_name",
    "zip2",
    "camelCase",
    "Upper",
    "x",
    "very_long_name_of_a_field_that_goes_on",
    "and",
    "as",
    "assert",
    "async",
    "auto",
    "await",
    "bool",
    "box",
    "break",
    "case",
    "char",
    "class",
    "const",
    "continue",
    "crate",
    "def",
    "default",
    "del",
    "delete",
    "do",
    "double",
    "dyn",
    "else",
    "enum",
    "except",
    "extern",
    "finally",
    "float",
    "fn",
    "for",
    "friend",
    "from",
    "global",
    "goto",
    "if",
    "impl",
    "import",
    "in",
    "inline",
    "int",
    "is",
    "lambda",
    "let",
    "long",
    "match",
    "mod",
    "move",
    "new",
    "not",
    "operator",
    "or",
    "pass",
    "pub",
    "raise",
    "register",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "template",
    "type",
    "typedef",
    "while",
];

/// How many of the words are ordinary.
const ORDINARY: usize = 8;

const TYPES: [&str; 14] = [
    "Account",
    "Entry",
    "HTTPRequest",
    "snake_type",
    "Option",
    "String",
    "Vec",
    "None",
    "True",
    "Message",
    "Event",
    "Result",
    "Box",
    "Self",
];

/// A name that is not in `used`, also if case and underscores do not count.
fn name(random: &mut Random, words: &[&str], used: &mut BTreeSet<String>) -> String {
    loop {
        let mut name = (*random.pick(words)).to_owned();
        if random.chance(30) {
            write!(name, "_{}", random.below(100)).unwrap();
        }
        if used.insert(name.to_lowercase().replace('_', "")) {
            return name;
        }
    }
}

impl Schema {
    pub fn random(seed: u64) -> Schema {
        let mut random = Random(seed);
        let random = &mut random;
        let stem = format!("p{seed}");
        let package = match random.below(8) {
            0 => String::new(),
            1..4 => stem.clone(),
            4..6 => format!("deep.er.{stem}"),
            _ => format!("other{seed}"),
        };
        let mut files = vec![(stem, package)];
        if random.chance(30) {
            files.push((format!("types{seed}"), format!("types{seed}.v1")));
        }
        let mut schema = Schema { files, messages: Vec::new(), enums: Vec::new() };
        for file in 0..schema.files.len() {
            let stem = schema.files[file].0.as_str();
            let mut used = BTreeSet::from(["clienttoserver", "servertoclient", "messages", stem].map(str::to_owned));
            for _ in 0..random.below(3) {
                schema.add_enum(random, file, None, &mut used);
            }
            for _ in 0..1 + random.below(3) {
                schema.add_message(random, file, None, &mut used);
            }
        }
        for message in 0..schema.messages.len() {
            schema.add_fields(random, message);
        }
        schema.add_roots(random);
        schema
    }

    fn add_enum(&mut self, random: &mut Random, file: usize, parent: Option<usize>, used: &mut BTreeSet<String>) {
        let name = name(random, &["Kind", "State", "color", "E", "None"], used);
        let count = 1 + random.below(5);
        let index = self.enums.len();
        // Values are in the scope around the enum, so that each has its own name.
        let value = |i: usize| (format!("V{index}_{}", ["NONE", "class", "Two", "NULL", "int"][i]), i);
        let number = |random: &mut Random, i: usize| match (i, random.below(4)) {
            (0, _) => 0,
            (_, 0) => -(i as i32),
            (_, 1) => 1000 * i as i32,
            (4, _) => i32::MAX,
            _ => i as i32,
        };
        let values = (0..count).map(value).map(|(name, i)| (name, number(random, i))).collect();
        self.enums.push(Enum { name, file, parent, values });
    }

    fn add_message(&mut self, random: &mut Random, file: usize, parent: Option<usize>, used: &mut BTreeSet<String>) {
        let name = name(random, &TYPES, used);
        let index = self.messages.len();
        self.messages.push(Message { name, file, parent, oneofs: Vec::new(), fields: Vec::new() });
        if parent.is_none() {
            let mut inner = BTreeSet::new();
            if random.chance(25) {
                self.add_message(random, file, Some(index), &mut inner);
            }
            if random.chance(25) {
                self.add_enum(random, file, Some(index), &mut inner);
            }
        }
    }

    fn add_fields(&mut self, random: &mut Random, index: usize) {
        let file = self.messages[index].file;
        let mut used: BTreeSet<String> = (self.messages.iter().filter(|other| other.parent == Some(index)))
            .map(|other| other.name.to_lowercase().replace('_', ""))
            .chain(self.enums.iter().filter(|other| other.parent == Some(index)).map(|other| other.name.to_lowercase()))
            .collect();
        let mut number = 0;
        let mut oneofs = Vec::new();
        let mut fields = Vec::new();
        for _ in 0..random.below(7) {
            number += match random.below(10) {
                // Not twice: nanopb has no room for numbers above 65535.
                0 if number < 20_000 => 20_000,
                1 => 300,
                _ => 1,
            };
            let ty = self.any_type(random, file);
            let label = match random.below(10) {
                0 | 1 => Label::Optional,
                2 | 3 => Label::Repeated,
                4 => Label::Map(KEYS[random.below(KEYS.len())]),
                _ => Label::Implicit,
            };
            let unpacked = label == Label::Repeated
                && !matches!(ty, Type::Message(_) | Type::Scalar("string" | "bytes"))
                && random.chance(30);
            let rust_can = !(matches!(label, Label::Map(_)) && matches!(ty, Type::Enum(_)));
            let words = if rust_can { &WORDS[..] } else { &WORDS[..ORDINARY] };
            fields.push(Field { name: name(random, words, &mut used), number, label, ty, unpacked });
        }
        for oneof in 0..random.below(3).saturating_sub(1) {
            oneofs.push(name(random, &WORDS, &mut used));
            for _ in 0..1 + random.below(3) {
                number += 1;
                let ty = self.any_type(random, file);
                let name = name(random, &WORDS, &mut used);
                fields.push(Field { name, number, label: Label::Oneof(oneof), ty, unpacked: false });
            }
        }
        self.messages[index].fields = fields;
        self.messages[index].oneofs = oneofs;
    }

    /// A type that `file` can use: its own, or those of a later file.
    fn any_type(&self, random: &mut Random, file: usize) -> Type {
        let messages: Vec<usize> = (0..self.messages.len()).filter(|&i| self.messages[i].file >= file).collect();
        let enums: Vec<usize> = (0..self.enums.len()).filter(|&i| self.enums[i].file >= file).collect();
        match random.below(10) {
            0..3 if !messages.is_empty() => Type::Message(*random.pick(&messages)),
            3 if !enums.is_empty() => Type::Enum(*random.pick(&enums)),
            _ => Type::Scalar(SCALARS[random.below(SCALARS.len())]),
        }
    }

    fn add_roots(&mut self, random: &mut Random) {
        let all: Vec<usize> = (0..self.messages.len()).collect();
        for root in ["ClientToServer", "ServerToClient"] {
            let mut members = all.clone();
            // Each type once, as Rust wants it; in any order.
            for i in (1..members.len()).rev() {
                members.swap(i, random.below(i + 1));
            }
            members.truncate(1 + random.below(4));
            let mut used = BTreeSet::from(["messages".to_owned()]);
            let mut number = 0;
            let mut fields = Vec::new();
            for member in members {
                number += 1 + random.below(5) as u32;
                let name = name(random, &WORDS, &mut used);
                let ty = Type::Message(member);
                fields.push(Field { name, number, label: Label::Oneof(0), ty, unpacked: false });
            }
            let oneofs = vec!["messages".to_owned()];
            self.messages.push(Message { name: root.to_owned(), file: 0, parent: None, oneofs, fields });
        }
    }

    /// The names from the outermost message to this one.
    pub fn path_of_message(&self, index: usize) -> Vec<&str> {
        let message = &self.messages[index];
        let mut path = message.parent.map_or_else(Vec::new, |parent| self.path_of_message(parent));
        path.push(&message.name);
        path
    }

    fn full_name(&self, file: usize, path: &[&str]) -> String {
        let package = &self.files[file].1;
        let dot = if package.is_empty() { "" } else { "." };
        format!(".{package}{dot}{}", path.join("."))
    }

    fn type_name(&self, ty: &Type) -> String {
        match ty {
            Type::Scalar(name) => (*name).to_owned(),
            Type::Message(index) => self.full_name(self.messages[*index].file, &self.path_of_message(*index)),
            Type::Enum(index) => {
                let an_enum = &self.enums[*index];
                let mut path = an_enum.parent.map_or_else(Vec::new, |parent| self.path_of_message(parent));
                path.push(&an_enum.name);
                self.full_name(an_enum.file, &path)
            }
        }
    }

    /// The text of the file.
    pub fn text(&self, file: usize) -> String {
        let mut text = String::from("syntax = \"proto3\";\n\n");
        if !self.files[file].1.is_empty() {
            writeln!(text, "package {};\n", self.files[file].1).unwrap();
        }
        for (name, _) in &self.files[file + 1..] {
            writeln!(text, "import \"{name}.proto\";\n").unwrap();
        }
        self.write_inner(&mut text, file, None, 0);
        text
    }

    fn write_inner(&self, text: &mut String, file: usize, parent: Option<usize>, depth: usize) {
        let indent = "    ".repeat(depth);
        for an_enum in self.enums.iter().filter(|an_enum| an_enum.file == file && an_enum.parent == parent) {
            writeln!(text, "{indent}enum {} {{", an_enum.name).unwrap();
            for (name, number) in &an_enum.values {
                writeln!(text, "{indent}    {name} = {number};").unwrap();
            }
            writeln!(text, "{indent}}}").unwrap();
        }
        for (index, message) in self.messages.iter().enumerate() {
            if message.file != file || message.parent != parent {
                continue;
            }
            writeln!(text, "{indent}// A comment of */ {} \\ with \"quotes\".", message.name).unwrap();
            writeln!(text, "{indent}message {} {{", message.name).unwrap();
            self.write_inner(text, file, Some(index), depth + 1);
            for field in &message.fields {
                if !matches!(field.label, Label::Oneof(_)) {
                    self.write_field(text, field, &indent);
                }
            }
            for (oneof, name) in message.oneofs.iter().enumerate() {
                writeln!(text, "{indent}    oneof {name} {{").unwrap();
                for field in message.fields.iter().filter(|field| field.label == Label::Oneof(oneof)) {
                    self.write_field(text, field, &format!("{indent}    "));
                }
                writeln!(text, "{indent}    }}").unwrap();
            }
            writeln!(text, "{indent}}}").unwrap();
        }
    }

    fn write_field(&self, text: &mut String, field: &Field, indent: &str) {
        let ty = self.type_name(&field.ty);
        let ty = match &field.label {
            Label::Implicit | Label::Oneof(_) => ty,
            Label::Optional => format!("optional {ty}"),
            Label::Repeated => format!("repeated {ty}"),
            Label::Map(key) => format!("map<{key}, {ty}>"),
        };
        let unpacked = if field.unpacked { " [packed = false]" } else { "" };
        writeln!(text, "{indent}    {ty} {} = {}{unpacked};", field.name, field.number).unwrap();
    }
}
