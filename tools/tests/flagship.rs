//! The bank example with a journal: what `rmsg` says of it is what the example's README shows.

#![cfg(unix)]

#[path = "../../tests/support/process.rs"]
mod process;

use process::Process;
use std::fs;
use std::path::Path;
use std::process::Command;

fn rmsg(arguments: &[&str], journal: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rmsg")).args(arguments).arg(journal).output().unwrap();
    assert!(output.status.success(), "rmsg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `BLESS=1` draws the picture anew.
#[test]
fn the_bank_is_what_its_readme_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("bank.journal");
    let mut bank = process::example(root, "bank", &["messi"]);
    bank.arg("--journal").arg(&journal);
    let (status, printed) = Process::start(bank).end();
    assert!(status.success(), "{printed:?}");

    let picture = root.join("examples/bank/table.svg");
    let (shown, drawn) =
        (fs::read_to_string(&picture).unwrap_or_default(), rmsg(&["graph", "--format", "svg"], &journal));
    if shown != drawn && std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        fs::write(&picture, &drawn).unwrap();
    }
    assert!(shown == drawn, "BLESS=1 draws {} anew", picture.display());

    // Every run says the same to everybody, so the counts of the README are those of any run.
    let readme = fs::read_to_string(root.join("examples/bank/README.md")).unwrap();
    let counts = printed.iter().find(|line| line.starts_with("served ")).expect("what was served");
    assert!(readme.contains(counts), "{counts}");
    let messages = rmsg(&["journal", "cat"], &journal).lines().count();
    assert!(readme.contains(&format!("{messages} messages")), "{messages} messages");
    assert!(rmsg(&["journal", "verify"], &journal).contains("not damaged"));
}
