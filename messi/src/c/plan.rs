//! Decides where every field's value is, and in which order structs can be declared.

use super::cycles::{break_cycles, check_cycles, held, post_order};
use super::layout::{LIMIT, measure};
use super::names;
use super::options::{self, Options};
use crate::error::Error;
use crate::model::Model;
use prost_reflect::{
    EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, OneofDescriptor, Syntax,
};
use std::collections::{BTreeSet, HashMap};

/// All that is generated.
#[derive(Debug)]
pub(super) struct Plan {
    /// Imported ones before those that import them.
    pub(super) files: Vec<FileDescriptor>,
    pub(super) enums: Vec<EnumDescriptor>,
    pub(super) messages: Vec<Message>,
    /// The messages, those that are held in a struct before it.
    pub(super) order: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) descriptor: MessageDescriptor,
    /// The tag of its struct.
    pub(super) name: String,
    /// As they are declared; without those that are ignored.
    pub(super) fields: Vec<Field>,
    /// How large nanopb's descriptors of its fields are.
    pub(super) width: &'static str,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) descriptor: FieldDescriptor,
    /// The member.
    pub(super) name: String,
    /// The member that is the union it is in.
    pub(super) oneof: Option<String>,
    pub(super) rule: Rule,
    pub(super) place: Place,
    pub(super) value: Value,
    /// Whether the place is one that the .proto file asks for.
    pub(super) pinned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Singular,
    Optional,
    Repeated,
    FixedArray,
    Oneof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Pointer,
    /// With as many items.
    Static(u32),
}

/// What an item is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number {
        c: &'static str,
        nanopb: &'static str,
        size: u32,
    },
    Enum(EnumDescriptor),
    /// The size, if it is in the struct.
    String(Option<u32>),
    Bytes(Option<u32>),
    FixedBytes(u32),
    /// By its place among all messages.
    Message(usize),
}

impl Plan {
    pub(super) fn new(model: &Model) -> Result<Plan, Error> {
        let files = needed(model)?;
        let mut enums = Vec::new();
        let mut descriptors = Vec::new();
        for file in &files {
            enums.extend(file.enums());
            let mut pending: Vec<MessageDescriptor> = file.messages().collect();
            pending.reverse();
            while let Some(message) = pending.pop() {
                enums.extend(message.child_enums());
                let at = pending.len();
                pending.extend(message.child_messages());
                pending[at..].reverse();
                descriptors.push(message);
            }
        }
        let index: HashMap<String, usize> =
            descriptors.iter().enumerate().map(|(i, message)| (message.full_name().to_owned(), i)).collect();
        let mut messages = Vec::new();
        for descriptor in descriptors {
            let mut fields: Vec<FieldDescriptor> = descriptor.fields().collect();
            // The message's own order is by number.
            fields.sort_by(|a, b| a.path().cmp(b.path()));
            let mut planned = Vec::new();
            for field in fields {
                planned.extend(plan_field(model, &index, field)?);
            }
            messages.push(Message { name: names::message(&descriptor), fields: planned, width: "AUTO", descriptor });
        }
        break_cycles(&mut messages);
        let order = post_order(&held(&messages));
        check_cycles(model, &messages, &order)?;
        measure(model, &mut messages, &order)?;
        Ok(Plan { files, enums, messages, order })
    }
}

/// All files, but of those that come with the generator only such as have a type that is used.
fn needed(model: &Model) -> Result<Vec<FileDescriptor>, Error> {
    let mut needed: BTreeSet<String> =
        model.files.iter().filter(|file| !file.bundled).map(|file| file.descriptor.name().to_owned()).collect();
    // An importing file comes after what it imports.
    for file in model.files.iter().rev() {
        if !needed.contains(file.descriptor.name()) {
            continue;
        }
        let mut messages: Vec<MessageDescriptor> = file.descriptor.messages().collect();
        while let Some(message) = messages.pop() {
            messages.extend(message.child_messages());
            for field in message.fields() {
                let used = match field.kind() {
                    Kind::Message(message) => message.parent_file(),
                    Kind::Enum(an_enum) => an_enum.parent_file(),
                    _ => continue,
                };
                if used.syntax() != Syntax::Proto3 {
                    let what = format!("`{}` is of proto2, which has no types in C: use another", field.name());
                    return Err(model.error(&field, what));
                }
                needed.insert(used.name().to_owned());
            }
        }
    }
    let files = model.files.iter().map(|file| &file.descriptor);
    Ok(files.filter(|file| needed.contains(file.name())).cloned().collect())
}

/// `None`: the field is ignored.
fn plan_field(model: &Model, index: &HashMap<String, usize>, field: FieldDescriptor) -> Result<Option<Field>, Error> {
    let options = Options::of(model, &field)?;
    let refuse = |what: &str| model.error(&field, format!("`{}` {what}", field.name()));
    let in_root = is_in_root(model, &field);
    if options.place == options::Place::Ignore {
        let what = "is a message of the protocol, which FT_IGNORE cannot take out";
        return if in_root { Err(refuse(what)) } else { Ok(None) };
    }
    if u64::from(field.number()) > LIMIT {
        return Err(refuse("has a number above 65535, for which nanopb has no room: give it a smaller one"));
    }
    let mut value = value_of(index, &field, &options);
    if let Some(int_size) = options.int_size {
        narrow(&mut value, int_size).map_err(refuse)?;
    }
    let repeated = field.is_list() || field.is_map();
    let place = place_of(&value, &options, repeated);
    if place == Place::Pointer {
        check_pointer(&value, &options, repeated, in_root).map_err(refuse)?;
        value = match value {
            Value::String(_) => Value::String(None),
            Value::Bytes(_) | Value::FixedBytes(_) => Value::Bytes(None),
            value => value,
        };
    }
    if (options.fixed_length && options.max_size.is_none() && field.kind() == Kind::Bytes)
        || (options.fixed_count && options.max_count.is_none() && repeated)
    {
        return Err(refuse("has a fixed size that is not given: add max_size or max_count"));
    }
    Ok(Some(Field {
        name: names::member(field.name()),
        oneof: real_oneof(&field).map(|oneof| names::member(oneof.name())),
        rule: match place {
            Place::Static(_) if repeated && options.fixed_count => Rule::FixedArray,
            _ if repeated => Rule::Repeated,
            _ if real_oneof(&field).is_some() => Rule::Oneof,
            _ if field.supports_presence() => Rule::Optional,
            _ => Rule::Singular,
        },
        place,
        value,
        pinned: in_root || options.place == options::Place::Static || repeated,
        descriptor: field,
    }))
}

/// What one item of a field is, with the sizes that are asked for.
fn value_of(index: &HashMap<String, usize>, field: &FieldDescriptor, options: &Options) -> Value {
    let number = |c, nanopb, size| Value::Number { c, nanopb, size };
    match field.kind() {
        Kind::Double => number("double", "DOUBLE", 8),
        Kind::Float => number("float", "FLOAT", 4),
        Kind::Int32 => number("int32_t", "INT32", 4),
        Kind::Int64 => number("int64_t", "INT64", 8),
        Kind::Uint32 => number("uint32_t", "UINT32", 4),
        Kind::Uint64 => number("uint64_t", "UINT64", 8),
        Kind::Sint32 => number("int32_t", "SINT32", 4),
        Kind::Sint64 => number("int64_t", "SINT64", 8),
        Kind::Fixed32 => number("uint32_t", "FIXED32", 4),
        Kind::Fixed64 => number("uint64_t", "FIXED64", 8),
        Kind::Sfixed32 => number("int32_t", "SFIXED32", 4),
        Kind::Sfixed64 => number("int64_t", "SFIXED64", 8),
        Kind::Bool => number("bool", "BOOL", 1),
        Kind::String => Value::String(options.max_size),
        Kind::Bytes => match options.max_size {
            Some(size) if options.fixed_length && options.place != options::Place::Pointer => Value::FixedBytes(size),
            size => Value::Bytes(size),
        },
        Kind::Enum(an_enum) => Value::Enum(an_enum),
        Kind::Message(message) => Value::Message(index[message.full_name()]),
    }
}

/// Gives an integer of variable length as many bytes, or says why it cannot have them.
fn narrow(value: &mut Value, int_size: u32) -> Result<(), &'static str> {
    if let Value::Number { nanopb, size, c } = value
        && nanopb.contains("INT")
    {
        *c = match (int_size, c.starts_with('u')) {
            (1, true) => "uint8_t",
            (1, false) => "int8_t",
            (2, true) => "uint16_t",
            (2, false) => "int16_t",
            _ if int_size == *size => c,
            _ => return Err("can have an int_size of IS_8 or IS_16 only: remove it, or change the type"),
        };
        *size = int_size;
    }
    Ok(())
}

/// What has all of its sizes is in the struct, unless FT_POINTER is asked for.
fn place_of(value: &Value, options: &Options, repeated: bool) -> Place {
    let is_sized = !matches!(value, Value::String(None) | Value::Bytes(None));
    if options.place == options::Place::Pointer || !is_sized || repeated && options.max_count.is_none() {
        Place::Pointer
    } else {
        Place::Static(if repeated { options.max_count.unwrap_or(1) } else { 1 })
    }
}

/// Why a field cannot be behind a pointer, if it cannot.
fn check_pointer(value: &Value, options: &Options, repeated: bool, in_root: bool) -> Result<(), &'static str> {
    match (value, options.place) {
        (_, options::Place::Static) => Err("needs its sizes for FT_STATIC: max_size, max_count or both"),
        (Value::Number { .. } | Value::Enum(_), _) if !repeated => {
            Err("is a number, which is in its struct: FT_POINTER is for all else")
        }
        (_, options::Place::Default) if options.own_size => {
            Err("has one of its sizes only: give max_size and max_count, or none")
        }
        _ if in_root => Err("is a message of the protocol, which cannot be behind a pointer: remove FT_POINTER"),
        _ => Ok(()),
    }
}

/// The oneof that a field is in, if it is one that the file declares.
fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}

/// Whether a field is one of the messages of a protocol, which have functions that fill them in.
fn is_in_root(model: &Model, field: &FieldDescriptor) -> bool {
    let protocols = model.files.iter().filter_map(|file| file.protocol.as_ref());
    protocols
        .flat_map(|protocol| [&protocol.client_to_server, &protocol.server_to_client])
        .any(|root| field.containing_oneof().is_some_and(|oneof| oneof == root.oneof))
}
