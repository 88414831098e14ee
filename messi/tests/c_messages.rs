//! Messages in C, against prost-reflect's dynamic messages: another encoder and decoder of the same .proto file.

mod support;

use messi::Model;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::*;
use tempfile::TempDir;

/// The messages by their indices in roundtrip.c.
const MESSAGES: [&str; 17] = [
    "ClientToServer",
    "Singular",
    "Optional",
    "Repeated",
    "Unpacked",
    "Choice",
    "Node",
    "Maps",
    "Outer",
    "Empty",
    "Tags",
    "Sized",
    "Even",
    "Fixed",
    "Plain",
    "Integers",
    "Array",
];

/// Those that have limits, which the dynamic messages do not know.
const LIMITED: [&str; 7] = ["ClientToServer", "Sized", "Even", "Fixed", "Plain", "Integers", "Array"];

const INVALID: i32 = -1;

fn source(name: &str) -> PathBuf {
    package().join("tests/c").join(name)
}

fn runtime() -> PathBuf {
    package().join("runtime/c")
}

/// A directory with the messages of these files, in C.
fn generated(files: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["generate_c_source", "-o", directory.path().to_str().unwrap()];
    arguments.extend(files);
    generate(&package().join("tests/c"), &arguments);
    directory
}

/// All files with this end below a directory.
fn find(directory: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(find(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn compiler(program: &str, directory: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-g"]).args(flags);
    command.arg("-I").arg(directory).arg("-I").arg(runtime());
    command
}

const SANITIZED: [&str; 4] = ["-std=c99", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// A program of tests/c with the messages in `directory`.
fn build(directory: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let program = directory.join(name);
    let mut command = compiler("gcc", directory, flags);
    command.arg(source(&format!("{name}.c"))).args(find(directory, ".pb.c")).arg(runtime().join("messi_pb.c"));
    run(command.args(["-lprotobuf-nanopb", "-o"]).arg(&program), true);
    program
}

fn model(name: &str) -> Model {
    Model::read(&[source(name)], &[]).unwrap()
}

fn message(model: &Model, name: &str) -> MessageDescriptor {
    model.pool.get_message_by_name(&format!("shapes.v1.{name}")).unwrap()
}

/// What roundtrip.c makes of some bytes: what it encodes again, or an error.
type Answer = Result<Vec<u8>, i32>;

fn roundtrip(command: &mut Command, requests: &[(&str, Vec<u8>)]) -> Vec<Answer> {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("requests");
    let mut bytes = Vec::new();
    for (name, request) in requests {
        let index = MESSAGES.iter().position(|message| message == name).unwrap() as u32;
        bytes.extend(index.to_le_bytes());
        bytes.extend((request.len() as u32).to_le_bytes());
        bytes.extend(request);
    }
    fs::write(&input, bytes).unwrap();
    let output = command.stdin(fs::File::open(input).unwrap()).stderr(Stdio::piped()).output().unwrap();
    let mut answers = Vec::new();
    let mut rest = &output.stdout[..];
    let mut next = |size: usize| {
        let (next, after) = rest.split_at_checked(size)?;
        rest = after;
        Some(next.to_vec())
    };
    let number = |bytes: Vec<u8>| i32::from_le_bytes(bytes.try_into().unwrap());
    while let Some(result) = next(4).map(number) {
        if result != 0 {
            answers.push(Err(result));
        } else if let Some(encoded) = next(4).map(number).and_then(|size| next(size as usize)) {
            answers.push(Ok(encoded));
        }
    }
    assert!(
        output.status.success() && answers.len() == requests.len(),
        "{}, {} of {} answers, the next is for {:02x?}:\n{}",
        output.status,
        answers.len(),
        requests.len(),
        requests.get(answers.len()),
        text(&output.stderr)
    );
    answers
}

// -------------------------------------------------------------------------------------------------------------- random

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }

    fn number(&mut self) -> u64 {
        let edges =
            [0, 1, 127, 128, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX];
        match self.below(3) {
            0 => edges[self.below(edges.len())],
            1 => self.next() >> self.below(64),
            _ => (self.next() >> self.below(64)).wrapping_neg(),
        }
    }

    fn text(&mut self, size: usize) -> String {
        let letters = ['a', 'Z', '~', 'é', '€', '𝄞', '\u{7ff}', '\u{800}', '\u{ffff}', '\u{10ffff}'];
        let mut text = String::new();
        for _ in 0..self.below(5) {
            let letter = letters[self.below(letters.len())];
            if text.len() + letter.len_utf8() <= size {
                text.push(letter);
            }
        }
        text
    }

    fn bytes(&mut self, size: usize) -> Vec<u8> {
        (0..self.below(size + 1)).map(|_| self.next() as u8).collect()
    }

    fn value(&mut self, kind: &Kind, depth: usize) -> Value {
        match kind {
            Kind::Double => Value::F64(f64::from_bits(self.number())),
            Kind::Float => Value::F32(f32::from_bits(self.number() as u32)),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(self.number() as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(self.number() as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(self.number() as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(self.number()),
            Kind::Bool => Value::Bool(self.below(2) == 1),
            Kind::String => Value::String(self.text(9)),
            Kind::Bytes => Value::Bytes(self.bytes(9).into()),
            Kind::Enum(_) => Value::EnumNumber(self.number() as i32),
            Kind::Message(message) => Value::Message(self.message(message, depth)),
        }
    }

    /// A message that keeps to all limits in shapes.proto.
    fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let recursive = matches!(field.kind(), Kind::Message(_)) && depth == 0;
            if self.below(3) == 0 || recursive || field.name() == "left_out" {
                continue;
            }
            let value = self.field(descriptor, &field, depth);
            message.set_field(&field, value);
        }
        if descriptor.name() == "Fixed" {
            self.fix(&mut message);
        }
        message
    }

    fn field(&mut self, descriptor: &MessageDescriptor, field: &FieldDescriptor, depth: usize) -> Value {
        if descriptor.name() == "Integers" {
            return match field.name() {
                "tiny" => Value::I32(i32::from(self.number() as i8)),
                "tiny_unsigned" => Value::U32(u32::from(self.number() as u8)),
                "small" => Value::I64(i64::from(self.number() as i16)),
                "small_unsigned" => Value::U64(u64::from(self.number() as u16)),
                _ => Value::List((0..self.below(4)).map(|_| Value::I32(i32::from(self.number() as i8))).collect()),
            };
        }
        // Where there is no limit, and the numbers are more than what is written at once.
        let count = self.below(if descriptor.name() == "Repeated" { 20 } else { 4 });
        if field.is_list() {
            return Value::List((0..count).map(|_| self.value(&field.kind(), depth.saturating_sub(1))).collect());
        }
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map's type is its entries'") };
            let mut map = HashMap::new();
            for _ in 0..count {
                let key = self.value(&entry.map_entry_key_field().kind(), 0).into_map_key().unwrap();
                map.insert(key, self.value(&entry.map_entry_value_field().kind(), depth.saturating_sub(1)));
            }
            return Value::Map(map);
        }
        self.value(&field.kind(), depth.saturating_sub(1))
    }

    /// Gives fixed arrays their length.
    fn fix(&mut self, message: &mut DynamicMessage) {
        let plain = message.descriptor().parent_pool().get_message_by_name("shapes.v1.Plain").unwrap();
        let list = |count: usize, value: &mut dyn FnMut() -> Value| Value::List((0..count).map(|_| value()).collect());
        message.set_field_by_name("numbers", list(3, &mut || self.value(&Kind::Sint32, 0)));
        message.set_field_by_name("digest", Value::Bytes(vec![1 + self.below(9) as u8; 5].into()));
        message.set_field_by_name("plains", list(2, &mut || Value::Message(self.message(&plain, 0))));
        message.set_field_by_name("strings", list(2, &mut || Value::String(self.text(3))));
    }

    /// Bytes that are somewhat like these.
    fn mutate(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let end = at + self.below(bytes.len() - at + 1);
            match self.below(8) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 if at < bytes.len() => bytes[at] = self.next() as u8,
                3 => bytes.insert(at, self.next() as u8),
                4 => bytes.extend_from_within(at..end),
                5 => drop(bytes.drain(at..end)),
                // Both are one message.
                6 => bytes.extend(other),
                _ => bytes = other.iter().chain(&bytes).copied().collect(),
            }
        }
        bytes
    }
}

// ---------------------------------------------------------------------------------------------------------- comparison

/// A message as text: floats by their bits, maps sorted, and no fields that C does not know.
fn canonical(message: &DynamicMessage) -> String {
    let mut text = String::from("{");
    for (field, value) in message.fields().filter(|(field, _)| field.name() != "left_out") {
        // A repeated field or a map with nothing in it is not there.
        if !field.supports_presence() && value.is_default_for_field(&field) {
            continue;
        }
        write!(text, "{}: {}, ", field.name(), canonical_value(value)).unwrap();
    }
    text + "}"
}

fn canonical_value(value: &Value) -> String {
    match value {
        Value::F32(value) => format!("{:#x}", value.to_bits()),
        Value::F64(value) => format!("{:#x}", value.to_bits()),
        Value::Message(message) => canonical(message),
        Value::List(values) => values.iter().map(|value| canonical_value(value) + ", ").collect(),
        Value::Map(map) => {
            let entry = |(key, value): (&MapKey, &Value)| format!("{key:?} -> {}, ", canonical_value(value));
            let mut entries: Vec<String> = map.iter().map(entry).collect();
            entries.sort();
            entries.concat()
        }
        value => format!("{value:?}"),
    }
}

/// Whether a message has a string that C sees the end of too early, or maps, which may be encoded in any order.
fn any(message: &DynamicMessage, what: fn(&Value) -> bool) -> bool {
    fn in_value(value: &Value, what: fn(&Value) -> bool) -> bool {
        what(value)
            || match value {
                Value::Message(message) => any(message, what),
                Value::List(values) => values.iter().any(|value| in_value(value, what)),
                Value::Map(map) => map.iter().any(|(key, value)| what(&key.clone().into()) || in_value(value, what)),
                _ => false,
            }
    }

    message.fields().any(|(_, value)| in_value(value, what))
}

fn has_zero(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('\0'))
}

fn is_map(value: &Value) -> bool {
    matches!(value, Value::Map(_))
}

fn decode(descriptor: &MessageDescriptor, bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(descriptor.clone(), bytes).ok()
}

#[test]
fn random_messages_come_back_as_they_were() {
    if !nanopb() {
        return;
    }
    let directory = generated(&["shapes.proto"]);
    let program = build(directory.path(), "roundtrip", &SANITIZED);
    let model = model("shapes.proto");
    let mut random = Random(1);
    let mut requests = Vec::new();
    let mut messages = Vec::new();
    for name in MESSAGES {
        for _ in 0..40 {
            let message = random.message(&message(&model, name), 3);
            requests.push((name, message.encode_to_vec()));
            messages.push(message);
        }
    }
    for ((message, (name, bytes)), answer) in
        messages.iter().zip(&requests).zip(roundtrip(&mut Command::new(program), &requests))
    {
        let encoded = answer.unwrap_or_else(|error| panic!("{error} of {message}"));
        // Not the message itself: dynamic messages forget that a zero in a map was negative.
        let message = decode(&message.descriptor(), bytes).unwrap();
        let back = decode(&message.descriptor(), &encoded).unwrap();
        assert_eq!(canonical(&back), canonical(&message));
        // Static arrays are packed in any case, and maps have no order.
        if !any(&message, is_map) {
            assert_eq!(encoded, *bytes, "{name} {message}");
        }
    }
}

#[test]
fn both_decoders_agree_on_malformed_bytes() {
    if !nanopb() {
        return;
    }
    let directory = generated(&["shapes.proto"]);
    let program = build(directory.path(), "roundtrip", &SANITIZED);
    let model = model("shapes.proto");
    let mut random = Random(2);
    let mut requests = Vec::new();
    for name in MESSAGES {
        let descriptor = message(&model, name);
        for _ in 0..150 {
            let (bytes, other) = (random.message(&descriptor, 2), random.message(&descriptor, 2));
            requests.push((name, random.mutate(&bytes.encode_to_vec(), &other.encode_to_vec())));
        }
    }
    let (mut accepted, mut refused) = (0, 0);
    for ((name, bytes), answer) in requests.iter().zip(roundtrip(&mut Command::new(program), &requests)) {
        let descriptor = message(&model, name);
        let expected = decode(&descriptor, bytes);
        match (&expected, &answer) {
            (Some(expected), Ok(encoded)) => {
                accepted += 1;
                // What C has as a string ends at a zero; and a fixed array is there even if it was not sent.
                if any(expected, has_zero) || matches!(*name, "Fixed" | "ClientToServer") {
                    continue;
                }
                let back = decode(&descriptor, encoded).unwrap();
                assert_eq!(canonical(&back), canonical(expected), "{name} {bytes:02x?}");
            }
            (None, Err(INVALID)) => refused += 1,
            // A field that is left out of the struct is skipped, whatever it is.
            (None, Ok(_)) if matches!(*name, "Sized" | "ClientToServer") => accepted += 1,
            (Some(_), Err(INVALID)) if LIMITED.contains(name) => refused += 1,
            // The dynamic messages take whatever comes with a map's number for one of its entries.
            (Some(expected), Err(INVALID)) if any(expected, is_map) => refused += 1,
            _ => {
                let expected = expected.map(|message| canonical(&message));
                panic!("{name} {bytes:02x?}: expected {expected:?}, found {answer:02x?}");
            }
        }
    }
    // Mutations that hardly ever leave a message, or always do, would show little.
    assert!(accepted > 300 && refused > 300, "{accepted} accepted, {refused} refused");
}

// ------------------------------------------------------------------------------------------------------------- by hand

fn key(number: u32, wire_type: u32) -> Vec<u8> {
    varint(u64::from(number << 3 | wire_type))
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn delimited(number: u32, content: &[u8]) -> Vec<u8> {
    [key(number, 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn number(tag: u32, value: u64) -> Vec<u8> {
    [key(tag, 0), varint(value)].concat()
}

/// Nested in field `number` as often.
fn nested(number: u32, depth: usize) -> Vec<u8> {
    // From the inside out, and backwards, as lengths are not known before.
    let mut reversed = Vec::new();
    for _ in 0..depth {
        let mut head = [key(number, 2), varint(reversed.len() as u64)].concat();
        head.reverse();
        reversed.extend(head);
    }
    reversed.reverse();
    reversed
}

#[test]
fn values_are_in_their_members() {
    if !nanopb() {
        return;
    }
    let directory = generated(&["shapes.proto"]);
    let model = model("shapes.proto");
    let point = |x, y, label: Option<&str>| {
        let descriptor = model.pool.get_message_by_name("other.types.Point").unwrap();
        let mut point = DynamicMessage::new(descriptor);
        point.set_field_by_name("x", Value::I32(x));
        point.set_field_by_name("y", Value::I32(y));
        if let Some(label) = label {
            point.set_field_by_name("label", Value::String(label.to_owned()));
        }
        Value::Message(point)
    };
    let with = |name: &str, values: Vec<(&str, Value)>| {
        let mut message = DynamicMessage::new(message(&model, name));
        for (field, value) in values {
            message.set_field_by_name(field, value);
        }
        message
    };
    let singular = with(
        "Singular",
        vec![
            ("a_double", Value::F64(-1.5)),
            ("a_float", Value::F32(0.25)),
            ("an_int32", Value::I32(i32::MIN)),
            ("an_int64", Value::I64(i64::MIN)),
            ("a_uint32", Value::U32(u32::MAX)),
            ("a_uint64", Value::U64(u64::MAX)),
            ("a_sint32", Value::I32(i32::MIN)),
            ("a_sint64", Value::I64(i64::MAX)),
            ("a_fixed32", Value::U32(0x0102_0304)),
            ("a_fixed64", Value::U64(0x0102_0304_0506_0708)),
            ("a_sfixed32", Value::I32(-2)),
            ("a_sfixed64", Value::I64(-3)),
            ("a_bool", Value::Bool(true)),
            ("a_string", Value::String("naïve".to_owned())),
            ("some_bytes", Value::Bytes(vec![0, 255, 1].into())),
            ("an_enum", Value::EnumNumber(-5)),
            ("a_message", point(-7, 8, Some(""))),
            ("a_colour", Value::EnumNumber(i32::MIN)),
        ],
    );
    let string = |text: &str| Value::String(text.to_owned());
    let repeated = with(
        "Repeated",
        vec![
            ("sint32s", Value::List(vec![Value::I32(1), Value::I32(-1), Value::I32(i32::MAX)])),
            ("bools", Value::List(vec![Value::Bool(true), Value::Bool(false)])),
            ("strings", Value::List(vec![string("one"), string("")])),
            ("many_bytes", Value::List(vec![Value::Bytes(Vec::new().into()), Value::Bytes(vec![9].into())])),
            ("messages", Value::List(vec![point(0, 0, None), point(5, 0, Some("five"))])),
        ],
    );
    let again = with("Choice", vec![("arrays", Value::Message(repeated)), ("between", string("between"))]);
    let choice = with("Choice", vec![("again", Value::Message(again)), ("left", string(""))]);
    let bytes = directory.path().join("bytes");
    fs::write(&bytes, [singular.encode_to_vec(), choice.encode_to_vec()].concat()).unwrap();
    for flags in [&SANITIZED[..], &["-std=c99", "-O2"], &["-std=c11", "-O2", "-fshort-enums"]] {
        run(Command::new(build(directory.path(), "values", flags)).arg(&bytes), true);
    }
}

#[test]
fn one_more_than_a_limit_is_refused() {
    if !nanopb() {
        return;
    }
    let directory = generated(&["shapes.proto"]);
    let program = build(directory.path(), "roundtrip", &SANITIZED);
    let even = delimited(1, b"e");
    let depth = |number, depth| nested(number, depth);
    let groups = |depth| [key(9, 3).repeat(depth), key(9, 4).repeat(depth)].concat();
    // The most that is accepted, and the least that is not.
    let cases: Vec<(&str, Vec<u8>, Vec<u8>)> = vec![
        ("Sized", delimited(1, &[b'a'; 15]), delimited(1, &[b'a'; 16])),
        ("Sized", delimited(2, &[1; 9]), delimited(2, &[1; 10])),
        ("Sized", delimited(3, &[1; 4]), delimited(3, &[1; 5])),
        ("Sized", number(3, 1).repeat(4), number(3, 1).repeat(5)),
        ("Sized", delimited(4, &[b'a'; 12]), delimited(4, &[b'a'; 13])),
        ("Sized", delimited(4, b"a").repeat(4), delimited(4, b"a").repeat(5)),
        ("Sized", delimited(5, &[1; 9]), delimited(5, &[1; 10])),
        ("Sized", delimited(5, b"a").repeat(4), delimited(5, b"a").repeat(5)),
        ("Sized", delimited(6, &even).repeat(4), delimited(6, &even).repeat(5)),
        ("Sized", delimited(8, &[b'a'; 12]), delimited(8, &[b'a'; 13])),
        ("Sized", delimited(9, &[b'a'; 13]), delimited(9, &[b'a'; 14])),
        ("Sized", delimited(10, &[1; 12]), delimited(10, &[1; 13])),
        ("Sized", delimited(14, &[1; 40]), delimited(14, &[1; 48])),
        ("Even", delimited(1, &[b'a'; 11]), delimited(1, &[b'a'; 12])),
        ("Even", delimited(2, &[b'a'; 12]), delimited(2, &[b'a'; 13])),
        ("Even", delimited(4, &[b'a'; 100]), delimited(4, &[0xff; 100])),
        ("Fixed", delimited(1, &[1; 3]), delimited(1, &[1; 4])),
        ("Fixed", delimited(1, &[1; 3]), delimited(1, &[1; 2])),
        ("Fixed", number(1, 1).repeat(3), number(1, 1).repeat(2)),
        ("Fixed", [number(1, 1), number(1, 1), number(77, 1), number(1, 1)].concat(), {
            // Another fixed array in the middle of one: which of them is whole cannot be told.
            [number(1, 1), delimited(3, b""), number(1, 1), delimited(3, b""), number(1, 1)].concat()
        }),
        ("Fixed", delimited(2, &[1; 5]), delimited(2, &[1; 6])),
        ("Fixed", delimited(2, b""), delimited(2, &[1; 4])),
        ("Fixed", delimited(4, b"abc").repeat(2), delimited(4, b"abcd").repeat(2)),
        ("Fixed", delimited(4, b"abc").repeat(2), delimited(4, b"abc").repeat(3)),
        ("Plain", delimited(3, &[b'a'; 9]), delimited(3, &[b'a'; 10])),
        ("Plain", delimited(4, &[1; 12]), delimited(4, &[1; 16])),
        ("Integers", number(1, 127), number(1, 128)),
        ("Integers", number(1, -128i64 as u64), number(1, -129i64 as u64)),
        ("Integers", number(2, 255), number(2, 256)),
        ("Integers", number(3, 65535), number(3, 65536)),
        ("Integers", number(4, 65535), number(4, 65536)),
        ("Integers", delimited(5, &varint(127)), delimited(5, &varint(128))),
        ("Array", delimited(1, &[1; 5000]), delimited(1, &[1; 5001])),
        ("Array", delimited(2, &[b'a'; 4999]), delimited(2, &[b'a'; 5000])),
        // By pointers, arrays, structs in structs and oneofs; and in what nobody knows.
        ("Node", depth(2, 100), depth(2, 101)),
        ("Node", depth(3, 100), depth(3, 101)),
        ("Choice", depth(10, 100), depth(10, 101)),
        ("Empty", groups(100), groups(101)),
        ("Node", [key(9, 3), delimited(2, b"x"), key(9, 4)].concat(), [key(9, 3), key(8, 4)].concat()),
        ("Node", Vec::new(), key(9, 3)),
        ("Node", Vec::new(), key(9, 4)),
        ("Node", Vec::new(), key(9, 6)),
        ("Node", Vec::new(), key(0, 0)),
        ("Singular", [key(3, 0), vec![0xff; 9], vec![1]].concat(), [key(3, 0), vec![0xff; 9], vec![2]].concat()),
        ("Singular", number(13, 1 << 63), [key(13, 0), vec![0x80; 10], vec![0]].concat()),
        ("Singular", [varint(u64::from(u32::MAX) >> 3 << 3), vec![0]].concat(), [varint(1 << 32), vec![0]].concat()),
        // A type that is not the field's.
        ("Singular", number(3, 1), delimited(3, &[1])),
        ("Singular", delimited(14, b"a"), number(14, 1)),
        ("Repeated", delimited(14, b"a"), number(14, 1)),
        ("Repeated", delimited(3, &[1]), [key(3, 5), vec![0; 4]].concat()),
        ("Repeated", delimited(1, &[0; 16]), delimited(1, &[0; 17])),
        ("Repeated", delimited(3, &[1, 0x80, 1]), delimited(3, &[1, 0x80])),
        ("Repeated", delimited(3, b""), delimited(3, &[0x80])),
        ("Sized", delimited(3, b""), delimited(3, &[0x80])),
        // Not UTF-8: half of it, too long, a surrogate, too large, and a stray byte.
        ("Singular", delimited(14, "é".as_bytes()), delimited(14, &[0xc3])),
        ("Singular", delimited(14, b"\xc2\x80"), delimited(14, b"\xc1\xbf")),
        ("Singular", delimited(14, b"\xe0\xa0\x80"), delimited(14, b"\xe0\x9f\xbf")),
        ("Singular", delimited(14, b"\xed\x9f\xbf"), delimited(14, b"\xed\xa0\x80")),
        ("Singular", delimited(14, b"\xf0\x90\x80\x80"), delimited(14, b"\xf0\x8f\xbf\xbf")),
        ("Singular", delimited(14, b"\xf4\x8f\xbf\xbf"), delimited(14, b"\xf4\x90\x80\x80")),
        ("Singular", delimited(14, b"\xe2\x82\xac"), delimited(14, b"\xe2\x82a")),
        ("Singular", delimited(14, b"\x7f"), delimited(14, b"\x80")),
        ("Singular", delimited(14, b"\x7f"), delimited(14, b"\xff")),
        ("Sized", delimited(1, b"\x7f"), delimited(1, b"\xff")),
    ];
    let requests: Vec<(&str, Vec<u8>)> =
        cases.iter().flat_map(|(name, good, bad)| [(*name, good.clone()), (*name, bad.clone())]).collect();
    let answers = roundtrip(&mut Command::new(program), &requests);
    for ((name, good, bad), answers) in cases.iter().zip(answers.chunks(2)) {
        assert!(answers[0].is_ok(), "{name} {good:02x?}: {answers:?}");
        assert_eq!(answers[1], Err(INVALID), "{name} {bad:02x?}");
    }
}

#[test]
fn hostile_bytes_take_neither_memory_nor_stack_nor_time() {
    if !nanopb() {
        return;
    }
    let directory = generated(&["shapes.proto"]);
    let program = build(directory.path(), "roundtrip", &SANITIZED);
    let long = |number: u32, wire_type: u32| [key(number, wire_type), varint(0x7fff_ffff), vec![1; 8]].concat();
    let requests: Vec<(&str, Vec<u8>)> = vec![
        ("Singular", long(14, 2)),
        ("Singular", long(15, 2)),
        ("Repeated", long(1, 2)),
        ("Repeated", long(3, 2)),
        ("Repeated", long(17, 2)),
        ("Node", long(2, 2)),
        ("Node", long(99, 2)),
        ("Singular", [key(14, 2), varint(u64::MAX)].concat()),
    ];
    // More than what the bytes justify would be refused by the sanitizer, which ends the program.
    let answers = roundtrip(
        Command::new(&program).env("ASAN_OPTIONS", "max_allocation_size_mb=2:allocator_may_return_null=0"),
        &requests,
    );
    assert!(answers.iter().all(|answer| *answer == Err(INVALID)), "{answers:?}");

    // Without the sanitizer, which needs many times the stack, and in as much as a small thread has.
    let program = build(directory.path(), "roundtrip", &["-std=c99", "-O2"]);
    let requests: Vec<(&str, Vec<u8>)> = vec![
        ("Node", nested(2, 300_000)),
        ("Node", nested(3, 300_000)),
        ("Choice", nested(10, 300_000)),
        ("Empty", key(9, 3).repeat(1_000_000)),
        ("Node", key(9, 3).repeat(1_000_000)),
        // As deep as may be.
        ("Choice", nested(10, 100)),
        // An array that comes in pieces, each of which adds to what was before.
        ("Choice", delimited(9, &number(3, 1)).repeat(50_000)),
        ("Choice", [delimited(9, &number(3, 1)), delimited(5, b"text")].concat().repeat(20_000)),
    ];
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -s 128 && exec \"$0\""]).arg(&program);
    let started = std::time::Instant::now();
    let answers = roundtrip(&mut limited, &requests);
    for (answer, (name, bytes)) in answers.iter().zip(&requests).take(5) {
        assert_eq!(*answer, Err(INVALID), "{name}, {} bytes", bytes.len());
    }
    assert!(answers[5].is_ok());
    let numbers = delimited(3, &vec![1; 50_000]);
    assert_eq!(answers[6], Ok(delimited(9, &numbers)));
    assert_eq!(answers[7], Ok(delimited(5, b"text")));
    // If each piece were copied for each it would be hours.
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}

// ---------------------------------------------------------------------------------------------------------- generation

/// What `messi generate_c_source` says of a .proto file that is wrong.
fn error(proto: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("x.proto"), proto).unwrap();
    let output = messi(directory.path(), &["generate_c_source", "x.proto"]);
    assert!(!output.status.success(), "{proto}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is written");
    text(&output.stderr)
}

/// A protocol with these declarations behind it, which begin in line 5.
fn protocol(declarations: &str) -> String {
    format!(
        "syntax = \"proto3\"; package p; import \"nanopb.proto\";\n\
         message ClientToServer {{ oneof messages {{ M m = 1; }} }}\n\
         message ServerToClient {{ oneof messages {{ N n = 1; }} }}\n\
         message N {{}}\n{declarations}\n"
    )
}

#[test]
fn errors_have_their_places() {
    let cases = [
        // Names.
        (
            "message M {}\nmessage FooBar {}\nmessage Foo_bar {}",
            "7:9: `p.Foo_bar` and `p.FooBar` are both `p_foo_bar_t`",
        ),
        ("message M {}\nenum Foo { A = 0; }\nmessage foo {}", "7:9: `p.foo` and `p.Foo` are both `p_foo_t`"),
        ("message M { enum E { A = 0; a = 1; } }", "`p.M.a` and `p.M.A` are both `p_m_e_a_e`"),
        (
            "message M { repeated int32 x = 1; int32 x_count = 2; }",
            "5:41: `p.M.x_count` and `p.M.x` are both `x_count`",
        ),
        ("message M { optional int32 x = 1; int32 has_x = 2; }", "5:41: `p.M.has_x` and `p.M.x` are both `has_x`"),
        ("message M { oneof o { int32 x = 1; } int32 which_o = 2; }", "5:44: `p.M.which_o` and the oneof `o` are both"),
        // What does not fit.
        ("message M { int32 x = 65536; }", "5:19: `x` has a number above 65535"),
        ("message M { repeated int32 x = 1 [(nanopb).max_count = 20000]; }", "5:28: `x` is larger than the 65535"),
        ("message M { string x = 1 [(nanopb).max_size = 2147483647]; }", "5:20: `x` is larger than the 65535"),
        (
            "message M { bytes x = 1 [(nanopb).max_size = 40000]; bytes y = 2 [(nanopb).max_size = 40000]; }",
            "5:9: `M` is larger than the 65535",
        ),
        // Recursion that cannot be broken.
        ("message M { repeated M m = 1 [(nanopb).max_count = 2]; }", "5:24: `m` makes a message hold itself"),
        ("message M { M m = 1 [(nanopb).type = FT_STATIC]; }", "5:15: `m` makes a message hold itself"),
        // Options that make no sense.
        ("message M { int32 x = 1 [(nanopb).max_size = 2]; }", "5:19: `max_size` is for strings and bytes"),
        ("message M { bytes x = 1 [(nanopb).max_length = 2]; }", "5:19: `max_length` is for strings"),
        ("message M { string x = 1 [(nanopb).fixed_length = true]; }", "5:20: `fixed_length` is for bytes"),
        ("message M { int32 x = 1 [(nanopb).max_count = 2]; }", "5:19: `max_count` is for repeated fields"),
        ("message M { int32 x = 1 [(nanopb).fixed_count = true]; }", "5:19: `fixed_count` is for repeated fields"),
        ("message M { bool x = 1 [(nanopb).int_size = IS_8]; }", "5:18: `int_size` is for integers of variable length"),
        ("message M { int64 x = 1 [(nanopb).int_size = IS_32]; }", "5:19: `x` can have an int_size of IS_8 or IS_16"),
        ("message M { string x = 1 [(nanopb).max_size = 0]; }", "5:20: `max_size` of `x` must be at least 1"),
        ("message M { string x = 1 [(nanopb).max_length = -1]; }", "5:20: `max_length` of `x` must be at least 0"),
        (
            "message M { repeated int32 x = 1 [(nanopb).max_count = -1]; }",
            "5:28: `max_count` of `x` must be at least 1",
        ),
        ("message M { repeated string x = 1 [(nanopb).max_count = 2]; }", "5:29: `x` has one of its sizes only"),
        ("message M { repeated string x = 1 [(nanopb).max_size = 2]; }", "5:29: `x` has one of its sizes only"),
        ("message M { string x = 1 [(nanopb).type = FT_STATIC]; }", "5:20: `x` needs its sizes for FT_STATIC"),
        ("message M { int32 x = 1 [(nanopb).type = FT_POINTER]; }", "5:19: `x` is a number"),
        ("message M { bytes x = 1 [(nanopb).fixed_length = true]; }", "5:19: `x` has a fixed size that is not given"),
        ("message M { repeated int32 x = 1 [(nanopb).fixed_count = true]; }", "`x` has a fixed size that is not given"),
    ];
    for (declarations, expected) in cases {
        let error = error(&protocol(declarations));
        assert!(error.contains(expected), "{declarations}:\n{error}");
        assert!(error.starts_with("error: x.proto:"), "{error}");
    }
    let roots = |option: &str| {
        format!(
            "syntax = \"proto3\"; import \"nanopb.proto\";\n\
             message ClientToServer {{ oneof messages {{ M m = 1 {option}; }} }}\n\
             message ServerToClient {{ oneof messages {{ M m = 1; }} }}\nmessage M {{}}\n"
        )
    };
    for (proto, expected) in [
        (roots("[(nanopb).type = FT_IGNORE]"), "2:45: `m` is a message of the protocol, which FT_IGNORE cannot"),
        (roots("[(nanopb).type = FT_POINTER]"), "2:45: `m` is a message of the protocol, which cannot be behind"),
        (roots("").replace("M m = 1 ", "ClientToServer m = 1 "), "2:58: `m` makes a message hold itself"),
        (roots("").replace("message M {}", "message M {} message Size {}"), "4:22: `Size` is `size_t` in C"),
        (roots("").replace("message M {}", "message M {} enum Int8 { A = 0; }"), "4:19: `Int8` is `int8_t` in C"),
        (
            roots("").replace(
                "message M {}",
                "import \"google/protobuf/descriptor.proto\"; message M { google.protobuf.FileOptions o = 1; }",
            ),
            "4:84: `o` is of proto2",
        ),
    ] {
        let error = error(&proto);
        assert!(error.contains(expected), "{proto}:\n{error}");
    }
}

#[test]
fn whatever_things_are_called_it_compiles() {
    let directory = generated(&["names.proto", "shapes.proto"]);
    if !nanopb() {
        return;
    }
    let object = directory.path().join("object.o");
    for source in find(directory.path(), ".pb.c") {
        for flags in [&["-std=c99"][..], &["-std=c11", "-O2"], &["-std=gnu17", "-fshort-enums"]] {
            run(compiler("gcc", directory.path(), flags).arg("-c").arg(&source).arg("-o").arg(&object), true);
        }
    }
    // With all that may be defined before, in C and in C++.
    let program = "#include <assert.h>\n#include <complex.h>\n#include <errno.h>\n#include <limits.h>\n\
                   #include <math.h>\n\
                   #include <signal.h>\n#include <stdio.h>\n#include <sys/epoll.h>\n#include \"names.pb.h\"\n\
                   #include \"shapes.pb.h\"\nstruct shapes_v1_singular_t singular = shapes_v1_singular_init_zero;\n\
                   const char *owner(void) { singular.a_string = \"alice\"; return singular.a_string; }\n";
    let user = directory.path().join("user.c");
    fs::write(&user, program).unwrap();
    let cpp = directory.path().join("user.cpp");
    fs::write(&cpp, program.replace("#include <complex.h>\n", "").replace("(void)", "()")).unwrap();
    let c = compiler("gcc", directory.path(), &["-std=gnu99", "-Wwrite-strings", "-Wcast-qual"]);
    for (mut command, source) in [
        (c, &user),
        (compiler("g++", directory.path(), &["-std=gnu++11"]), &cpp),
        (compiler("g++", directory.path(), &["-std=gnu++20"]), &cpp),
    ] {
        if tool(command.get_program().to_str().unwrap(), &["--version"]) {
            run(command.arg("-c").arg(source).arg("-o").arg(&object), true);
        }
    }
}

#[test]
fn a_machine_of_32_bits_is_no_other() {
    let directory = generated(&["shapes.proto"]);
    if !nanopb() || !tool("gcc", &["-m32", "-xc", "-fsyntax-only", "-include", "stdio.h", "/dev/null"]) {
        return;
    }
    let object = directory.path().join("object.o");
    for source in find(directory.path(), ".pb.c").into_iter().chain([runtime().join("messi_pb.c")]) {
        let mut command = compiler("gcc", directory.path(), &["-std=c99", "-m32", "-idirafter", "/usr/include"]);
        run(command.arg("-c").arg(source).arg("-o").arg(&object), true);
    }
}

#[test]
fn sized_messages_need_no_allocator() {
    let directory = generated(&["shapes.proto"]);
    if !nanopb() || !tool("nm", &["--version"]) {
        return;
    }
    let object = directory.path().join("object.o");
    let mut command = compiler("gcc", directory.path(), &["-std=c99", "-O2", "-DMESSI_PB_NO_MALLOC", "-c"]);
    run(command.arg(runtime().join("messi_pb.c")).arg("-o").arg(&object), true);
    let symbols = text(&run(Command::new("nm").arg("-u").arg(&object), false).stdout);
    // Nothing of nanopb's decoder either: it may have been built with or without PB_ENABLE_MALLOC.
    for symbol in ["malloc", "free", "realloc", "pb_decode", "pb_release"] {
        assert!(!symbols.split_whitespace().any(|needed| needed == symbol), "{symbols}");
    }
}

#[test]
fn nanopb_may_be_built_in_many_ways() {
    let directory = generated(&["shapes.proto"]);
    if !nanopb() {
        return;
    }
    let object = directory.path().join("object.o");
    for option in ["PB_BUFFER_ONLY", "PB_NO_ERRMSG", "PB_FIELD_32BIT", "PB_ENABLE_MALLOC", "PB_VALIDATE_UTF8"] {
        for source in find(directory.path(), ".pb.c").into_iter().chain([runtime().join("messi_pb.c")]) {
            let mut command = compiler("gcc", directory.path(), &["-std=c99", &format!("-D{option}")]);
            run(command.arg("-c").arg(source).arg("-o").arg(&object), true);
        }
    }
}

#[test]
fn imports_are_followed_but_only_to_what_is_used() {
    let directory = generated(&["shapes.proto"]);
    let headers: Vec<PathBuf> = find(directory.path(), ".pb.h");
    let expected = ["google/protobuf/timestamp.pb.h", "other.pb.h", "shapes.pb.h"];
    assert_eq!(headers, expected.map(|path| directory.path().join(path)));

    // Files in directories, of which the headers must not hide each other.
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: String| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let point = |package: &str| format!("syntax = \"proto3\"; package {package}; message Point {{ int32 x = 1; }}\n");
    let main = |imports: &str, fields: &str| {
        format!(
            "syntax = \"proto3\"; package main; {imports}\nmessage ClientToServer {{ oneof messages {{ M m = 1; }} }}\n\
             message ServerToClient {{ oneof messages {{ M m = 1; }} }}\nmessage M {{ {fields} }}\n"
        )
    };
    write("a/b.proto", point("one"));
    write("a_b.proto", point("two"));
    write("a__b.proto", point("three"));
    write(
        "sub/MyMain.proto",
        main("import \"a/b.proto\"; import \"a_b.proto\";", "one.Point one = 1; repeated two.Point two = 2;"),
    );
    let arguments = ["generate_c_source", "-I", ".", "-o", "out", "sub/MyMain.proto"];
    generate(directory.path(), &arguments);
    let out = directory.path().join("out");
    let expected = ["a/b.pb.c", "a_b.pb.c", "sub/my_main.pb.c"];
    assert_eq!(find(&out, ".pb.c"), expected.map(|path| out.join(path)));
    if nanopb() {
        for source in find(&out, ".pb.c") {
            run(compiler("gcc", &out, &["-std=c99"]).arg("-c").arg(source).arg("-o").arg(out.join("object.o")), true);
        }
    }
    write("sub/MyMain.proto", main("import \"a/b.proto\"; import \"a__b.proto\";", "one.Point one = 1;"));
    let output = messi(directory.path(), &arguments);
    let error = text(&output.stderr);
    assert!(error.contains("a__b.proto:1:1: a/b.proto makes a header with the same include guard"), "{error}");
}

#[test]
fn messages_are_as_expected() {
    for case in ["shapes", "names"] {
        let directory = generated(&[&format!("{case}.proto")]);
        let messages = tempfile::tempdir().unwrap();
        for extension in ["h", "c"] {
            let name = format!("{case}.pb.{extension}");
            fs::copy(directory.path().join(&name), messages.path().join(&name)).unwrap();
        }
        assert_golden(&format!("c_messages/{case}"), messages.path());
    }
}
