//! What is in a `_pb2.py`, for those who check types: its `_pb2.pyi`.
//!
//! Names of other places are imported with an underscore before them, so that no field of a message can hide them from
//! those that come after it.

use super::{Module, TEMPLATES, is_for_c, is_name, is_plain};
use crate::model::File;
use crate::templates;
use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Serialize)]
struct Context {
    file: String,
    imports: Vec<String>,
    lines: Vec<String>,
}

/// Python's own names that are needed, and where they come from.
const NAMES: [(&str, &str); 17] = [
    ("builtins", "bool"),
    ("builtins", "bytes"),
    ("builtins", "float"),
    ("builtins", "int"),
    ("builtins", "property"),
    ("builtins", "str"),
    ("collections.abc", "Iterable"),
    ("collections.abc", "Mapping"),
    ("typing", "ClassVar"),
    ("google.protobuf.descriptor", "FieldDescriptor"),
    ("google.protobuf.descriptor", "FileDescriptor"),
    ("google.protobuf.internal.containers", "MessageMap"),
    ("google.protobuf.internal.containers", "RepeatedCompositeFieldContainer"),
    ("google.protobuf.internal.containers", "RepeatedScalarFieldContainer"),
    ("google.protobuf.internal.containers", "ScalarMap"),
    ("google.protobuf.internal.enum_type_wrapper", "EnumTypeWrapper"),
    ("google.protobuf.message", "Message"),
];

pub(super) fn generate(file: &File) -> String {
    let mut stub = Stub::new(&file.descriptor);
    for message in file.descriptor.messages() {
        stub.hide(&message);
    }
    for an_enum in file.descriptor.enums() {
        stub.an_enum(&an_enum, 0);
    }
    for message in file.descriptor.messages() {
        stub.message(&message, 0);
    }
    for extension in file.descriptor.extensions() {
        if is_name(extension.name()) {
            stub.lines.push(String::new());
            let constant = extension.name().to_ascii_uppercase();
            stub.lines.push(format!("{constant}_FIELD_NUMBER: _int"));
            stub.lines.push(format!("{}: _FieldDescriptor", extension.name()));
        }
    }
    stub.end()
}

struct Stub {
    file: FileDescriptor,
    /// Names that some class has, so that in it they are not those of the module.
    hidden: BTreeSet<String>,
    /// Those of them by which the module's are needed all the same.
    aliases: BTreeSet<String>,
    modules: BTreeSet<String>,
    lines: Vec<String>,
}

impl Stub {
    fn new(file: &FileDescriptor) -> Stub {
        Stub {
            file: file.clone(),
            hidden: BTreeSet::new(),
            aliases: BTreeSet::new(),
            modules: BTreeSet::new(),
            lines: Vec::new(),
        }
    }

    fn hide(&mut self, message: &MessageDescriptor) {
        self.hidden.extend(message.fields().map(|field| field.name().to_owned()));
        self.hidden.extend(message.child_enums().map(|an_enum| an_enum.name().to_owned()));
        for child in message.child_messages() {
            self.hidden.insert(child.name().to_owned());
            self.hide(&child);
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.lines.push(format!("{}{text}", "    ".repeat(depth)));
    }

    fn an_enum(&mut self, an_enum: &EnumDescriptor, depth: usize) {
        let name = an_enum.name();
        if !is_name(name) {
            return;
        }
        self.lines.push(String::new());
        let mut values: Vec<_> = an_enum.values().filter(|value| is_name(value.name())).collect();
        values.sort_by(|a, b| a.path().cmp(b.path()));
        let values: Vec<String> = values.iter().map(|value| value.name().to_owned()).collect();
        self.line(depth, &format!("class _{name}(_EnumTypeWrapper):"));
        for value in &values {
            self.line(depth + 1, &format!("{value}: _int"));
        }
        if values.is_empty() {
            self.line(depth + 1, "...");
        }
        self.lines.push(String::new());
        self.line(depth, &format!("{name}: _{name}"));
        for value in &values {
            self.line(depth, &format!("{value}: _int"));
        }
    }

    fn message(&mut self, message: &MessageDescriptor, depth: usize) {
        if !is_name(message.name()) || message.is_map_entry() {
            return;
        }
        self.lines.push(String::new());
        self.line(depth, &format!("class {}(_Message):", message.name()));
        let begin = self.lines.len();
        for an_enum in message.child_enums() {
            self.an_enum(&an_enum, depth + 1);
        }
        for child in message.child_messages() {
            self.message(&child, depth + 1);
        }
        if self.lines.len() > begin {
            self.lines.push(String::new());
        }
        let mut fields: Vec<FieldDescriptor> = message.fields().collect();
        fields.sort_by(|a, b| a.path().cmp(b.path()));
        for field in &fields {
            self.line(depth + 1, &format!("{}_FIELD_NUMBER: _ClassVar[_int]", field.name().to_ascii_uppercase()));
        }
        fields.retain(|field| is_name(field.name()));
        for field in &fields {
            let (read, _) = self.types(field);
            if field.is_list() || field.is_map() || matches!(field.kind(), Kind::Message(_)) {
                self.line(depth + 1, "@_property");
                self.line(depth + 1, &format!("def {}(self) -> {read}: ...", field.name()));
            } else {
                self.line(depth + 1, &format!("{}: {read}", field.name()));
            }
        }
        if fields.is_empty() {
            self.line(depth + 1, "def __init__(self) -> None: ...");
        } else {
            self.line(depth + 1, "def __init__(");
            self.line(depth + 2, "self,");
            self.line(depth + 2, "*,");
            for field in &fields {
                // The first parameter has the name of one of its fields.
                if field.name() != "self" {
                    let (_, write) = self.types(field);
                    self.line(depth + 2, &format!("{}: {write} | None = ...,", field.name()));
                }
            }
            self.line(depth + 1, ") -> None: ...");
        }
        // No empty line at the beginning of a class.
        if self.lines[begin].is_empty() {
            self.lines.remove(begin);
        }
    }

    /// What a field reads as, and what it can be made from.
    fn types(&mut self, field: &FieldDescriptor) -> (String, String) {
        if field.is_map()
            && let Kind::Message(entry) = field.kind()
        {
            let key = self.type_of(&entry.map_entry_key_field().kind());
            let value_kind = entry.map_entry_value_field().kind();
            let value = self.type_of(&value_kind);
            let map = if let Kind::Message(_) = value_kind { "_MessageMap" } else { "_ScalarMap" };
            return (format!("{map}[{key}, {value}]"), format!("_Mapping[{key}, {value}]"));
        }
        let one = self.type_of(&field.kind());
        if field.cardinality() != Cardinality::Repeated {
            return (one.clone(), one);
        }
        let list = match field.kind() {
            Kind::Message(_) => "_RepeatedCompositeFieldContainer",
            _ => "_RepeatedScalarFieldContainer",
        };
        (format!("{list}[{one}]"), format!("_Iterable[{one}]"))
    }

    fn type_of(&mut self, kind: &Kind) -> String {
        match kind {
            Kind::Double | Kind::Float => "_float".to_owned(),
            Kind::Bool => "_bool".to_owned(),
            Kind::String => "_str".to_owned(),
            Kind::Bytes => "_bytes".to_owned(),
            Kind::Message(message) => self.message_type(message),
            _ => "_int".to_owned(),
        }
    }

    fn message_type(&mut self, message: &MessageDescriptor) -> String {
        let path = super::path_of(message);
        let module = Module::of(&message.parent_file());
        let is_own = message.parent_file() == self.file;
        // Without a name there is no type; that it is a message can still be said.
        if !path.iter().all(|name| is_plain(name)) || !(is_own || module.is_plain()) {
            return "_Message".to_owned();
        }
        if !is_own {
            self.modules.insert(module.import());
            return format!("{}.{}", module.alias(), path.join("."));
        }
        if self.hidden.contains(&path[0]) {
            self.aliases.insert(path[0].clone());
            return format!("_module_{}", path.join("."));
        }
        path.join(".")
    }

    fn end(mut self) -> String {
        if !self.aliases.is_empty() {
            self.lines.push(String::new());
        }
        for name in &self.aliases {
            self.lines.push(format!("_module_{name} = {name}"));
        }
        let text = self.lines.join("\n");
        let is_used = |name: &str| {
            let name = format!("_{name}");
            let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            name == "_FileDescriptor" || text.match_indices(&name).any(|(at, _)| ends(&text[at + name.len()..]))
        };
        let used = NAMES.into_iter().filter(|(_, name)| is_used(name));
        let mut imports: Vec<String> =
            used.map(|(module, name)| format!("from {module} import {name} as _{name}")).collect();
        imports.extend(self.modules);
        for file in self.file.public_dependencies().filter(|file| !is_for_c(file) && Module::of(file).is_plain()) {
            let module = Module::of(&file).path;
            imports.extend(names(&file).iter().map(|name| format!("from {module} import {name} as {name}")));
        }
        let file = self.file.name().to_owned();
        templates::render(&TEMPLATES, "pb2.pyi", Context { file, imports, lines: self.lines })
    }
}

/// All names that a file declares, or imports for those who import it.
fn names(file: &FileDescriptor) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = file.messages().map(|message| message.name().to_owned()).collect();
    for an_enum in file.enums() {
        all.insert(an_enum.name().to_owned());
        all.extend(an_enum.values().map(|value| value.name().to_owned()));
    }
    all.extend(file.extensions().map(|extension| extension.name().to_owned()));
    all.retain(|name| is_name(name));
    all.extend(file.public_dependencies().flat_map(|file| names(&file)));
    all
}
