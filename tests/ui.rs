//! What the compiler says to a table, an id or a message that is wrong: each case in `tests/ui/fail` has its message in
//! a `.stderr` file beside it.
//!
//! The words are the compiler's as much as ours, so the files belong to one series of toolchains, that of
//! `ci/toolchain`. Any other runs the cases with an installed toolchain of that series. To write them anew, run
//! `TRYBUILD=overwrite cargo test --all-features --test ui`, and read every line of the difference: the caret is on the
//! user's own word, and the note says what to do.

#[path = "support/skip.rs"]
mod skip;

use skip::skip;
use std::process::Command;

/// The series whose words are in the `.stderr` files, as in `1.95`.
const SERIES: &str = include_str!("../ci/toolchain").trim_ascii();

/// What a program prints; nothing if there is no such program.
fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8(output).expect("text")
}

fn is_of_the_series(version: &str) -> bool {
    version.starts_with(&format!("rustc {SERIES}."))
}

#[test]
#[cfg_attr(miri, ignore = "starts processes, which Miri cannot")]
fn mistakes_are_explained() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = output_of(&rustc, &["--version"]);
    if is_of_the_series(&version) {
        let cases = trybuild::TestCases::new();
        cases.pass("tests/ui/pass/*.rs");
        cases.compile_fail("tests/ui/fail/*.rs");
        return;
    }
    // One of that series may have another name, such as `stable`.
    let installed = output_of("rustup", &["toolchain", "list"]);
    let mut names = installed.lines().filter_map(|line| line.split(' ').next());
    let Some(name) = names.find(|name| is_of_the_series(&output_of("rustup", &["run", name, "rustc", "--version"])))
    else {
        return skip(&format!("the messages of tests/ui are those of rustc {SERIES}, this is {}", version.trim()));
    };
    let mut again = Command::new("rustup");
    again.args(["run", name, "cargo", "test", "--all-features", "--test", "ui", "--target-dir", "target/ui"]);
    // Neither another toolchain's compiler nor what a sanitizer or a model wants of it.
    for variable in ["CARGO", "RUSTC", "RUSTC_WRAPPER", "RUSTDOC", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        again.env_remove(variable);
    }
    let output = again.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("rustup");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "with {name}:\n{said}");
}
