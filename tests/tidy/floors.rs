//! Floors: which file may name which, by the table of ARCHITECTURE.md.
//!
//! A row is a floor, files, and what they are. A file names files that stand in rows above its own; those in one row
//! don't know each other. So what the table permits has no circle.

use crate::house::{self, Complaints, File};
use crate::names::Names;
use crate::text::ban;
use std::collections::{BTreeSet, HashMap};
use std::fs;

/// Files that must not know others, although these stand above them: who, whom, and why not. A path begins with it.
const STRANGERS: &[(&str, &str, &str)] = &[
    ("src/messenger", "src/message_bus/", "a messenger runs on any bus, and names none"),
    ("src/messi/", "src/messenger/worker", "a bridge is a handler like any other"),
    ("src/mmap/", "src/traits", "mapped bytes know nothing of messages"),
];

/// But this one is where a message becomes bytes, and says why it did not.
const NO_STRANGER: &str = "src/mmap/space.rs";

/// The rows of the table: the floor, and the files.
fn table(text: &str) -> Vec<(u8, Vec<String>)> {
    let rows = text.lines().skip_while(|line| !line.starts_with("| floor |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(str::trim);
            let floor = cells.next().and_then(|cell| cell.strip_prefix('F')?.parse().ok());
            let files = cells.next().unwrap_or_default();
            let files = files.split('`').skip(1).step_by(2).flat_map(alternatives).map(|file| format!("src/{file}"));
            (floor.unwrap_or_else(|| panic!("no floor: {line}")), files.collect())
        })
        .collect()
}

/// `a/{b,c}.rs` is two files.
fn alternatives(name: &str) -> Vec<String> {
    match name.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (list, after))) => list.split(',').map(|one| format!("{before}{one}{after}")).collect(),
        None => vec![name.to_owned()],
    }
}

/// What is wrong with the tables as such.
fn rule_table(rows: &[(u8, Vec<String>)], files: &[&File], names: &Names) -> Complaints {
    let mut complaints = Vec::new();
    for pair in rows.windows(2).filter(|pair| pair[0].0 > pair[1].0) {
        complaints.push(format!("ARCHITECTURE.md: {:?} on F{} stands below F{}", pair[1].1, pair[1].0, pair[0].0));
    }
    let mut listed = BTreeSet::new();
    for path in rows.iter().flat_map(|(_, files)| files) {
        if !listed.insert(path.as_str()) {
            complaints.push(format!("ARCHITECTURE.md: {path} has two places among the floors"));
        }
        if !files.iter().any(|file| file.path == *path) {
            complaints.push(format!("ARCHITECTURE.md: {path} has a floor, but is no file"));
        }
    }
    for file in files {
        let needs_none = file.path == "src/lib.rs" || names.is_test(&file.path) || names.is_face(&file.path);
        if !needs_none && !listed.contains(file.path.as_str()) {
            complaints.push(format!("{}: on no floor: give it a row in ARCHITECTURE.md", file.path));
        }
    }
    complaints
}

/// A prefix that fits no file any more is a rule about nothing.
fn rule_strangers(files: &[&File]) -> Complaints {
    let prefixes = STRANGERS.iter().flat_map(|(who, whom, _)| [who, whom]);
    let stale = prefixes.filter(|prefix| !files.iter().any(|file| file.path.starts_with(**prefix)));
    stale.map(|prefix| format!("tests/tidy/floors.rs: no file begins with {prefix}, one of `STRANGERS`")).collect()
}

fn rule_floors(rows: &[(u8, Vec<String>)], names: &Names) -> Complaints {
    let ranks: HashMap<&str, usize> =
        rows.iter().enumerate().flat_map(|(rank, (_, files))| files.iter().map(move |file| (&**file, rank))).collect();
    let mut complaints = Vec::new();
    for edge in names.edges() {
        let (place, path) = (format!("{}:{}", edge.from, edge.line), &edge.path);
        let stranger = STRANGERS.iter().find(|(who, whom, _)| edge.from.starts_with(who) && edge.to.starts_with(whom));
        if let Some((.., why)) = stranger.filter(|_| edge.from != NO_STRANGER) {
            complaints.push(format!("{place}: `{path}` is in {}: {why}", edge.to));
        }
        let (Some(from), Some(to)) = (ranks.get(&*edge.from), ranks.get(&*edge.to)) else { continue };
        if to < from {
            continue;
        }
        let verdict = if to == from { "stands in the same row" } else { "stands below" };
        complaints.push(format!("{place}: `{path}` goes up: {} {verdict} in ARCHITECTURE.md's table", edge.to));
    }
    complaints
}

#[test]
fn nothing_goes_up() {
    let text = fs::read_to_string(house::root().join("ARCHITECTURE.md")).unwrap();
    let (rows, files) = (table(&text), house::files_in(&["src/"]));
    let names = Names::of(files.iter().copied());
    let mut complaints = rule_table(&rows, &files, &names);
    complaints.extend(rule_strangers(&files));
    complaints.extend(rule_floors(&rows, &names));
    house::holds(complaints);
}

/// What single files must not know of other crates.
fn rule_ignorance(file: &File) -> Complaints {
    let codecs = ["serde", "postcard", "bincode", "prost", "zerocopy"];
    match file.path.as_str() {
        path if path.starts_with("src/traits") => {
            let mut complaints = ban(file, &["memmap2"], "the vocabulary names no mapping");
            complaints.extend(ban(file, &["thread"], "the vocabulary names no thread"));
            complaints.extend(ban(file, &codecs, "the vocabulary names no codec"));
            complaints
        }
        path if path.starts_with("src/encoding/") && path != "src/encoding/mod.rs" => {
            let own: &[&str] = match path.trim_start_matches("src/encoding/") {
                "postcard.rs" => &["postcard", "serde"],
                "bincode.rs" => &["bincode", "serde"],
                "prost.rs" => &["prost"],
                "zero_copy.rs" => &["zerocopy"],
                // Of any type of serde's, whatever is written with it.
                "trace.rs" | "trace/seen.rs" | "trace/tracer.rs" | "trace/tests.rs" => &["serde"],
                "json/written.rs" => &["serde", "postcard", "bincode"],
                _ => &[],
            };
            let others: Vec<&str> = codecs.into_iter().filter(|name| !own.contains(name)).collect();
            ban(file, &others, "encodings don't know each other")
        }
        "src/messi/wire.rs" => {
            ban(file, &["std::io", "std::net", "polling"], "frames are bytes: no input or output here")
        }
        "src/messi/connection.rs" => ban(file, &["std::net", "TcpStream", "polling"], "the protocol knows no socket"),
        _ => Vec::new(),
    }
}

#[test]
fn nobody_knows_more_than_it_must() {
    house::holds(house::all(&["src/"], rule_ignorance));
}

// ------------------------------------------------------------------------------------------------ rules can be broken

const SMALL_TABLE: &str = "
| another | table |
| --- | --- |
| `nothing.rs` | x |

| floor | file | what it is |
| --- | --- | --- |
| F0 | `sync.rs` | |
| F1 | `traits.rs` | |
| F1 | `mmap/mod.rs` | `bytes.rs` |
| F2 | `encoding/mod.rs` | |
| F2 | `encoding/{bincode,prost}.rs` | |
| F2 | `routing.rs` | |
| F2 | `message_bus/slot.rs`, `message_bus/wait.rs` | |
| F2 | `message_bus/claim.rs` | |
| F3 | `worker.rs` | |
| F3 | `worker/timers.rs` | |
| F3 | `messenger.rs` | |
";

/// A small house, with `text` in the file `path`.
fn house_with(path: &str, text: &str) -> Vec<File> {
    let mut files = vec![
        File::new(
            "src/lib.rs",
            "mod message_bus; pub use message_bus::slot::Slot; pub use traits::{\n    Message,\n}; mod __private {}",
        ),
        File::new("src/sync.rs", "pub use std::sync::Mutex; pub fn lock() {}"),
        File::new("src/traits.rs", "pub struct Header; pub trait Message {}"),
        File::new("src/mmap/mod.rs", "pub struct Region;"),
        File::new("src/encoding/mod.rs", "pub fn write_into() {}"),
        File::new("src/encoding/bincode.rs", "pub fn size() {}"),
        File::new("src/encoding/prost.rs", "#[macro_export] macro_rules! prost_message { () => {} }"),
        File::new("src/routing.rs", "pub struct Table;"),
        File::new(
            "src/message_bus/mod.rs",
            "mod claim; mod slot; pub mod wait; pub use slot::*; pub use claim::Claim;",
        ),
        File::new("src/message_bus/slot.rs", "pub struct Slot; pub enum Ring { Free }"),
        File::new("src/message_bus/wait.rs", "pub struct Wait;"),
        File::new("src/message_bus/claim.rs", "pub struct Claim;"),
        File::new("src/worker.rs", "pub struct Worker; pub(crate) use timers::Timers; mod timers;"),
        File::new("src/worker/timers.rs", "pub struct Timers; pub fn sort() {}"),
        File::new("src/messenger.rs", ""),
    ];
    files.retain(|file| file.path != path);
    files.push(File::new(path, text));
    files
}

fn floors_of(path: &str, text: &str) -> Complaints {
    let (rows, files) = (table(SMALL_TABLE), house_with(path, text));
    let names = Names::of(&files);
    let mut complaints = rule_table(&rows, &files.iter().collect::<Vec<_>>(), &names);
    complaints.extend(rule_floors(&rows, &names));
    complaints
}

#[test]
fn an_edge_that_goes_up_is_found() {
    let one = |path: &str, text: &str, expected: &str| {
        let mut complaints = floors_of(path, text);
        complaints.dedup();
        assert!(complaints.len() == 1 && complaints[0].contains(expected), "{complaints:#?}\n is not {expected}");
    };
    let up = "goes up: src/message_bus/slot.rs stands below";
    one(
        "src/traits.rs",
        "\nuse crate::message_bus::slot::Ring;",
        &format!("src/traits.rs:2: `crate::message_bus::slot::Ring` {up}"),
    );
    one("src/traits.rs", "use crate::{sync::lock, message_bus::{slot}};", up);
    one("src/traits.rs", "fn f(x: &crate::routing::Table) {}", "src/routing.rs stands below");
    one("src/traits.rs", "type A = Vec<crate::routing::Table>;", "src/routing.rs stands below");
    one("src/traits.rs", "impl Into<crate::Slot> for u8 {}", up);
    one("src/traits.rs", "use crate::message_bus::Ring::Free as Empty;", up);
    one("src/traits.rs", "use crate::message_bus as bus; fn f(x: bus::Slot) {}", up);
    one("src/traits.rs", "use crate::message_bus::*; fn f(x: Slot) {}", up);
    one(
        "src/sync.rs",
        "pub fn lock() {} mod door { use super::super::traits::Header; }",
        "`super::super::traits::Header` goes up",
    );
    one("src/message_bus/slot.rs", "use super::super::worker;", "`super::super::worker` goes up");
    one("src/message_bus/slot.rs", "use super::wait::Wait;", "src/message_bus/wait.rs stands in the same row");
    one("src/encoding/prost.rs", "use super::bincode::size;", "src/encoding/bincode.rs stands in the same row");
    one(
        "src/encoding/prost.rs",
        "macro_rules! m { () => { $crate::messenger::new() } }",
        "`crate::messenger::new` goes up",
    );
    one(
        "src/encoding/bincode.rs",
        "fn f() { crate::prost_message!(); }",
        "src/encoding/prost.rs stands in the same row",
    );
    one(
        "src/mmap/mod.rs",
        "fn f() { assert!(a.b == <u8>::c(crate::worker::Worker, d)) }",
        "src/worker.rs stands below",
    );
    one(
        "src/mmap/mod.rs",
        "macro_rules! m { () => { use $crate::{sync, worker::{Worker}}; } }",
        "src/worker.rs stands below",
    );
    one("src/worker.rs", "mod timers; fn f() { timers::sort() }", "src/worker/timers.rs stands below");
    one(
        "src/worker.rs",
        "mod timers; pub(crate) use timers::Timers; fn f(x: Timers) {}",
        "src/worker/timers.rs stands below",
    );
    one("src/mmap/mod.rs", "use crate::traits::Header;", "mapped bytes know nothing of messages");
    one("src/attic.rs", "fn f() {}", "src/attic.rs: on no floor");
}

/// Of each circle that once was, the edge that closed it: put back into the house as it is, it is red.
#[test]
fn every_former_circle_is_found() {
    const CLOSING: &[(&str, &str)] = &[
        ("src/encoding/prost.rs", "src/macro.rs"),
        ("src/message_bus/ring/claim.rs", "src/message_bus/circular_bus.rs"),
        ("src/message_bus/ring/claim.rs", "src/message_bus/ring/store.rs"),
        ("src/message_bus/ring/store.rs", "src/message_bus/ring/gate.rs"),
        ("src/message_bus/ring/reader.rs", "src/message_bus/circular_bus.rs"),
        ("src/message_bus/ring/writer.rs", "src/message_bus/circular_bus.rs"),
        ("src/message_bus/ring/slot.rs", "src/message_bus/journal/slots.rs"),
        ("src/message_bus/journal/keeper.rs", "src/message_bus/persistent_bus.rs"),
        ("src/messenger/worker/timers.rs", "src/messenger/worker.rs"),
        ("src/messi/net/mod.rs", "src/messi/options.rs"),
    ];
    let module = |path: &str| {
        path.trim_start_matches("src/").trim_end_matches(".rs").replace('/', "::").replace("macro", "r#macro")
    };
    let text = fs::read_to_string(house::root().join("ARCHITECTURE.md")).unwrap();
    let files = house::files_in(&["src/"]).into_iter().map(|file| {
        // Each by a name of its own: a path follows names through files.
        let closing = CLOSING.iter().enumerate().filter(|(_, (from, _))| *from == file.path);
        let uses = closing.map(|(place, (_, to))| format!("use crate::{}::Name{place};\n", module(to)));
        File::new(&file.path, &(file.text.clone() + &uses.collect::<String>()))
    });
    let complaints = rule_floors(&table(&text), &Names::of(&files.collect::<Vec<_>>()));
    for (from, to) in CLOSING {
        let is_found =
            |complaint: &String| complaint.starts_with(from) && complaint.contains(&format!("goes up: {to} "));
        assert!(complaints.iter().any(is_found), "{from} to {to}: {complaints:#?}");
    }
    assert_eq!(complaints.len(), CLOSING.len(), "{complaints:#?}");
}

#[test]
fn edges_that_go_down_are_fine() {
    let fine = |path: &str, text: &str| house::holds(floors_of(path, text));
    fine("src/messenger.rs", "use crate::worker::Worker; use crate::{traits, sync::{Mutex, lock}};");
    fine(
        "src/message_bus/claim.rs",
        "use super::slot::Slot; use crate::mmap::Region; mod a { use super::super::Wait; }",
    );
    fine("src/encoding/prost.rs", "use super::write_into; use crate::Message; use ::worker::x; use bincode::x;");
    fine(
        "src/traits.rs",
        "// crate::worker\n/// [`b`](crate::messenger::Messenger)\nconst A: &str = \"crate::worker\";",
    );
    fine("src/traits.rs", "mod a { mod b {} use super::c; } pub(crate) fn c() {} use std::super_thing;");
    fine("src/traits.rs", "macro_rules! m { () => { pub(in super::super) fn f() { worker.messenger() } } }");
    fine("src/traits.rs", "#[cfg(all(test, unix))] mod a { use crate::worker::Worker; }");
    fine("src/worker.rs", "mod timers; #[cfg(test)] mod tests; pub use timers::{Timers, sort as order};");
    fine("src/worker/timers.rs", "use super::Worker; fn f(timers: u8) { g(timers) }");
}

#[test]
fn files_of_tests_and_faces_need_no_row() {
    let mut files = house_with("src/worker.rs", "#[cfg(test)] mod model;");
    files.push(File::new("src/worker/model.rs", "use crate::messenger;"));
    files.push(File::new("src/messi/mod.rs", "pub mod wire; pub use wire::Frame;"));
    let names = Names::of(&files);
    let files: Vec<&File> = files.iter().collect();
    house::holds(rule_table(&table(SMALL_TABLE), &files, &names));
    house::holds(rule_floors(&table(SMALL_TABLE), &names));
}

#[test]
fn a_table_that_is_wrong_is_found() {
    let files = house_with("src/messenger.rs", "");
    let names = Names::of(&files);
    let files: Vec<&File> = files.iter().collect();
    let one = |from: &str, to: &str, expected: &str| {
        let complaints = rule_table(&table(&SMALL_TABLE.replace(from, to)), &files, &names);
        assert!(complaints.len() == 1 && complaints[0].contains(expected), "{complaints:#?}\n is not {expected}");
    };
    one("| F2 | `routing.rs`", "| F1 | `routing.rs`", "on F1 stands below F2");
    one("{bincode,prost}", "{bincode}", "src/encoding/prost.rs: on no floor");
    one("`traits.rs`", "`traits.rs`, `routing.rs`", "src/routing.rs has two places");
    one("`traits.rs`", "`traits.rs`, `attic.rs`", "src/attic.rs has a floor, but is no file");
}

#[test]
fn strangers_that_are_no_files_are_found() {
    let files = house_with("src/messenger.rs", "");
    assert!(rule_strangers(&files.iter().collect::<Vec<_>>()).iter().any(|complaint| complaint.contains("src/messi/")));
}

#[test]
fn knowing_too_much_is_found() {
    use house::breaks;
    breaks(rule_ignorance, "src/traits/bus.rs", "use std::thread;\nuse memmap2::A;", &["no mapping", "no thread"]);
    breaks(rule_ignorance, "src/traits.rs", "fn a<T: serde::Serialize>() {}", &["no codec"]);
    breaks(rule_ignorance, "src/encoding/prost.rs", "use ::bincode::Options;", &["don't know each other"]);
    breaks(rule_ignorance, "src/encoding/bincode.rs", "use ::bincode::Options; use ::serde::Serialize;", &[]);
    breaks(rule_ignorance, "src/messi/wire.rs", "use std::io::Read;", &["no input or output"]);
    breaks(rule_ignorance, "src/messi/connection.rs", "use std::net::TcpStream;", &["no socket", "no socket"]);
}
