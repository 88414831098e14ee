//! The Rust output.

mod support;

use support::*;

#[test]
fn chat_is_as_expected() {
    let directory = tempfile::tempdir().unwrap();
    generate(
        &repository("examples/chat"),
        &["generate_rust_source", "-o", directory.path().to_str().unwrap(), "chat.proto"],
    );
    assert_golden("rust/chat", directory.path());
}
