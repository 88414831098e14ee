//! Rust for `rust_messenger`: prost types, and the `Protocol` that `messi::Server` and `messi::Client` take.
//!
//! Each given file becomes one file of Rust that is complete in itself: what it imports is in it, too. So two given
//! files that import a third have types of their own for what it declares, and each a protocol that knows nothing of
//! the other.
//!
//! The types are prost-build's, the well-known ones of `google/protobuf` among them, so that every type can be a
//! member. The modules are the packages, in `proto`; what the file itself declares is also at the top.

use crate::model::{File, Located, Member, Root};
use crate::{Error, Generated, Model, templates};
use heck::ToUpperCamelCase;
use prost_build::Module;
use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The ids of a protocol on the bus. Two protocols in one routing table need different ones.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The handler id of the server. Default: 0xFE00.
    pub server: u16,
    /// The handler id of the client. Default: 0xFE01.
    pub client: u16,
    /// Where the ids of the messages begin: each member has four, from here on by its field number.
    /// Default: 0x1000.
    pub messages: u16,
}

impl Default for Options {
    /// Ids that are out of the way of handlers and messages that are numbered from 0.
    fn default() -> Options {
        Options { server: 0xFE00, client: 0xFE01, messages: 0x1000 }
    }
}

/// The ids from here on are the library's.
const FIRST_OF_LIBRARY: u32 = 0xFF00;

const TEMPLATES: [templates::Template; 1] = [("protocol.rs", include_str!("../templates/rust/protocol.rs.jinja"))];

/// One file of Rust for each given file.
///
/// # Errors
///
/// If names that differ in the .proto file are the same in Rust, a message is a member of one root twice, or a member's
/// number gives an id that is the library's.
pub fn generate(model: &Model, options: &Options) -> Result<Vec<Generated>, Error> {
    model.files.iter().filter(|file| file.given).map(|file| generate_file(model, file, options)).collect()
}

#[derive(Serialize)]
struct Context {
    file: String,
    packages: String,
    shapes: Vec<ShapeContext>,
    protocol: Option<Protocol>,
    uses: Vec<String>,
}

/// What the fields of a type are, by their numbers.
#[derive(Serialize)]
struct ShapeContext {
    path: String,
    shape: String,
}

#[derive(Serialize)]
struct Protocol {
    name: String,
    server: u16,
    client: u16,
    messages: String,
    roots: Vec<RootContext>,
}

#[derive(Serialize)]
struct RootContext {
    path: String,
    oneof: String,
    members: Vec<MemberContext>,
}

#[derive(Serialize)]
struct MemberContext {
    variant: String,
    path: String,
    number: u32,
}

fn generate_file(model: &Model, file: &File, options: &Options) -> Result<Generated, Error> {
    let files = needed(model, file);
    check_names(model, &files)?;
    let requests = files
        .iter()
        .map(|file| (Module::from_protobuf_package_name(file.package_name()), file.file_descriptor_proto().clone()))
        .collect();
    let modules = prost_build::Config::new().compile_well_known_types().generate(requests).map_err(|error| {
        // It has only paths to refuse, and gets none.
        model.error(&file.descriptor, error.to_string())
    })?;
    let own = module(file.descriptor.package_name());
    let mut uses = Vec::new();
    if file.descriptor.messages().next().is_some() || file.descriptor.enums().next().is_some() {
        uses.push(format!("proto{}::*", own.iter().map(|part| format!("::{part}")).collect::<String>()));
    }
    let protocol = match &file.protocol {
        None => None,
        Some(protocol) => {
            let name = protocol_name(file);
            if !own.is_empty() {
                uses.push(format!("proto::{name}"));
            }
            Some(Protocol {
                name,
                server: options.server,
                client: options.client,
                messages: format!("{:#x}", options.messages),
                roots: [&protocol.client_to_server, &protocol.server_to_client]
                    .into_iter()
                    .map(|root| root_context(model, root, options))
                    .collect::<Result<_, _>>()?,
            })
        }
    };
    let shapes = shapes(model, &files);
    let context =
        Context { file: format!("{}.proto", file_stem(file)), packages: tree(modules), shapes, protocol, uses };
    let text = templates::render(&TEMPLATES, "protocol.rs", context);
    Ok(Generated { path: format!("{}.rs", file.stem).into(), text })
}

fn file_stem(file: &File) -> &str {
    let name = file.descriptor.name();
    let name = name.rsplit('/').next().unwrap_or(name);
    name.strip_suffix(".proto").unwrap_or(name)
}

/// The protocol's name: the file's, unless a type of the package has it.
fn protocol_name(file: &File) -> String {
    let name = file.stem.to_upper_camel_case();
    let mut types = (file.descriptor.messages().map(|message| type_name(message.name())))
        .chain(file.descriptor.enums().map(|an_enum| type_name(an_enum.name())));
    if types.any(|there| there == name) { format!("{name}Protocol") } else { name }
}

fn root_context(model: &Model, root: &Root, options: &Options) -> Result<RootContext, Error> {
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut members = Vec::new();
    for Member { field, message } in &root.members {
        if *message == root.message {
            let what = format!("`{}` cannot be a member of itself: wrap it in a message", message.name());
            return Err(model.error(field, what));
        }
        if let Some(other) = seen.insert(message.full_name().to_owned(), field.name().to_owned()) {
            let what = format!(
                "`{}` and `{other}` have the same type, by which alone a message on the bus is known: wrap it in a \
                 message of its own",
                field.name()
            );
            return Err(model.error(field, what));
        }
        let last = u32::from(options.messages) + field.number() * 4 + 3;
        if last >= FIRST_OF_LIBRARY {
            let largest = (FIRST_OF_LIBRARY - 4).saturating_sub(options.messages.into()) / 4;
            let what = format!(
                "the number of `{}` gives ids that are the library's: give it one of up to {largest}, or let messages \
                 begin earlier",
                field.name()
            );
            return Err(model.error(field, what));
        }
        members.push(MemberContext {
            variant: type_name(field.name()),
            path: type_path(message),
            number: field.number(),
        });
    }
    let mut nested = (root.message.child_messages().map(|message| type_name(message.name())))
        .chain(root.message.child_enums().map(|an_enum| type_name(an_enum.name())));
    // As prost-build names it beside a type of the same name.
    let oneof = if nested.any(|name| name == "Messages") { "MessagesOneOf" } else { "Messages" };
    let mut inner = module(root.message.full_name());
    inner.push(oneof.to_owned());
    Ok(RootContext { path: type_path(&root.message), oneof: inner.join("::"), members })
}

// -------------------------------------------------------------------------------------------------------------- shapes

/// A list with more fields than that, in all messages within each other, is not written to its end.
const MAX_LISTED: usize = 1000;

/// The lists of all messages but those that come with the generator, which are listed where they are fields.
fn shapes(model: &Model, files: &[FileDescriptor]) -> Vec<ShapeContext> {
    let is_bundled = |file: &FileDescriptor| model.files.iter().any(|f| f.bundled && f.descriptor == *file);
    let mut messages: Vec<MessageDescriptor> =
        files.iter().filter(|file| !is_bundled(file)).flat_map(FileDescriptor::messages).collect();
    let mut shapes = Vec::new();
    while let Some(message) = messages.pop() {
        messages.extend(message.child_messages());
        if !message.is_map_entry() {
            let shape = message_shape(&message, &mut Vec::new(), &mut 0);
            shapes.push(ShapeContext { path: type_path(&message), shape });
        }
    }
    shapes.sort_by(|one, other| one.path.cmp(&other.path));
    shapes
}

/// The numbers and types of the fields of a message; `?` for one that is in itself, and beyond [`MAX_LISTED`].
fn message_shape(message: &MessageDescriptor, around: &mut Vec<String>, listed: &mut usize) -> String {
    if around.iter().any(|outer| outer == message.full_name()) || *listed >= MAX_LISTED {
        return "?".to_owned();
    }
    around.push(message.full_name().to_owned());
    let mut fields: Vec<FieldDescriptor> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    *listed += fields.len();
    let fields = fields.iter().map(|field| format!("{} {}", field.number(), field_shape(field, around, listed)));
    let fields: Vec<String> = fields.collect();
    around.pop();
    format!("message<{}>", fields.join(", "))
}

fn field_shape(field: &FieldDescriptor, around: &mut Vec<String>, listed: &mut usize) -> String {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let mut of = |field: FieldDescriptor| field_shape(&field, around, listed);
            format!("map<{}, {}>", of(entry.map_entry_key_field()), of(entry.map_entry_value_field()))
        }
        kind => {
            let shape = kind_shape(&kind, around, listed);
            if field.is_list() { format!("list<{shape}>") } else { shape }
        }
    }
}

fn kind_shape(kind: &Kind, around: &mut Vec<String>, listed: &mut usize) -> String {
    let word = match kind {
        Kind::Message(message) => return message_shape(message, around, listed),
        Kind::Enum(_) => "enum",
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
    };
    word.to_owned()
}

// --------------------------------------------------------------------------------------------------------------- names

/// A path of packages and messages as modules.
fn module(path: &str) -> Vec<String> {
    Module::from_protobuf_package_name(path).parts().map(str::to_owned).collect()
}

/// The name of a message, an enum, or a member of a oneof, as prost-build makes it.
fn type_name(name: &str) -> String {
    identifier(name.to_upper_camel_case())
}

fn identifier(name: String) -> String {
    match name.as_str() {
        "Self" => "Self_".to_owned(),
        _ if name.starts_with(|c: char| c.is_numeric()) => format!("_{name}"),
        _ => name,
    }
}

/// The name of an enum's value without the enum's, as prost-build makes it.
fn value_name(an_enum: &str, value: &str) -> String {
    let value = type_name(value);
    match value.strip_prefix(&type_name(an_enum)) {
        Some(rest) if rest.starts_with(char::is_uppercase) => identifier(rest.to_owned()),
        _ => value,
    }
}

fn type_path(message: &MessageDescriptor) -> String {
    let around = match message.parent_message() {
        Some(parent) => module(parent.full_name()),
        None => module(message.package_name()),
    };
    around.into_iter().chain([type_name(message.name())]).collect::<Vec<_>>().join("::")
}

/// Names of one kind in one place, which must differ.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn add(&mut self, model: &Model, at: &impl Located, name: &str, in_rust: String) -> Result<(), Error> {
        // Of underscores only nothing is left.
        if in_rust.is_empty() || in_rust == "_" {
            return Err(model.error(at, format!("`{name}` has no name in Rust: rename it")));
        }
        match self.0.get(&in_rust) {
            Some(other) => {
                let what = format!("`{name}` and `{other}` are both `{in_rust}` in Rust: rename one of them");
                Err(model.error(at, what))
            }
            None => {
                self.0.insert(in_rust, name.to_owned());
                Ok(())
            }
        }
    }
}

/// Whether what prost-build makes of the files has any name twice.
fn check_names(model: &Model, files: &[FileDescriptor]) -> Result<(), Error> {
    // By the module that it is in: types and modules have one namespace there.
    let mut scopes: BTreeMap<Vec<String>, Names> = BTreeMap::new();
    for file in files {
        let package = module(file.package_name());
        for (depth, part) in package.iter().enumerate() {
            let names = scopes.entry(package[..depth].to_vec()).or_default();
            if part.is_empty() || part == "_" {
                return Err(model.error(file, "a part of the package has no name in Rust: rename it"));
            }
            // Many files may be in it.
            names.0.insert(part.clone(), format!("package {}", file.package_name()));
        }
    }
    for file in files {
        let scope = module(file.package_name());
        for message in file.messages() {
            check_message(model, &mut scopes, &scope, &message)?;
        }
        for an_enum in file.enums() {
            check_enum(model, &mut scopes, &scope, &an_enum)?;
        }
    }
    Ok(())
}

fn check_message(
    model: &Model,
    scopes: &mut BTreeMap<Vec<String>, Names>,
    scope: &[String],
    message: &MessageDescriptor,
) -> Result<(), Error> {
    if message.is_map_entry() {
        return Ok(());
    }
    let names = scopes.entry(scope.to_vec()).or_default();
    names.add(model, message, message.name(), type_name(message.name()))?;
    let real_oneofs = || message.oneofs().filter(|oneof| !oneof.is_synthetic());
    let nested = message.child_messages().any(|child| !child.is_map_entry());
    let inner: Vec<String> = scope.iter().cloned().chain(module(message.name())).collect();
    if nested || message.child_enums().next().is_some() || real_oneofs().next().is_some() {
        names.add(model, message, message.name(), inner.last().cloned().unwrap_or_default())?;
    }
    let mut fields = Names::default();
    let in_oneof = |field: &FieldDescriptor| field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
    for field in message.fields().filter(|field| !in_oneof(field)) {
        let name = module(field.name()).concat();
        // prost makes it a part of another name, with the `r#`.
        if name.starts_with("r#") && maps_to_enum(&field) {
            let what =
                format!("`{}` is a keyword of Rust, which no map of enums can be called: rename it", field.name());
            return Err(model.error(&field, what));
        }
        fields.add(model, &field, field.name(), name)?;
    }
    let mut oneof_types = Names::default();
    for oneof in real_oneofs() {
        fields.add(model, &oneof, oneof.name(), module(oneof.name()).concat())?;
        oneof_types.add(model, &oneof, oneof.name(), type_name(oneof.name()))?;
        let mut variants = Names::default();
        for field in oneof.fields() {
            variants.add(model, &field, field.name(), type_name(field.name()))?;
        }
    }
    for child in message.child_messages() {
        check_message(model, scopes, &inner, &child)?;
    }
    for an_enum in message.child_enums() {
        check_enum(model, scopes, &inner, &an_enum)?;
    }
    Ok(())
}

fn maps_to_enum(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => matches!(entry.map_entry_value_field().kind(), Kind::Enum(_)),
        _ => false,
    }
}

fn check_enum(
    model: &Model,
    scopes: &mut BTreeMap<Vec<String>, Names>,
    scope: &[String],
    an_enum: &EnumDescriptor,
) -> Result<(), Error> {
    let names = scopes.entry(scope.to_vec()).or_default();
    names.add(model, an_enum, an_enum.name(), type_name(an_enum.name()))?;
    let mut variants = Names::default();
    let mut numbers = BTreeSet::new();
    for value in an_enum.values() {
        // Others of the same number are aliases, which prost leaves out.
        if numbers.insert(value.number()) {
            variants.add(model, &value, value.name(), value_name(an_enum.name(), value.name()))?;
        }
    }
    Ok(())
}

// --------------------------------------------------------------------------------------------------------------- files

/// `file` and those that it imports; of the ones that come with the generator only those whose types are used.
fn needed(model: &Model, file: &File) -> Vec<FileDescriptor> {
    let mut names = BTreeSet::new();
    collect(model, &file.descriptor, &mut names);
    model.files.iter().map(|file| &file.descriptor).filter(|file| names.contains(file.name())).cloned().collect()
}

fn collect(model: &Model, file: &FileDescriptor, names: &mut BTreeSet<String>) {
    if !names.insert(file.name().to_owned()) {
        return;
    }
    let bundled = |file: &FileDescriptor| model.files.iter().any(|f| f.bundled && f.descriptor == *file);
    for import in file.dependencies().filter(|import| !bundled(import)) {
        collect(model, &import, names);
    }
    let mut messages: Vec<MessageDescriptor> = file.messages().collect();
    while let Some(message) = messages.pop() {
        messages.extend(message.child_messages());
        for field in message.fields() {
            let used = match field.kind() {
                Kind::Message(message) => message.parent_file(),
                Kind::Enum(an_enum) => an_enum.parent_file(),
                _ => continue,
            };
            collect(model, &used, names);
        }
    }
}

/// The modules in each other.
fn tree(modules: HashMap<Module, String>) -> String {
    #[derive(Default)]
    struct Node {
        text: String,
        inner: BTreeMap<String, Node>,
    }

    impl Node {
        fn write(&self, depth: usize, out: &mut String) {
            let indent = "    ".repeat(depth);
            // The first line says that prost-build made it, which is not the half of it.
            for line in self.text.lines().skip(1) {
                if !line.is_empty() {
                    out.push_str(&indent);
                    out.push_str(line);
                }
                out.push('\n');
            }
            for (name, node) in &self.inner {
                out.push_str(&format!("{indent}pub mod {name} {{\n"));
                node.write(depth + 1, out);
                out.push_str(&format!("{indent}}}\n"));
            }
        }
    }

    let mut root = Node::default();
    for (module, text) in modules {
        let mut node = &mut root;
        for part in module.parts() {
            node = node.inner.entry(part.to_owned()).or_default();
        }
        node.text = text;
    }
    let mut out = String::new();
    root.write(1, &mut out);
    out
}
