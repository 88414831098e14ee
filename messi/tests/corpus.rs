//! What the fuzzer of the generator has found worth keeping (`fuzz/corpus/proto_front_end`), and all files that are
//! known to be wrong, through the function that it calls.

#[path = "../../fuzz/corpus.rs"]
mod corpus;
#[path = "../../fuzz/proto.rs"]
mod proto;
mod support;

use std::fs;
use support::*;

#[test]
fn proto_front_end() {
    let mut cases = corpus::cases(&repository(""), "proto_front_end");
    for entry in fs::read_dir(package().join("tests/invalid")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            cases.push((path.display().to_string(), fs::read(path).unwrap()));
        }
    }
    assert!(cases.len() >= 80, "only {} cases", cases.len());
    for (case, bytes) in cases {
        // Shown only if it fails.
        println!("{case}");
        proto::front_end(&bytes);
    }
}
