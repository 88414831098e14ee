//! Random values, and the wire format of protocol buffers by hand.
//!
//! A value is a tree of numbers and bytes. Numbers are kept as the 64 bits that stand for them: what a language makes
//! of them must come back the same.

use super::schema::{Label, Random, Schema, Type};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Value {
    /// All numbers, as they are in their own width: -1 of an `int32` is 32 ones.
    Number(u64),
    Bytes(Vec<u8>),
    Message(Content),
}

/// The values of the fields that are set, by number. Of maps a field holds pairs, a key and a value in turn.
pub type Content = BTreeMap<u32, Vec<Value>>;

/// How deep messages are in each other.
const DEPTH: usize = 3;

pub fn random(schema: &Schema, message: usize, random: &mut Random, depth: usize) -> Content {
    let mut content = Content::new();
    let description = &schema.messages[message];
    // One of each oneof, or none.
    let chosen: Vec<Option<u32>> = (0..description.oneofs.len())
        .map(|oneof| {
            let members: Vec<u32> = (description.fields.iter().filter(|field| field.label == Label::Oneof(oneof)))
                .map(|field| field.number)
                .collect();
            (random.chance(80) && !members.is_empty()).then(|| *random.pick(&members))
        })
        .collect();
    for field in &description.fields {
        if matches!(field.ty, Type::Message(_)) && depth >= DEPTH {
            continue;
        }
        let values = match &field.label {
            Label::Implicit | Label::Optional if random.chance(30) => continue,
            Label::Oneof(oneof) if chosen[*oneof] != Some(field.number) => continue,
            Label::Implicit => {
                let value = random_value(schema, &field.ty, random, depth);
                if is_default(&value) && !matches!(field.ty, Type::Message(_)) {
                    continue;
                }
                vec![value]
            }
            Label::Optional | Label::Oneof(_) => vec![random_value(schema, &field.ty, random, depth)],
            Label::Repeated => (0..random.below(5)).map(|_| random_value(schema, &field.ty, random, depth)).collect(),
            Label::Map(key) => {
                let mut pairs: Vec<(Value, Value)> = Vec::new();
                for _ in 0..random.below(4) {
                    let key = random_scalar(key, random);
                    if pairs.iter().all(|(other, _)| *other != key) {
                        pairs.push((key, random_value(schema, &field.ty, random, depth)));
                    }
                }
                pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()
            }
        };
        if !values.is_empty() {
            content.insert(field.number, values);
        }
    }
    content
}

fn random_value(schema: &Schema, ty: &Type, random: &mut Random, depth: usize) -> Value {
    match ty {
        Type::Scalar(name) => random_scalar(name, random),
        Type::Enum(index) => Value::Number(random.pick(&schema.enums[*index].values).1 as u32 as u64),
        Type::Message(index) => Value::Message(self::random(schema, *index, random, depth + 1)),
    }
}

fn random_scalar(name: &str, random: &mut Random) -> Value {
    let any = match random.below(4) {
        0 => random.next(),
        1 => random.next() % 200,
        2 => *random.pick(&[0, 1, u64::MAX, 1 << 31, 1 << 63, (1 << 31) - 1, u64::MAX >> 1, 127, 128, 16_383, 16_384]),
        _ => random.next() >> random.below(64),
    };
    match name {
        "string" => {
            let letters = ['a', 'Z', ' ', '"', '\\', '\n', 'å', '€', '🚌'];
            let text: String = (0..random.below(12)).map(|_| *random.pick(&letters)).collect();
            Value::Bytes(text.into_bytes())
        }
        "bytes" => Value::Bytes((0..random.below(20)).map(|_| random.next() as u8).collect()),
        "bool" => Value::Number(any & 1),
        // No NaN: which of them it is, a language may change.
        "double" => Value::Number((any as i64 as f64 / 8.0).to_bits()),
        "float" => Value::Number((any as i32 as f32 / 8.0).to_bits().into()),
        "int32" | "uint32" | "sint32" | "fixed32" | "sfixed32" => Value::Number(any & u64::from(u32::MAX)),
        _ => Value::Number(any),
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Number(bits) => *bits == 0,
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Message(content) => content.is_empty(),
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const VARINT: u32 = 0;
const I64: u32 = 1;
const LEN: u32 = 2;
const I32: u32 = 5;

fn wire_type(ty: &Type) -> u32 {
    match ty {
        Type::Message(_) | Type::Scalar("string" | "bytes") => LEN,
        Type::Scalar("double" | "fixed64" | "sfixed64") => I64,
        Type::Scalar("float" | "fixed32" | "sfixed32") => I32,
        Type::Scalar(_) | Type::Enum(_) => VARINT,
    }
}

/// The value without its tag.
fn encode_value(schema: &Schema, ty: &Type, value: &Value, out: &mut Vec<u8>) {
    match (ty, value) {
        (Type::Message(index), Value::Message(content)) => {
            let bytes = encode(schema, *index, content);
            varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        (_, Value::Bytes(bytes)) => {
            varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        (ty, Value::Number(bits)) => match (ty, wire_type(ty)) {
            (_, I64) => out.extend(bits.to_le_bytes()),
            (_, I32) => out.extend((*bits as u32).to_le_bytes()),
            // Negative ones take ten bytes.
            (Type::Enum(_) | Type::Scalar("int32"), _) => varint(*bits as u32 as i32 as i64 as u64, out),
            (Type::Scalar("sint32"), _) => {
                let value = *bits as u32 as i32;
                varint(((value << 1) ^ (value >> 31)) as u32 as u64, out);
            }
            (Type::Scalar("sint64"), _) => {
                let value = *bits as i64;
                varint(((value << 1) ^ (value >> 63)) as u64, out);
            }
            _ => varint(*bits, out),
        },
        _ => unreachable!("{ty:?} is not {value:?}"),
    }
}

fn encode_entry(schema: &Schema, key: &'static str, ty: &Type, pair: &[Value]) -> Vec<u8> {
    let mut entry = Vec::new();
    let key = Type::Scalar(key);
    varint(u64::from(1 << 3 | wire_type(&key)), &mut entry);
    encode_value(schema, &key, &pair[0], &mut entry);
    varint(u64::from(2 << 3 | wire_type(ty)), &mut entry);
    encode_value(schema, ty, &pair[1], &mut entry);
    entry
}

pub fn encode(schema: &Schema, message: usize, content: &Content) -> Vec<u8> {
    let mut out = Vec::new();
    for field in &schema.messages[message].fields {
        let Some(values) = content.get(&field.number) else { continue };
        let tag = |wire_type: u32| u64::from(field.number << 3 | wire_type);
        match field.label {
            Label::Map(key) => {
                for pair in values.chunks(2) {
                    let entry = encode_entry(schema, key, &field.ty, pair);
                    varint(tag(LEN), &mut out);
                    varint(entry.len() as u64, &mut out);
                    out.extend(entry);
                }
            }
            Label::Repeated if !field.unpacked && wire_type(&field.ty) != LEN => {
                let mut packed = Vec::new();
                for value in values {
                    encode_value(schema, &field.ty, value, &mut packed);
                }
                varint(tag(LEN), &mut out);
                varint(packed.len() as u64, &mut out);
                out.extend(packed);
            }
            _ => {
                for value in values {
                    varint(tag(wire_type(&field.ty)), &mut out);
                    encode_value(schema, &field.ty, value, &mut out);
                }
            }
        }
    }
    out
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for i in 0..10 {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << (7 * i);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn value(&mut self, schema: &Schema, ty: &Type) -> Option<Value> {
        Some(match wire_type(ty) {
            I64 => Value::Number(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            I32 => Value::Number(u32::from_le_bytes(self.take(4)?.try_into().ok()?).into()),
            LEN => {
                let size = self.varint()? as usize;
                let bytes = self.take(size)?;
                match ty {
                    Type::Message(index) => Value::Message(decode(schema, *index, bytes)?),
                    _ => Value::Bytes(bytes.to_vec()),
                }
            }
            _ => {
                let bits = self.varint()?;
                Value::Number(match ty {
                    Type::Enum(_) | Type::Scalar("int32" | "uint32") => bits & u64::from(u32::MAX),
                    Type::Scalar("sint32") => u64::from((bits as u32 >> 1) ^ (bits as u32 & 1).wrapping_neg()),
                    Type::Scalar("sint64") => (bits >> 1) ^ (bits & 1).wrapping_neg(),
                    _ => bits,
                })
            }
        })
    }
}

/// `None` if it is malformed, or has what the schema has not. Pairs of maps are sorted, and fields that are as if they
/// were absent are left out, so that equal contents are equal.
pub fn decode(schema: &Schema, message: usize, bytes: &[u8]) -> Option<Content> {
    let mut input = Input(bytes);
    let mut content = Content::new();
    let description = &schema.messages[message];
    while !input.0.is_empty() {
        let tag = input.varint()?;
        let (number, wire) = ((tag >> 3) as u32, (tag & 7) as u32);
        let field = description.fields.iter().find(|field| field.number == number)?;
        let values = content.entry(number).or_default();
        match field.label {
            Label::Map(key) => {
                let size = input.varint()? as usize;
                let mut entry = Input(input.take(size)?);
                // What is absent in an entry is the default.
                let absent = |ty: &Type| match ty {
                    Type::Message(_) => Value::Message(Content::new()),
                    Type::Scalar("string" | "bytes") => Value::Bytes(Vec::new()),
                    _ => Value::Number(0),
                };
                let mut pair = [absent(&Type::Scalar(key)), absent(&field.ty)];
                while !entry.0.is_empty() {
                    match entry.varint()? >> 3 {
                        1 => pair[0] = entry.value(schema, &Type::Scalar(key))?,
                        2 => pair[1] = entry.value(schema, &field.ty)?,
                        _ => return None,
                    }
                }
                values.extend(pair);
            }
            Label::Repeated if wire == LEN && wire_type(&field.ty) != LEN => {
                let size = input.varint()? as usize;
                let mut packed = Input(input.take(size)?);
                while !packed.0.is_empty() {
                    values.push(packed.value(schema, &field.ty)?);
                }
            }
            _ if wire != wire_type(&field.ty) => return None,
            Label::Repeated => values.push(input.value(schema, &field.ty)?),
            _ => *values = vec![input.value(schema, &field.ty)?],
        }
    }
    for field in &description.fields {
        let Some(values) = content.get_mut(&field.number) else { continue };
        if matches!(field.label, Label::Map(_)) {
            let mut pairs: Vec<Vec<Value>> = values.chunks(2).map(<[Value]>::to_vec).collect();
            pairs.sort_by(|a, b| a.partial_cmp(b).expect("bits can be compared"));
            *values = pairs.concat();
        }
        let absent = values.is_empty()
            || field.label == Label::Implicit && !matches!(field.ty, Type::Message(_)) && is_default(&values[0]);
        if absent {
            content.remove(&field.number);
        }
    }
    Some(content)
}
