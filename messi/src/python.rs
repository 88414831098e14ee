//! Python that talks Messi.
//!
//! Each file, given or imported, becomes `PATH/STEM_pb2.py` as protoc would name it, with types in `PATH/STEM_pb2.pyi`.
//! It holds the file's descriptor, of which the `protobuf` package makes the classes. Each protocol becomes
//! `PROTO_client.py` and `PROTO_server.py`, which give names and types to what is in `messi_runtime.py`: one file
//! beside them, the same for all protocols, so that a program that talks several has it once.

mod stub;

use crate::model::{File, Member, Protocol, Root};
use crate::{Error, Generated, Model, Side, names, templates};
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, FileDescriptor, MessageDescriptor, ReflectMessage, Value};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What is generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which sides. Default: both.
    pub side: Side,
}

/// The module that all others build on.
const RUNTIME: &str = include_str!("../runtime/python/messi_runtime.py");

const TEMPLATES: [templates::Template; 3] = [
    ("pb2.py", include_str!("../templates/python/pb2.py.jinja")),
    ("pb2.pyi", include_str!("../templates/python/pb2.pyi.jinja")),
    ("side.py", include_str!("../templates/python/side.py.jinja")),
];

/// The messages of all files, and the client and the server of each that has a protocol.
///
/// # Errors
///
/// If something has no right name in Python.
pub fn generate(model: &Model, options: &Options) -> Result<Vec<Generated>, Error> {
    let mut generated = Vec::new();
    let mut modules = BTreeMap::new();
    for file in model.files.iter().filter(|file| !file.bundled) {
        let module = Module::of(&file.descriptor);
        if module.path.split('.').next() == Some("messi_runtime") {
            let what = "the directory has the name of the module that is generated beside it: rename it, or choose \
                        another -I";
            return Err(model.error(&file.descriptor, what));
        }
        if let Some(other) = modules.insert(module.path.clone(), file.descriptor.name()) {
            let what = format!("{other} makes the same module, {}: rename one of them", module.path);
            return Err(model.error(&file.descriptor, what));
        }
        generated.extend(messages(file, &module));
        if let Some(protocol) = &file.protocol {
            generated.extend(sides(model, file, protocol, options.side)?);
        }
    }
    generated.push(Generated { path: "messi_runtime.py".into(), text: RUNTIME.to_owned() });
    Ok(generated)
}

// ------------------------------------------------------------------------------------------------------------ messages

#[derive(Serialize)]
struct Messages {
    file: String,
    module: String,
    imports: Vec<String>,
    descriptor: Vec<String>,
}

fn messages(file: &File, module: &Module) -> [Generated; 2] {
    let name = file.descriptor.name();
    let declared = file.descriptor.dependencies().filter(|file| !is_for_c(file));
    let declared: Vec<Module> = declared.map(|file| Module::of(&file)).collect();
    let mut imports = Vec::from_iter(importlib(declared.iter()));
    imports.extend(declared.iter().map(Module::import_for_effect));
    imports.extend(
        file.descriptor.public_dependencies().filter(|file| !is_for_c(file)).map(|file| Module::of(&file).import_all()),
    );
    let context = Messages {
        file: name.to_owned(),
        module: module.path.clone(),
        imports,
        descriptor: literal(&serialized(&file.descriptor)),
    };
    let path = PathBuf::from(module.path.replace('.', "/"));
    [
        Generated { path: path.with_extension("py"), text: templates::render(&TEMPLATES, "pb2.py", context) },
        Generated { path: path.with_extension("pyi"), text: stub::generate(file) },
    ]
}

/// Whether a file is about C alone: its options mean nothing here, and stay what they are, unknown fields.
fn is_for_c(file: &FileDescriptor) -> bool {
    file.name() == "nanopb.proto"
}

/// The file's descriptor as protoc's own Python has it: without places, comments, and what follows from the rest.
fn serialized(file: &FileDescriptor) -> Vec<u8> {
    let schema = prost_types::FileDescriptorProto::default().descriptor();
    let encoded = file.encode_to_vec();
    let mut proto = DynamicMessage::decode(schema, &*encoded).expect("what was encoded can be decoded");
    proto.clear_field_by_name("source_code_info");
    forget(&mut proto, file);
    for_each_field(&mut proto, &mut |field| {
        let json_name = field.get_field_by_name("json_name").and_then(|name| name.as_str().map(str::to_owned));
        let name = field.get_field_by_name("name").and_then(|name| name.as_str().map(json));
        if json_name == name {
            field.clear_field_by_name("json_name");
        }
    });
    proto.encode_to_vec()
}

/// Takes the imports that are for C out of the list, and out of the places in it that are public.
fn forget(proto: &mut DynamicMessage, file: &FileDescriptor) {
    let kept: Vec<bool> = file.dependencies().map(|file| !is_for_c(&file)).collect();
    if kept.iter().all(|kept| *kept) {
        return;
    }
    let names = file.dependencies().filter(|file| !is_for_c(file));
    proto.set_field_by_name("dependency", Value::List(names.map(|file| Value::String(file.name().into())).collect()));
    let public = &file.file_descriptor_proto().public_dependency;
    let moved = public.iter().filter_map(|&old| {
        let old = usize::try_from(old).ok()?;
        kept.get(old)?.then(|| Value::I32(kept[..old].iter().filter(|kept| **kept).count() as i32))
    });
    proto.set_field_by_name("public_dependency", Value::List(moved.collect()));
}

/// All fields of a file or a message, and its extensions, at any depth.
fn for_each_field(parent: &mut DynamicMessage, visit: &mut impl FnMut(&mut DynamicMessage)) {
    for (list, is_field) in [("message_type", false), ("nested_type", false), ("field", true), ("extension", true)] {
        let Some(Value::List(children)) = parent.get_field_by_name_mut(list) else { continue };
        for child in children.iter_mut().filter_map(Value::as_message_mut) {
            if is_field { visit(child) } else { for_each_field(child, visit) }
        }
    }
}

/// The name of a field in JSON unless the file says otherwise.
fn json(name: &str) -> String {
    let mut json = String::with_capacity(name.len());
    let mut capital = false;
    for c in name.chars() {
        if c != '_' {
            json.push(if capital { c.to_ascii_uppercase() } else { c });
        }
        capital = c == '_';
    }
    json
}

/// Bytes as the insides of literals of Python, in lines of at most 100 columns.
fn literal(bytes: &[u8]) -> Vec<String> {
    const WIDTH: usize = 93;
    let mut lines = vec![String::new()];
    for &byte in bytes {
        let escaped = match byte {
            b'\n' => "\\n".to_owned(),
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        if lines.last().is_some_and(|line| line.len() + escaped.len() > WIDTH) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&escaped);
        }
    }
    lines
}

// --------------------------------------------------------------------------------------------------------------- sides

#[derive(Serialize)]
struct SideContext {
    file: String,
    side: &'static str,
    class: String,
    base: &'static str,
    sender: &'static str,
    calls: &'static str,
    before: &'static str,
    imports: Vec<String>,
    runtime: Vec<&'static str>,
    exported: Vec<String>,
    input: String,
    output: String,
    received: Vec<MemberContext>,
    sent: Vec<MemberContext>,
}

#[derive(Serialize)]
struct MemberContext {
    name: String,
    r#type: String,
    field: String,
    cast: &'static str,
}

/// What users of a generated module need of the runtime, in the order of Python's own tools.
const EXPORTED: [&str; 10] = [
    "CF_HEADER",
    "Backoff",
    "DisconnectReason",
    "MessageTooBigError",
    "MessageType",
    "NotPreparedError",
    "RemoteClient",
    "Settings",
    "Wire",
    "parse_tcp_uri",
];

fn sides(model: &Model, file: &File, protocol: &Protocol, side: Side) -> Result<Vec<Generated>, Error> {
    let Protocol { client_to_server, server_to_client } = protocol;
    let mut generated = Vec::new();
    if side.client() {
        check_names(model, server_to_client, "client", &["connected", "disconnected", "connect_failure"])?;
        generated.push(side_of(file, "client", server_to_client, client_to_server));
    }
    if side.server() {
        check_names(model, client_to_server, "server", &["client_connected", "client_disconnected"])?;
        generated.push(side_of(file, "server", client_to_server, server_to_client));
    }
    Ok(generated)
}

/// A member that has the name of what every client or server has would take its place.
fn check_names(model: &Model, root: &Root, side: &str, taken: &[&str]) -> Result<(), Error> {
    match root.members.iter().find(|member| taken.contains(&member.field.name())) {
        None => Ok(()),
        Some(Member { field, .. }) => {
            let name = field.name();
            Err(model.error(field, format!("every {side} has an `on_{name}` of its own: rename the member `{name}`")))
        }
    }
}

fn side_of(file: &File, side: &'static str, received: &Root, sent: &Root) -> Generated {
    let is_client = side == "client";
    let base = if is_client { "Client" } else { "Server" };
    let class = format!("{}{base}", names::title(&file.stem));
    let used = [received, sent].into_iter().flat_map(|root| &root.members).map(|member| &member.message);
    let modules = used.chain([&received.message, &sent.message]).map(|message| Module::of(&message.parent_file()));
    let modules: BTreeSet<Module> = modules.collect();
    let (received_members, sent_members) = (members(received), members(sent));
    let mut imports = Vec::new();
    if received_members.iter().chain(&sent_members).any(|member| member.r#type == "Any") {
        imports.push("from typing import Any\n".to_owned());
    }
    imports.extend(importlib(modules.iter()));
    imports.extend(modules.iter().map(Module::import));
    let runtime: Vec<&str> = EXPORTED.into_iter().filter(|name| !(is_client && *name == "RemoteClient")).collect();
    let mut exported: Vec<String> = runtime.iter().map(ToString::to_string).chain([class.clone()]).collect();
    exported.sort_by_key(|name| (name.chars().any(|c| c.is_lowercase()), name.clone()));
    let context = SideContext {
        file: file.descriptor.name().to_owned(),
        side,
        class,
        base,
        sender: if is_client { "the server" } else { "a client" },
        calls: if is_client { "`send`" } else { "`reply`, `send` or `broadcast`" },
        before: if is_client { "" } else { "client: RemoteClient, " },
        imports,
        runtime,
        exported,
        input: value(&received.message),
        output: value(&sent.message),
        received: received_members,
        sent: sent_members,
    };
    let path = format!("{}_{side}.py", file.stem).into();
    Generated { path, text: templates::render(&TEMPLATES, "side.py", context) }
}

fn members(root: &Root) -> Vec<MemberContext> {
    let member = |Member { field, message }: &Member| {
        let known = type_of(message);
        // An attribute that can only be got by its name as a string has no type.
        let cast = if is_plain(field.name()) || known.is_none() { "" } else { "  # type: ignore[no-any-return]" };
        MemberContext {
            name: field.name().to_owned(),
            r#type: known.unwrap_or_else(|| "Any".to_owned()),
            field: attribute("message", field.name()),
            cast,
        }
    };
    root.members.iter().map(member).collect()
}

/// A message as a type, if it can be written as one.
fn type_of(message: &MessageDescriptor) -> Option<String> {
    let path = path_of(message);
    path.iter().all(|name| is_plain(name)).then(|| {
        let module = Module::of(&message.parent_file()).alias();
        path.iter().fold(module, |path, name| format!("{path}.{name}"))
    })
}

/// The expression for a message's class.
fn value(message: &MessageDescriptor) -> String {
    let module = Module::of(&message.parent_file()).alias();
    path_of(message).iter().fold(module, |path, name| attribute(&path, name))
}

/// The names of a message and of those around it, outermost first.
fn path_of(message: &MessageDescriptor) -> Vec<String> {
    let mut path = message.parent_message().map(|parent| path_of(&parent)).unwrap_or_default();
    path.push(message.name().to_owned());
    path
}

// --------------------------------------------------------------------------------------------------------------- names

/// The module of a file's messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Module {
    /// Its name with dots.
    path: String,
}

impl Module {
    /// The module that protoc would make.
    fn of(file: &FileDescriptor) -> Module {
        let name = file.name();
        let stem = name.strip_suffix(".proto").unwrap_or(name);
        Module { path: format!("{}_pb2", stem.replace('-', "_").replace('/', ".")) }
    }

    /// What it is called where it is imported: as protoc calls it, so that no other name can be the same.
    fn alias(&self) -> String {
        if self.path.contains('.') || !self.is_plain() {
            let alias = self.path.replace('_', "__").replace('.', "_dot_");
            let alias: String = alias.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            return if alias.starts_with(|c: char| c.is_ascii_digit()) { format!("_{alias}") } else { alias };
        }
        self.path.clone()
    }

    /// Whether an `import` can name it.
    fn is_plain(&self) -> bool {
        self.path.split('.').all(is_name)
    }

    fn import(&self) -> String {
        let alias = self.alias();
        match self.path.rsplit_once('.') {
            _ if !self.is_plain() => format!("{alias} = _importlib.import_module({:?})", self.path),
            Some((package, module)) => format!("from {package} import {module} as {alias}"),
            None => format!("import {}", self.path),
        }
    }

    fn import_for_effect(&self) -> String {
        format!("{}  # noqa: F401", self.import())
    }

    fn import_all(&self) -> String {
        if self.is_plain() {
            return format!("from {} import *  # noqa: F403", self.path);
        }
        format!("globals().update({{n: v for n, v in vars({}).items() if n[0] != \"_\"}})", self.alias())
    }
}

/// What imports of modules with such names need before them.
fn importlib<'m>(mut modules: impl Iterator<Item = &'m Module>) -> Option<String> {
    modules.any(|module| !module.is_plain()).then(|| "import importlib as _importlib".to_owned())
}

/// The expression for an attribute.
fn attribute(object: &str, name: &str) -> String {
    if is_plain(name) { format!("{object}.{name}") } else { format!("getattr({object}, \"{name}\")") }
}

/// Whether a name means the same as an attribute inside of a class, where Python changes those with two underscores.
fn is_plain(name: &str) -> bool {
    is_name(name) && !name.starts_with("__")
}

/// Whether Python takes it as a name.
fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    begins && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') && !KEYWORDS.contains(&name)
}

/// <https://docs.python.org/3/reference/lexical_analysis.html#keywords>
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];
