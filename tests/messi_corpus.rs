//! What the fuzzers of the bridge have found worth keeping (`fuzz/corpus`), through the functions that they call.

#![cfg(feature = "messi")]
#![cfg(not(miri))] // Reads files; what it calls is run under Miri by the tests of wire and connection.

#[path = "../fuzz/messi.rs"]
mod messi;

use std::fs;
use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut cases = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        // Shown only if it fails.
        println!("{}", path.display());
        target(&fs::read(path).unwrap());
        cases += 1;
    }
    assert!(cases >= 10, "only {cases} cases in {}", directory.display());
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
