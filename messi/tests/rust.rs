//! The Rust output.

mod support;

use std::fs;
use support::*;

#[test]
fn chat_is_as_expected() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().to_str().unwrap();
    generate(&repository("examples/chat"), &["generate_rust_source", "-o", output, "chat.proto"]);
    assert_golden("rust/chat", directory.path());
}

#[test]
fn examples_are_what_is_generated() {
    for (proto, output) in [
        ("examples/chat/chat.proto", "examples/chat/rust"),
        ("examples/hello_world/hello_world.proto", "examples/hello_world/rust"),
        ("examples/open_day/open_day.proto", "examples/open_day/rust"),
        ("tests/interop/bank.proto", "examples/bank"),
    ] {
        generate(&repository(""), &["generate_rust_source", "--check", "-o", output, proto]);
    }
}

/// What is not in the random protocols: members that hold their root, well-known types as members, names that clash
/// with the protocol's, types of other packages, comments that look like code.
const ODD: &str = "\
syntax = \"proto3\";
package outer.inner;
import \"google/protobuf/empty.proto\";
import \"google/protobuf/timestamp.proto\";
import \"types.proto\";
message ClientToServer {
    int32 beside = 100;
    oneof messages {
        Holder holder = 1;
        google.protobuf.Empty empty = 2;
        google.protobuf.Timestamp timestamp = 3;
        types.Point point = 4;
        ServerToClient other = 5;
    }
    message Messages {}
}
message ServerToClient {
    oneof messages { Holder holder = 1; Odd odd = 2; }
}
// Holds its root:
//
//     let not = \"a test\";
//
// ``` not the end of a comment */
message Holder {
    ClientToServer root = 1;
    Holder next = 2;
}
message Odd { enum Self { Odd = 0; SELF_ONE = 1; } Self self = 1; types.Kind type = 2; }
";

const TYPES: &str = "\
syntax = \"proto3\";
package types;
enum Kind { KIND_NONE = 0; KIND_SOME = 1; }
message Point { sint32 x = 1; sint32 y = 2; }
";

#[test]
fn odd_ones_compile_and_work() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("odd.proto"), ODD).unwrap();
    fs::write(path("types.proto"), TYPES).unwrap();
    generate(directory.path(), &["generate_rust_source", "--messages", "0x2000", "--server", "7", "odd.proto"]);
    let program = format!(
        "#![deny(warnings)]
#[path = {:?}]
mod odd;

use odd::{{ClientToServer, Holder, OddProtocol, client_to_server}};
use prost::Message;
use rust_messenger::messi::{{Member, Protocol, Root, ToServerSide, Visitor}};
use rust_messenger::messi::ToServer;
use rust_messenger::traits::Message as _;

struct Number;

impl Visitor<ToServerSide> for Number {{
    type Output = u16;

    fn member<M: Member<ToServerSide>>(self, _: &M) -> u16 {{
        M::NUMBER
    }}
}}

fn main() {{
    let root: ClientToServer = Holder {{ root: None, next: None }}.into();
    assert_eq!(root.visit(Number), Some(1));
    assert_eq!(ClientToServer::from(odd::proto::google::protobuf::Empty {{}}).visit(Number), Some(2));
    assert_eq!(ClientToServer::from(odd::proto::types::Point {{ x: 1, y: -1 }}).encode_to_vec(), [34, 4, 8, 2, 16, 1]);
    assert_eq!(<Holder as Member<ToServerSide>>::field(), 1);
    assert_eq!((OddProtocol::SERVER, OddProtocol::CLIENT, OddProtocol::MESSAGES), (7, 0xFE01, 0x2000));
    assert_eq!(ToServer::<Holder>::ID, 0x2005);
    let again = ClientToServer::decode(&root.encode_to_vec()[..]).unwrap();
    assert!(matches!(again.messages, Some(client_to_server::MessagesOneOf::Holder(_))));
}}
",
        path("odd.rs")
    );
    fs::write(path("main.rs"), program).unwrap();
    trybuild::TestCases::new().pass(path("main.rs"));
}

/// What `Build` writes is what the command writes; and Cargo is told of all files that were read.
#[test]
fn builds_in_a_build_rs() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("odd.proto"), ODD).unwrap();
    fs::write(directory.path().join("types.proto"), TYPES).unwrap();
    generate(directory.path(), &["generate_rust_source", "-o", "one", "odd.proto"]);
    let other = directory.path().join("other");
    messi::Build::new()
        .import_path(directory.path())
        .output_directory(&other)
        .compile(&[directory.path().join("odd.proto")])
        .unwrap();
    assert_eq!(files(&directory.path().join("one")), files(&other));
    let error = messi::Build::new().output_directory(&other).compile(&["nowhere.proto"]).unwrap_err();
    assert_eq!(error.to_string(), "cannot read nowhere.proto: No such file or directory (os error 2)");
}
