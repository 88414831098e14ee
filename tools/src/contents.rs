//! What is in a payload, as JSON: by what the journal knows of its fields, or by a .proto file.

use crate::args::Chosen;
use crate::failure::Failure;
use crate::json;
use crate::names::Names;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use std::collections::HashMap;
use std::path::Path;

/// What payloads are read by.
#[derive(Debug, Default)]
pub struct Contents {
    pool: Option<DescriptorPool>,
    /// By the id of the message, as the command line gave them.
    given: HashMap<u16, Member>,
}

/// How a message of a bridge wraps the member of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrapper {
    None,
    /// Behind the number of the client that it is from.
    FromClient,
    /// Behind the number of the client that it is to; 0: all.
    ToClient,
}

impl Wrapper {
    /// Takes the wrapper off the name of a type: `FromClient<Deposit>` holds `Deposit`.
    fn of(name: &str) -> (Wrapper, &str) {
        let wrappers = [
            ("FromClient<", Wrapper::FromClient),
            ("ToClient<", Wrapper::ToClient),
            ("FromServer<", Wrapper::None),
            ("ToServer<", Wrapper::None),
        ];
        for (start, wrapper) in wrappers {
            if let Some(inner) = name.find(start).and_then(|at| name[at + start.len()..].strip_suffix('>')) {
                return (wrapper, inner);
            }
        }
        (Wrapper::None, name)
    }
}

/// What is read from a payload.
#[derive(Clone, Debug)]
struct Member {
    wrapper: Wrapper,
    message: MessageDescriptor,
}

impl Contents {
    pub fn new(proto: Option<&Path>, chosen: &Chosen, names: &Names) -> Result<Contents, Failure> {
        let mut contents = Contents { pool: proto.map(parse).transpose()?, given: HashMap::new() };
        for asked in &chosen.message {
            let (name, Some(of)) = names.split_type(asked) else { continue };
            let Some(pool) = &contents.pool else {
                return Err(Failure::Usage(format!(
                    "--message {asked}: a type needs its .proto file; add --proto FILE"
                )));
            };
            let (wrapper, of) = Wrapper::of(of);
            let message = pool.get_message_by_name(of).ok_or_else(|| no_such_type(asked, of, pool))?;
            for id in names.messages(&[name.to_owned()])? {
                let by_name = Wrapper::of(&names.message(id)).0;
                let wrapper = if wrapper == Wrapper::None { by_name } else { wrapper };
                contents.given.insert(id, Member { wrapper, message: message.clone() });
            }
        }
        Ok(contents)
    }

    /// The payload as JSON, or why it is none; `None` if nothing is known of it.
    pub fn read(&self, message: u16, payload: &[u8], names: &Names) -> Option<Result<String, String>> {
        match self.given.get(&message).cloned().or_else(|| self.by_name(message, names)) {
            Some(member) => Some(member.read(payload)),
            None => names.fields(message, payload),
        }
    }

    /// The one type in the .proto file that is called like the message.
    fn by_name(&self, message: u16, names: &Names) -> Option<Member> {
        let pool = self.pool.as_ref()?;
        if !names.may_be_prost(message) {
            return None;
        }
        let name = names.message(message);
        let (wrapper, name) = Wrapper::of(&name);
        let name = name.rsplit("::").next().unwrap_or(name);
        let mut found = pool.all_messages().filter(|message| !message.is_map_entry() && message.name() == name);
        match (found.next(), found.next()) {
            (Some(message), None) => Some(Member { wrapper, message }),
            _ => None,
        }
    }
}

impl Member {
    fn read(self, payload: &[u8]) -> Result<String, String> {
        let (peer, bytes) = match self.wrapper {
            Wrapper::None => (None, payload),
            Wrapper::FromClient | Wrapper::ToClient => {
                let (word, bytes) =
                    payload.split_first_chunk().ok_or("undecodable: too short for the number of a client")?;
                (Some(u64::from_le_bytes(*word)), bytes)
            }
        };
        let message = DynamicMessage::decode(self.message, bytes).map_err(|error| format!("undecodable: {error}"))?;
        let message = json::line(&message).map_err(|error| error.to_string())?;
        Ok(match (self.wrapper, peer) {
            (Wrapper::FromClient, Some(client)) => format!(r#"{{"client":{client},"message":{message}}}"#),
            (Wrapper::ToClient, Some(0)) => format!(r#"{{"to":"all","message":{message}}}"#),
            (Wrapper::ToClient, Some(client)) => format!(r#"{{"to":{client},"message":{message}}}"#),
            _ => message,
        })
    }
}

fn no_such_type(asked: &str, of: &str, pool: &DescriptorPool) -> Failure {
    let own = pool.all_messages().filter(|message| !message.full_name().starts_with("google.protobuf."));
    let names: Vec<String> =
        own.filter(|message| !message.is_map_entry()).map(|message| message.full_name().to_owned()).collect();
    Failure::Usage(format!(
        "--message {asked}: there is no message {of} in the .proto file; it has {}",
        names.join(", ")
    ))
}

/// Reads a .proto file and what it imports, from its own directory and from the current one.
fn parse(path: &Path) -> Result<DescriptorPool, Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refused = |error: protox::Error| Failure::Usage(format!("--proto {}: {error}", path.display()));
    let mut compiler = protox::Compiler::new([directory, Path::new(".")]).map_err(refused)?;
    compiler.include_imports(true).open_file(path).map_err(refused)?;
    Ok(compiler.descriptor_pool())
}
