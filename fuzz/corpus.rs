//! What the fuzzers have found worth keeping, for the tests that replay it: `fuzz/corpus/TARGET.hex` is a file of a
//! target's cases, one in a line, as a name, a colon, and its bytes in hex. `ci/corpus.sh` unpacks and adds to them.

use std::fs;
use std::path::Path;

/// The cases of a target, with their names. `repository` is where the file `Cargo.toml` of the workspace is.
///
/// # Panics
///
/// When there is no such target, or a line is not of this form.
pub fn cases(repository: &Path, target: &str) -> Vec<(String, Vec<u8>)> {
    let path = repository.join("fuzz/corpus").join(target).with_extension("hex");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let case = |(number, line): (usize, &str)| {
        let case = line.split_once(':').and_then(|(name, hex)| Some((name.to_owned(), bytes(hex.trim())?)));
        case.unwrap_or_else(|| panic!("{}:{}: no case", path.display(), number + 1))
    };
    text.lines().enumerate().map(case).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect()
}
