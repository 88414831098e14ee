//! Messages in C: structs, and descriptors of them for nanopb 0.4.
//!
//! What has a fixed size is in its struct, and all else is behind a pointer: [`plan`](super::plan) says which is which.
//! This module names things, puts structs into an order in which they can be declared, and writes the files.

use super::names::{self, Names};
use super::plan::{Field, Message, Place, Plan, Rule, Value};
use crate::error::Error;
use crate::model::{Located, Model};
use crate::names::snake;
use crate::output::Generated;
use crate::templates::{self, Template};
use prost_reflect::{EnumDescriptor, EnumValueDescriptor, FileDescriptor, Kind};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

const TEMPLATES: &[Template] = &[
    ("pb.h", include_str!("../../templates/c/pb.h.jinja")),
    ("pb.c", include_str!("../../templates/c/pb.c.jinja")),
    ("comment", include_str!("../../templates/c/comment.jinja")),
];

#[derive(Serialize)]
struct FileContext {
    file: String,
    /// Its path, without an extension, and the last part of that.
    path: String,
    name: String,
    guard: String,
    includes: Vec<String>,
    enums: Vec<EnumContext>,
    messages: Vec<MessageContext>,
    /// The same in an order in which what a struct holds comes before it.
    structs: Vec<usize>,
}

#[derive(Serialize)]
struct EnumContext {
    name: String,
    comment: Vec<String>,
    values: Vec<ConstantContext>,
}

#[derive(Serialize)]
struct ConstantContext {
    name: String,
    comment: Vec<String>,
    value: String,
}

#[derive(Serialize)]
struct MessageContext {
    /// What its names begin with, and the tag of its struct.
    prefix: String,
    name: String,
    comment: Vec<String>,
    /// Of the struct, a oneof being one member.
    members: Vec<MemberContext>,
    /// In order of their numbers.
    fields: Vec<FieldContext>,
    tags: Vec<ConstantContext>,
    width: &'static str,
    /// Entries of the table of fields that need more than nanopb's descriptor.
    extras: Vec<ExtraContext>,
}

#[derive(Serialize)]
struct MemberContext {
    comment: Vec<String>,
    /// The oneof's name, if it is one; then there are fields in it.
    oneof: Option<String>,
    lines: Vec<String>,
    fields: Vec<MemberContext>,
}

#[derive(Serialize)]
struct FieldContext {
    storage: &'static str,
    rule: &'static str,
    kind: &'static str,
    /// As nanopb's macros take it.
    path: String,
    tag: u32,
    /// The macro that names the type of its messages, and that type.
    message: Option<(String, String)>,
}

#[derive(Serialize)]
struct ExtraContext {
    tag: u32,
    flags: &'static str,
    count: String,
    size: String,
}

/// Structs and descriptors for all messages of the model's files, but of those that come with the generator only for
/// such as are used.
pub(super) fn generate(model: &Model) -> Result<Vec<Generated>, Error> {
    let plan = Plan::new(model)?;
    check_names(model, &plan)?;
    let mut generated = Vec::new();
    let mut guards = BTreeMap::new();
    for file in &plan.files {
        let context = file_context(&plan, file);
        if let Some(other) = guards.insert(context.guard.clone(), file.name().to_owned()) {
            let what = format!("{other} makes a header with the same include guard: rename one");
            return Err(model.error(file, what));
        }
        for extension in ["h", "c"] {
            let text = templates::render(TEMPLATES, &format!("pb.{extension}"), &context);
            generated.push(Generated { path: PathBuf::from(format!("{}.pb.{extension}", context.path)), text });
        }
    }
    Ok(generated)
}

/// The path of the files made of this one, without their extensions.
pub(super) fn path(file: &FileDescriptor) -> String {
    let name = file.name().strip_suffix(".proto").unwrap_or(file.name());
    match name.rsplit_once('/') {
        Some((directory, stem)) => format!("{directory}/{}", snake(stem)),
        None => snake(name),
    }
}

fn file_context(plan: &Plan, file: &FileDescriptor) -> FileContext {
    let path = path(file);
    let comments = Comments::new(file);
    let imports = file.dependencies().filter(|import| plan.files.contains(import));
    let messages: Vec<usize> =
        (0..plan.messages.len()).filter(|&i| plan.messages[i].descriptor.parent_file() == *file).collect();
    let structs = plan.order.iter().filter_map(|i| messages.binary_search(i).ok());
    FileContext {
        file: file.name().to_owned(),
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        guard: guard(&path),
        includes: imports.map(|import| self::path(&import) + ".pb.h").collect(),
        enums: plan.enums.iter().filter(|e| e.parent_file() == *file).map(|e| enum_context(&comments, e)).collect(),
        structs: structs.collect(),
        messages: messages.iter().map(|&i| message_context(&comments, plan, &plan.messages[i])).collect(),
        path,
    }
}

fn guard(path: &str) -> String {
    let letters = path.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase().into()
        } else {
            match c {
                '/' => "__".to_owned(),
                _ => "_".to_owned(),
            }
        }
    });
    // A name that begins with a digit or an underscore is no one's to define.
    format!("PB_{}_H", letters.collect::<String>())
}

/// The comments of a file, by the paths of what they are before.
struct Comments<'a>(HashMap<&'a [i32], &'a str>);

impl<'a> Comments<'a> {
    fn new(file: &'a FileDescriptor) -> Comments<'a> {
        let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
        let comments =
            locations.filter_map(|location| Some((&location.path[..], location.leading_comments.as_deref()?)));
        Comments(comments.collect())
    }

    /// A comment's lines, none of which ends it or begins another.
    fn of(&self, at: &impl Located) -> Vec<String> {
        let lines = self.0.get(&at.location()[..]).copied().unwrap_or_default().trim_end().lines();
        let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
        lines.map(|line| line.replace("*/", "* /").replace("/*", "/ *")).collect()
    }
}

fn enum_context(comments: &Comments, an_enum: &EnumDescriptor) -> EnumContext {
    // The enum's own order is by number.
    let mut values: Vec<EnumValueDescriptor> = an_enum.values().collect();
    values.sort_by(|a, b| a.path().cmp(b.path()));
    let values = values.iter().map(|value| ConstantContext {
        name: names::enum_value(value),
        comment: comments.of(value),
        value: value.number().to_string(),
    });
    EnumContext { name: names::enumeration(an_enum), comment: comments.of(an_enum), values: values.collect() }
}

fn message_context(comments: &Comments, plan: &Plan, message: &Message) -> MessageContext {
    let prefix = names::message_prefix(&message.descriptor);
    let mut members: Vec<MemberContext> = Vec::new();
    for field in &message.fields {
        let member = MemberContext {
            comment: comments.of(&field.descriptor),
            oneof: None,
            lines: declarations(plan, field),
            fields: Vec::new(),
        };
        let Some(oneof) = &field.oneof else {
            members.push(member);
            continue;
        };
        // From the end: the fields of a oneof are declared together.
        match members.iter_mut().rev().find(|member| member.oneof.as_ref() == Some(oneof)) {
            Some(union) => union.fields.push(member),
            None => members.push(MemberContext {
                comment: field.descriptor.containing_oneof().map(|oneof| comments.of(&oneof)).unwrap_or_default(),
                oneof: Some(oneof.clone()),
                lines: Vec::new(),
                fields: vec![member],
            }),
        }
    }
    let mut sorted: Vec<&Field> = message.fields.iter().collect();
    sorted.sort_by_key(|field| field.descriptor.number());
    let tags = message.fields.iter().map(|field| ConstantContext {
        name: names::tag(&field.descriptor),
        comment: Vec::new(),
        value: field.descriptor.number().to_string(),
    });
    MessageContext {
        name: message.name.clone(),
        comment: comments.of(&message.descriptor),
        members,
        fields: sorted.iter().map(|field| field_context(plan, message, field)).collect(),
        tags: tags.collect(),
        width: message.width,
        extras: sorted.iter().filter_map(|field| extra(plan, message, field)).collect(),
        prefix,
    }
}

/// The type of one item, without its place behind a pointer or in an array.
fn item_type(plan: &Plan, field: &Field) -> String {
    match &field.value {
        Value::Number { c, .. } => (*c).to_owned(),
        Value::Enum(an_enum) => format!("enum {}", names::enumeration(an_enum)),
        Value::Message(message) => format!("struct {}", plan.messages[*message].name),
        Value::String(None) => "const char *".to_owned(),
        Value::Bytes(None) => "struct messi_bytes_t".to_owned(),
        Value::String(Some(_)) => "char".to_owned(),
        Value::Bytes(Some(size)) => format!("PB_BYTES_ARRAY_T({size})"),
        Value::FixedBytes(_) => "pb_byte_t".to_owned(),
    }
}

fn declarations(plan: &Plan, field: &Field) -> Vec<String> {
    let name = &field.name;
    let item = item_type(plan, field);
    // `const char *name`, but `int name`.
    let space = if item.ends_with('*') { "" } else { " " };
    let size = match field.value {
        Value::String(Some(size)) | Value::FixedBytes(size) => format!("[{size}]"),
        _ => String::new(),
    };
    match (field.rule, field.place) {
        (Rule::Repeated, Place::Pointer) => vec![format!("size_t {name}_count;"), format!("{item}{space}*{name};")],
        (Rule::Repeated, Place::Static(count)) => {
            vec![format!("pb_size_t {name}_count;"), format!("{item}{space}{name}[{count}]{size};")]
        }
        (Rule::FixedArray, Place::Static(count)) => vec![format!("{item}{space}{name}[{count}]{size};")],
        (_, Place::Pointer) if matches!(field.value, Value::Message(_)) => vec![format!("{item} *{name};")],
        (Rule::Optional, Place::Static(_)) => {
            vec![format!("bool has_{name};"), format!("{item}{space}{name}{size};")]
        }
        _ => vec![format!("{item}{space}{name}{size};")],
    }
}

fn field_context(plan: &Plan, message: &Message, field: &Field) -> FieldContext {
    let name = &field.name;
    let path = match &field.oneof {
        Some(oneof) => format!("({oneof},{name},{oneof}.{name})"),
        None => name.clone(),
    };
    FieldContext {
        storage: if field.place == Place::Pointer { "CALLBACK" } else { "STATIC" },
        rule: match field.rule {
            Rule::Singular => "SINGULAR",
            Rule::Optional => "OPTIONAL",
            Rule::Repeated => "REPEATED",
            Rule::FixedArray => "FIXARRAY",
            Rule::Oneof => "ONEOF",
        },
        kind: match field.value {
            Value::Number { nanopb, .. } => nanopb,
            Value::Enum(_) => "ENUM",
            Value::String(_) => "STRING",
            Value::Bytes(_) => "BYTES",
            Value::FixedBytes(_) => "FIXED_LENGTH_BYTES",
            Value::Message(_) => "MESSAGE",
        },
        path,
        tag: field.descriptor.number(),
        message: match field.value {
            Value::Message(inner) => Some((message_macro(message, field), plan.messages[inner].name.clone())),
            _ => None,
        },
    }
}

/// What nanopb's macros look for the type of a field of messages by.
fn message_macro(message: &Message, field: &Field) -> String {
    let oneof = field.oneof.as_ref().map(|oneof| format!("{oneof}_")).unwrap_or_default();
    format!("{}_{oneof}{}_MSGTYPE", message.name, field.name)
}

fn extra(plan: &Plan, message: &Message, field: &Field) -> Option<ExtraContext> {
    let zero = || "0".to_owned();
    let tag = field.descriptor.number();
    if field.place != Place::Pointer {
        // The struct that holds these bytes has padding behind them, which nanopb takes for room.
        return match field.value {
            Value::Bytes(Some(size)) if size % 4 != 0 => {
                Some(ExtraContext { tag, flags: "0", count: zero(), size: size.to_string() })
            }
            _ => None,
        };
    }
    let repeated = field.rule == Rule::Repeated;
    Some(ExtraContext {
        tag,
        flags: match field.rule {
            Rule::Optional => "MESSI_PB_OPTIONAL",
            Rule::Repeated if field.descriptor.is_packed() => "MESSI_PB_PACKED",
            _ => "0",
        },
        count: match repeated {
            true => format!("offsetof(struct {}, {}_count)", message.name, field.name),
            false => zero(),
        },
        size: match field.value {
            Value::Message(_) => format!("sizeof({})", item_type(plan, field)),
            _ if repeated => format!("sizeof({})", item_type(plan, field)),
            _ => zero(),
        },
    })
}

/// That no two things have one name in C, in all files together: they are linked.
fn check_names(model: &Model, plan: &Plan) -> Result<(), Error> {
    let mut global = Names::default();
    for an_enum in &plan.enums {
        let what = format!("`{}`", an_enum.full_name());
        global.add_type(model, an_enum, &what, names::enumeration(an_enum))?;
        for value in an_enum.values() {
            global.add(model, &value, &format!("`{}`", value.full_name()), names::enum_value(&value))?;
        }
    }
    for message in &plan.messages {
        let descriptor = &message.descriptor;
        let what = format!("`{}`", descriptor.full_name());
        global.add_type(model, descriptor, &what, message.name.clone())?;
        let prefix = names::message_prefix(descriptor);
        for suffix in
            ["fields", "init_zero", "FIELDLIST", "DEFAULT", "CALLBACK", "t_msg", "t_field_info", "t_submsg_info"]
        {
            global.add(model, descriptor, &what, format!("{prefix}_{suffix}"))?;
        }
        for suffix in ["members", "callback"] {
            global.add(model, descriptor, &what, format!("{prefix}_{suffix}"))?;
        }
        let mut members = Names::default();
        let mut oneofs: Vec<&str> = Vec::new();
        for field in &message.fields {
            let at = &field.descriptor;
            let what = format!("`{}`", at.full_name());
            global.add(model, at, &what, names::tag(at))?;
            if let Kind::Message(_) = at.kind() {
                global.add(model, at, &what, message_macro(message, field))?;
            }
            match &field.oneof {
                Some(oneof) if !oneofs.contains(&&**oneof) => {
                    oneofs.push(oneof);
                    members.add(model, at, &format!("the oneof `{oneof}`"), oneof.clone())?;
                    members.add(model, at, &format!("the oneof `{oneof}`"), format!("which_{oneof}"))?;
                }
                Some(_) => {}
                None => members.add(model, at, &what, field.name.clone())?,
            }
            match (field.rule, field.place) {
                (Rule::Repeated, _) => members.add(model, at, &what, format!("{}_count", field.name))?,
                (Rule::Optional, Place::Static(_)) => members.add(model, at, &what, format!("has_{}", field.name))?,
                _ => {}
            }
        }
    }
    Ok(())
}
