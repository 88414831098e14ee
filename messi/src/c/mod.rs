//! C that talks Messi: clients and servers on a runtime in C, which is written beside them.
//!
//! What is generated is thin, types and dispatch. The logic is in `runtime/c`, in floors: `messi.c` (frames, a
//! connection, a client) and `messi_server.c` know no system, `messi_linux*.c` and `messi_async.c` are the systems they
//! run on. Messages are structs for nanopb: `messages`.

mod cycles;
mod layout;
mod messages;
mod names;
mod options;
mod plan;

use crate::model::{File, Located, Member, Root};
use crate::{Error, Generated, Model, Side, templates};
use prost_reflect::{EnumDescriptor, FileDescriptor, MessageDescriptor};
use serde::Serialize;
use std::collections::BTreeMap;

/// What the output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Platform {
    /// epoll and timerfd.
    #[default]
    Linux,
    /// The async framework: clients only.
    Async,
}

impl Platform {
    /// All sides that it has.
    pub fn default_side(self) -> Side {
        match self {
            Platform::Linux => Side::Both,
            Platform::Async => Side::Client,
        }
    }
}

/// What is generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// For which platform. Default: Linux.
    pub platform: Platform,
    /// Which sides. Default: both.
    pub side: Side,
}

const TEMPLATES: [templates::Template; 4] = [
    ("client.h", include_str!("../../templates/c/client.h.jinja")),
    ("client.c", include_str!("../../templates/c/client.c.jinja")),
    ("server.h", include_str!("../../templates/c/server.h.jinja")),
    ("server.c", include_str!("../../templates/c/server.c.jinja")),
];

/// A file of the runtime.
type Runtime = (&'static str, &'static str);

const MESSAGES: [Runtime; 2] = [
    ("messi_pb.h", include_str!("../../runtime/c/messi_pb.h")),
    ("messi_pb.c", include_str!("../../runtime/c/messi_pb.c")),
];
const CORE: [Runtime; 2] =
    [("messi.h", include_str!("../../runtime/c/messi.h")), ("messi.c", include_str!("../../runtime/c/messi.c"))];
const LINUX: [Runtime; 2] = [
    ("messi_linux.h", include_str!("../../runtime/c/messi_linux.h")),
    ("messi_linux.c", include_str!("../../runtime/c/messi_linux.c")),
];
const SERVER: [Runtime; 4] = [
    ("messi_server.h", include_str!("../../runtime/c/messi_server.h")),
    ("messi_server.c", include_str!("../../runtime/c/messi_server.c")),
    ("messi_linux_server.h", include_str!("../../runtime/c/messi_linux_server.h")),
    ("messi_linux_server.c", include_str!("../../runtime/c/messi_linux_server.c")),
];
const ASYNC: [Runtime; 2] = [
    ("messi_async.h", include_str!("../../runtime/c/messi_async.h")),
    ("messi_async.c", include_str!("../../runtime/c/messi_async.c")),
];

/// The messages of all files, the client and the server of each that has a protocol, and the runtime.
///
/// # Errors
///
/// If the platform has no such side, or something has no right name in C.
pub fn generate(model: &Model, options: &Options) -> Result<Vec<Generated>, Error> {
    let platform = match (options.platform, options.side) {
        (Platform::Linux, _) => "messi_linux",
        (Platform::Async, Side::Client) => "messi_async",
        (Platform::Async, _) => {
            let what = "the async framework cannot accept connections: generate its client only, or for Linux";
            return Err(Error::Options(what.to_owned()));
        }
    };
    let mut generated = messages::generate(model)?;
    for file in model.files.iter().filter(|file| file.protocol.is_some()) {
        generated.extend(generate_file(model, file, platform, options)?);
    }
    let runtime = MESSAGES.iter().chain(&CORE);
    match options.platform {
        Platform::Linux if options.side.server() => add(&mut generated, runtime.chain(&LINUX).chain(&SERVER)),
        Platform::Linux => add(&mut generated, runtime.chain(&LINUX)),
        Platform::Async => add(&mut generated, runtime.chain(&ASYNC)),
    }
    Ok(generated)
}

fn add<'r>(generated: &mut Vec<Generated>, runtime: impl Iterator<Item = &'r Runtime>) {
    generated.extend(runtime.map(|(path, text)| Generated { path: path.into(), text: (*text).to_owned() }));
}

#[derive(Serialize)]
struct Context<'a> {
    /// The .proto file, for people.
    file: &'a str,
    stem: &'a str,
    guard: String,
    /// How all names of it begin.
    prefix: String,
    /// How all names of the platform begin.
    platform: &'a str,
    is_async: bool,
    /// The header with its messages.
    messages: String,
    input: RootContext,
    output: RootContext,
}

#[derive(Serialize)]
struct RootContext {
    r#type: String,
    fields: String,
    members: Vec<MemberContext>,
}

#[derive(Serialize)]
struct MemberContext {
    name: String,
    r#type: String,
    tag: String,
    /// The member of the union.
    member: String,
}

fn generate_file(model: &Model, file: &File, platform: &str, options: &Options) -> Result<Vec<Generated>, Error> {
    let Some(protocol) = &file.protocol else { return Ok(Vec::new()) };
    let name = file.descriptor.name();
    let mut generated = Vec::new();
    let mut add = |side: &str, input: &Root, output: &Root| {
        let context = Context {
            file: name.rsplit('/').next().unwrap_or(name),
            stem: &file.stem,
            guard: file.stem.to_ascii_uppercase(),
            prefix: format!("{}_{side}", file.stem),
            platform,
            is_async: options.platform == Platform::Async,
            messages: messages::path(&file.descriptor) + ".pb.h",
            input: root(input),
            output: root(output),
        };
        for extension in ["h", "c"] {
            let text = templates::render(&TEMPLATES, &format!("{side}.{extension}"), &context);
            generated.push(Generated { path: format!("{}.{extension}", context.prefix).into(), text });
        }
    };
    let mut taken = BTreeMap::new();
    if options.side.client() {
        check_callbacks(model, &protocol.server_to_client, &["connected", "disconnected"])?;
        add("client", &protocol.server_to_client, &protocol.client_to_server);
        taken.insert(format!("{}_client_t", file.stem), "client");
    }
    if options.side.server() {
        check_callbacks(model, &protocol.client_to_server, &["client_connected", "client_disconnected"])?;
        add("server", &protocol.client_to_server, &protocol.server_to_client);
        taken.insert(format!("{}_server_t", file.stem), "server");
        taken.insert(format!("{}_server_client_t", file.stem), "server");
    }
    if let Some((kind, name)) = taken.keys().find_map(|name| Some((kind_in_runtime(name)?, name))) {
        let what = format!("`{kind} {name}` is one of the runtime in C: rename the file");
        return Err(model.error(&file.descriptor, what));
    }
    check_types(model, file, &taken)?;
    Ok(generated)
}

fn root(root: &Root) -> RootContext {
    let member = |Member { field, message }: &Member| MemberContext {
        name: field.name().to_owned(),
        r#type: names::message(message),
        tag: names::tag(field),
        member: names::member(field.name()),
    };
    RootContext {
        r#type: names::message(&root.message),
        fields: names::message_prefix(&root.message) + "_fields",
        members: root.members.iter().map(member).collect(),
    }
}

/// A member's callback has its name after `on_`, where two names are those of the connection.
fn check_callbacks(model: &Model, root: &Root, taken: &[&str]) -> Result<(), Error> {
    match root.members.iter().find(|member| taken.contains(&member.field.name())) {
        None => Ok(()),
        Some(Member { field, .. }) => {
            let what = format!("`on_{}` is the callback for connections in C: rename the field", field.name());
            Err(model.error(field, what))
        }
    }
}

/// Messages, enums, the protocol's own types and those of the runtime have one namespace.
fn check_types(model: &Model, file: &File, taken: &BTreeMap<String, &str>) -> Result<(), Error> {
    let check = |at: &dyn Located, name: String| match taken.get(&name) {
        Some(side) => {
            let what = format!("`struct {name}` is that of the {side} of {}.proto in C: rename the type", file.stem);
            Err(model.error(at, what))
        }
        None => match kind_in_runtime(&name) {
            Some(kind) => Err(model.error(at, format!("`{kind} {name}` is one of the runtime in C: rename the type"))),
            None => Ok(()),
        },
    };
    let files = || model.files.iter().map(|file| &file.descriptor);
    let mut messages: Vec<MessageDescriptor> = files().flat_map(FileDescriptor::messages).collect();
    let mut enums: Vec<EnumDescriptor> = files().flat_map(FileDescriptor::enums).collect();
    while let Some(message) = messages.pop() {
        check(&message, names::message(&message))?;
        messages.extend(message.child_messages());
        enums.extend(message.child_enums());
    }
    enums.into_iter().try_for_each(|an_enum| check(&an_enum, names::enumeration(&an_enum)))
}

/// Whether a struct or an enum of this name is in a header of the runtime, whichever platform it is for.
fn kind_in_runtime(name: &str) -> Option<&'static str> {
    let headers = [&MESSAGES[..], &CORE, &LINUX, &SERVER, &ASYNC].concat();
    let mut types = headers.iter().flat_map(|(_, text)| text.lines()).filter_map(|line| line.split_once(' '));
    let (kind, _) = types
        .find(|(kind, line)| ["struct", "enum"].contains(kind) && line.trim_end_matches([' ', '{', ';']) == name)?;
    Some(kind)
}
