//! What the fuzzers of the bridge have found worth keeping (`fuzz/corpus`), through the functions that they call.

#![cfg(feature = "messi")]
#![cfg(not(miri))] // Reads files; what it calls is run under Miri by the tests of wire and connection.

#[path = "../fuzz/corpus.rs"]
mod corpus;
#[path = "../fuzz/messi.rs"]
mod messi;

use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let cases = corpus::cases(Path::new(env!("CARGO_MANIFEST_DIR")), name);
    assert!(cases.len() >= 10, "only {} cases for {name}", cases.len());
    for (case, bytes) in cases {
        // Shown only if it fails.
        println!("{case}");
        target(&bytes);
    }
}

#[test]
fn frame_decode() {
    replay("frame_decode", messi::frame_decode);
}

#[test]
fn client_machine() {
    replay("client_machine", messi::client_machine);
}

#[test]
fn server_machine() {
    replay("server_machine", messi::server_machine);
}

#[test]
fn protobuf_inside() {
    replay("protobuf_inside", messi::protobuf_inside);
}
