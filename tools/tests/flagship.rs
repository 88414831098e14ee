//! The pictures of the documentation are what the commands of the repository draw, and so are the counts of the bank
//! example. `BLESS=1` draws them anew.

#![cfg(unix)]

#[path = "flagship/figures.rs"]
mod figures;
#[path = "../../tests/support/process.rs"]
mod process;
#[path = "flagship/ring.rs"]
mod ring;

use process::Process;
use rust_messenger::prelude::*;
use rust_messenger::traits::{DeserializeFrom, ExtendedMessage, Message};
use std::fs;
use std::path::Path;
use std::process::Command;

fn rmsg(arguments: &[&str], journal: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rmsg")).args(arguments).arg(journal).output().unwrap();
    assert!(output.status.success(), "rmsg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Compares a picture with what was drawn; with `BLESS=1` it is written anew.
fn compare(picture: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(picture);
    let shown = fs::read_to_string(&path).unwrap_or_default();
    if shown != drawn && std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        return fs::write(&path, drawn).unwrap();
    }
    assert!(shown == drawn, "BLESS=1 draws {picture} anew");
}

struct Temperature;

impl Message for Temperature {
    type Id = u16;
    const ID: u16 = 1;
}

impl ExtendedMessage for Temperature {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _: &mut [u8]) {}
}

impl DeserializeFrom for Temperature {
    fn deserialize_from(_: &[u8]) -> Temperature {
        Temperature
    }
}

#[derive(Clone)]
struct Config;

#[derive(Default)]
struct Meter;
handler!(Meter, 1, default);

#[derive(Default)]
struct Alarm;
handler!(Alarm, 2, default);

impl Handle<Temperature> for Alarm {
    fn handle<W: Writer>(&mut self, _: &Temperature, _: &W) {}
}

/// A table, and its text without spaces.
macro_rules! table {
    ($($table:tt)*) => {
        Messenger! { $($table)* }
        const TABLE: &str = stringify!($($table)*);
    };
}

table! {
    Config,
    Sensors:
        handlers: [ meter: Meter ]
        routes: []
    Watch:
        handlers: [ alarm: Alarm ]
        routes: [ Meter, Temperature: [ alarm ] ]
}

/// The first table of the guide, word by word, and its picture by `rmsg graph`.
#[test]
fn the_first_table_is_what_its_page_shows() {
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    let page = include_str!("../../docs/guide/first-table.md");
    assert!(dense(page).contains(&dense(TABLE)), "the page has another table");
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("first.journal");
    drop(PersistentBus::open(&journal, PersistentOptions::default().table(Messenger::table())).unwrap());
    compare("docs/guide/first-table.svg", &rmsg(&["graph", "--format", "svg"], &journal));
}

#[test]
fn the_memory_of_a_ring_is_as_its_picture_shows() {
    compare("docs/guide/ring.svg", &ring::draw());
}

#[test]
fn figures_are_as_their_picture_shows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("BENCHMARKS.md");
    compare("docs/guide/figures.svg", &figures::draw(&fs::read_to_string(page).unwrap()));
}

#[test]
fn the_bank_is_what_its_readme_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("bank.journal");
    let mut bank = process::example(root, "bank", &["messi"]);
    bank.arg("--journal").arg(&journal);
    let (status, printed) = Process::start(bank).end();
    assert!(status.success(), "{printed:?}");

    compare("examples/bank/table.svg", &rmsg(&["graph", "--format", "svg"], &journal));

    // Every run says the same to everybody, so the counts of the README are those of any run.
    let readme = fs::read_to_string(root.join("examples/bank/README.md")).unwrap();
    let counts = printed.iter().find(|line| line.starts_with("served ")).expect("what was served");
    assert!(readme.contains(counts), "{counts}");
    let messages = rmsg(&["journal", "cat"], &journal).lines().count();
    assert!(readme.contains(&format!("{messages} messages")), "{messages} messages");
    assert!(rmsg(&["journal", "verify"], &journal).contains("not damaged"));
}
