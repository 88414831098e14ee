//! What the fuzzer of the generator has found worth keeping (`fuzz/corpus/proto_front_end`), and all files that are
//! known to be wrong, through the function that it calls.

#[path = "../../fuzz/proto.rs"]
mod proto;
mod support;

use std::fs;
use support::*;

#[test]
fn proto_front_end() {
    let mut cases = 0;
    for directory in [repository("fuzz/corpus/proto_front_end"), package().join("tests/invalid")] {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                // Shown only if it fails.
                println!("{}", path.display());
                proto::front_end(&fs::read(path).unwrap());
                cases += 1;
            }
        }
    }
    assert!(cases >= 80, "only {cases} cases");
}
