//! What was parsed and checked: what a generator sees.

use crate::error::{Error, Place};
use crate::names;
use crate::parse::{self, Source};
use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    OneofDescriptor, Syntax,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The given files and all that they import.
#[derive(Debug)]
pub struct Model {
    /// All descriptors.
    pub pool: DescriptorPool,
    /// All files; imported ones before those that import them.
    pub files: Vec<File>,
    sources: BTreeMap<String, Source>,
}

/// A .proto file.
#[derive(Clone, Debug)]
pub struct File {
    /// What it declares. Its name is the one that imports use.
    pub descriptor: FileDescriptor,
    /// The file's name without its extension, in snake case: an identifier.
    pub stem: String,
    /// Whether it was asked for, and not merely imported.
    pub given: bool,
    /// Whether it comes with the generator: `google/protobuf/*.proto` and `nanopb.proto`.
    pub bundled: bool,
    /// The protocol, if it was asked for and has one.
    pub protocol: Option<Protocol>,
}

/// The two roots of a protocol.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// What clients send.
    pub client_to_server: Root,
    /// What servers send.
    pub server_to_client: Root,
}

/// `ClientToServer` or `ServerToClient`.
#[derive(Clone, Debug)]
pub struct Root {
    /// The message.
    pub message: MessageDescriptor,
    /// Its one oneof, which is called `messages`.
    pub oneof: OneofDescriptor,
    /// The members of the oneof, as they are declared.
    pub members: Vec<Member>,
}

/// A member of a root's oneof.
#[derive(Clone, Debug)]
pub struct Member {
    /// The field of the oneof.
    pub field: FieldDescriptor,
    /// Its type.
    pub message: MessageDescriptor,
}

/// What has a place in a .proto file.
pub trait Located {
    /// The file.
    fn file(&self) -> FileDescriptor;
    /// The path in the file's descriptor, see `SourceCodeInfo` in descriptor.proto.
    fn location(&self) -> Vec<i32>;
}

macro_rules! located {
    ($($descriptor:ty: $message:ident),*) => {
        $(impl Located for $descriptor {
            fn file(&self) -> FileDescriptor {
                self.$message().parent_file()
            }

            fn location(&self) -> Vec<i32> {
                self.path().to_vec()
            }
        })*
    };
}

located! {
    MessageDescriptor: clone, EnumDescriptor: clone, FieldDescriptor: parent_message, OneofDescriptor: parent_message,
    EnumValueDescriptor: parent_enum
}

impl Located for FileDescriptor {
    fn file(&self) -> FileDescriptor {
        self.clone()
    }

    fn location(&self) -> Vec<i32> {
        Vec::new()
    }
}

/// `syntax` in a file's descriptor, `name` in all others.
const SYNTAX: i32 = 12;
const NAME: i32 = 1;

impl Model {
    /// Parses and checks `files`. Imports are looked for in `import_paths`, or if there are none, in the directories of
    /// the files and in the current one.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the files: see [`Error`].
    pub fn read(files: &[PathBuf], import_paths: &[PathBuf]) -> Result<Model, Error> {
        Model::of(parse::parse(files, import_paths)?)
    }

    /// As [`read`](Model::read) for files that are not on disk, by their names and texts. Of those in `imported` only
    /// what is imported counts.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the files: see [`Error`].
    pub fn from_texts(given: &[(&str, &str)], imported: &[(&str, &str)]) -> Result<Model, Error> {
        Model::of(parse::parse_texts(given, imported)?)
    }

    fn of(parse::Parsed { pool, sources, given }: parse::Parsed) -> Result<Model, Error> {
        if given.is_empty() {
            return Err(Error::Options("no .proto file is given".to_owned()));
        }
        let mut model = Model { files: Vec::new(), pool, sources };
        for descriptor in model.pool.files() {
            let bundled = model.sources[descriptor.name()].bundled;
            let stem = match Path::new(descriptor.name()).file_stem().and_then(|stem| stem.to_str()) {
                Some(stem) => names::snake(stem),
                None => String::new(),
            };
            let given = given.iter().any(|name| name == descriptor.name());
            let file = File { stem, given, bundled, protocol: None, descriptor };
            if !bundled {
                model.check_proto3(&file)?;
            }
            let protocol = if given { model.protocol(&file)? } else { None };
            model.files.push(File { protocol, ..file });
        }
        model.check_given(&given)?;
        Ok(model)
    }

    /// The place of `what`: of its name, if it has one.
    pub fn place(&self, what: &dyn Located) -> Place {
        let mut path = what.location();
        if !path.is_empty() {
            path.push(NAME);
        }
        self.place_of(&what.file(), &path)
    }

    /// An error at the place of `at`: `what` is wrong, and how to mend it.
    pub fn error(&self, at: &dyn Located, what: impl Into<String>) -> Error {
        Error::Proto { place: self.place(at), what: what.into() }
    }

    fn place_of(&self, file: &FileDescriptor, path: &[i32]) -> Place {
        self.sources[file.name()].place(file.file_descriptor_proto(), path)
    }

    /// Where all files that were read are, without those that come with the generator.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.sources.values().filter_map(|source| source.path.as_deref())
    }

    /// What protoc refuses of proto3, and the parser does not.
    fn check_proto3(&self, file: &File) -> Result<(), Error> {
        if file.descriptor.syntax() != Syntax::Proto3 {
            let place = self.place_of(&file.descriptor, &[SYNTAX]);
            let what = "only proto3 is understood: begin with `syntax = \"proto3\";`".to_owned();
            return Err(Error::Proto { place, what });
        }
        let mut messages: Vec<MessageDescriptor> = file.descriptor.messages().collect();
        while let Some(message) = messages.pop() {
            if message.extension_ranges().next().is_some() {
                let what = format!("`{}` has room for extensions, which proto3 has not: remove it", message.name());
                return Err(self.error(&message, what));
            }
            let reserved: Vec<&str> = message.reserved_names().collect();
            if let Some(field) = message.fields().find(|field| reserved.contains(&field.name())) {
                return Err(self.error(&field, format!("the name `{}` is reserved: use another", field.name())));
            }
            messages.extend(message.child_messages());
        }
        Ok(())
    }

    fn check_given(&self, names: &[String]) -> Result<(), Error> {
        let given = || self.files.iter().filter(|file| file.given);
        for file in given() {
            if !file.stem.starts_with(|c: char| c.is_ascii_alphabetic()) {
                let what = "the file's name is that of what is generated: it must begin with a letter of ASCII";
                return Err(self.error(&file.descriptor, what));
            }
            if let Some(other) =
                given().find(|other| other.stem == file.stem && other.descriptor.name() != file.descriptor.name())
            {
                let other = &self.sources[other.descriptor.name()].shown;
                let what = format!("{other} makes files of the same names: rename one, or generate them apart");
                return Err(self.error(&file.descriptor, what));
            }
        }
        if given().all(|file| file.protocol.is_none()) {
            let first = self.files.iter().find(|file| Some(file.descriptor.name()) == names.first().map(|n| &**n));
            let what = "no protocol: add the messages `ClientToServer` and `ServerToClient`, each with one oneof \
                        called `messages`";
            return Err(match first {
                Some(first) => self.error(&first.descriptor, what),
                None => Error::Options(what.to_owned()),
            });
        }
        Ok(())
    }

    fn protocol(&self, file: &File) -> Result<Option<Protocol>, Error> {
        let root = |name: &str| file.descriptor.messages().find(|message| message.name() == name);
        let missing = |there: &MessageDescriptor, missing: &str| {
            self.error(there, format!("`{}` is here, but no `{missing}`: a protocol has both", there.name()))
        };
        match (root("ClientToServer"), root("ServerToClient")) {
            (None, None) => Ok(None),
            (Some(there), None) => Err(missing(&there, "ServerToClient")),
            (None, Some(there)) => Err(missing(&there, "ClientToServer")),
            (Some(client_to_server), Some(server_to_client)) => Ok(Some(Protocol {
                client_to_server: self.root(client_to_server)?,
                server_to_client: self.root(server_to_client)?,
            })),
        }
    }

    fn root(&self, message: MessageDescriptor) -> Result<Root, Error> {
        let mut oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
        let Some(oneof) = oneofs.next() else {
            return Err(self.error(&message, format!("`{}` needs a oneof called `messages`", message.name())));
        };
        if let Some(second) = oneofs.next() {
            let what = format!("`{}` must have one oneof only, called `messages`: remove this one", message.name());
            return Err(self.error(&second, what));
        }
        if oneof.name() != "messages" {
            let what = format!("the oneof of `{}` must be called `messages`: rename it", message.name());
            return Err(self.error(&oneof, what));
        }
        let members = oneof.fields().map(|field| match field.kind() {
            Kind::Message(message) => Ok(Member { field, message }),
            _ => Err(self.error(&field, format!("`{}` must be a message: wrap it in one", field.name()))),
        });
        let members = members.collect::<Result<_, _>>()?;
        drop(oneofs);
        Ok(Root { members, oneof, message })
    }
}
