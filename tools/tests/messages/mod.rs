//! What is in messages: by the shapes in the journal, by a .proto file, and whether a table contradicts them.

use super::support::{clock, options, rmsg, run, scratch, told};
use rust_messenger::message_bus::PersistentBus;
use rust_messenger::routing::{Table, TableHandler, TableRoute, TableWorker};
use rust_messenger::traits::{Layout, MessageBus, Publish};
use std::fs;
use std::path::{Path, PathBuf};

/// A message of a table: its name, its id, and how it becomes bytes.
type Row = (&'static str, u16, Layout);

fn table(rows: &[Row]) -> &'static Table<'static> {
    let route = |(message, message_id, layout): &Row| TableRoute {
        source: "Desk",
        source_id: 1,
        message,
        message_id: *message_id,
        layout: *layout,
        receivers: &["book"],
    };
    let routes = Vec::leak(rows.iter().map(route).collect());
    let handlers = vec![TableHandler { name: "book", type_name: "Book", id: 2, allow_unrouted: false }].leak();
    let worker = TableWorker { name: "Books", handlers, routes };
    Box::leak(Box::new(Table { name: "Market", workers: vec![worker].leak() }))
}

/// A journal with this table and these messages.
fn journal(path: &Path, rows: &[Row], messages: &[(u16, &[u8])]) {
    let clock = clock();
    let (bus, _) = PersistentBus::open(path, options(&clock).table(table(rows))).unwrap();
    let writer = bus.writer().unwrap();
    for (message, payload) in messages {
        writer.write_bytes(1, *message, payload).unwrap();
    }
}

/// What `cat` prints of each message as JSON: its fields, or why there are none.
fn fields(words: &str, path: &Path) -> Vec<String> {
    let (code, stdout, stderr) = told(&format!("journal cat --format json {words}"), path);
    assert_eq!((code, &*stderr), (0, ""), "{stdout}");
    let of = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        match (line.get("fields"), line.get("fields_error")) {
            (Some(fields), None) => fields.to_string(),
            (None, Some(error)) => format!("error: {}", error.as_str().unwrap()),
            (fields, error) => {
                assert_eq!((fields, error), (None, None));
                "nothing".to_owned()
            }
        }
    };
    stdout.lines().map(of).collect()
}

fn postcard(shape: fn() -> String) -> Layout {
    Layout::variable("postcard").with_shape(shape)
}

#[test]
fn fields_are_printed_by_their_shape_and_garbage_is_an_error() {
    let (_directory, path) = scratch();
    let rows = [
        ("Order", 1, postcard(|| "{id: u32, side: enum<Buy, Sell u8>, note: option<str>}".to_owned())),
        ("Tick", 2, Layout::plain::<u32>().with_shape(|| "{price@0: u16, \"a b\"@2: [?; 2]}".to_owned())),
        ("Fixed", 3, Layout::variable("bincode").with_shape(|| "(u16, bool)".to_owned())),
        ("Unknown", 4, Layout::variable("postcard")),
        ("Mine", 5, Layout::variable("mine").with_shape(|| "{id: u32}".to_owned())),
    ];
    let price = 7_u16.to_ne_bytes();
    let messages: [(u16, &[u8]); 8] = [
        (1, b"\xac\x02\x01\x09\x01\x03a\x1bc"),
        (1, b"\x05\x02"),
        (1, b"\xff\xff\xff\xff\xff\xff"),
        (2, &[price[0], price[1], 0xAB, 0xCD]),
        (3, b"\x05\x00\x01"),
        (4, b"\x01"),
        (5, b"\x01"),
        (9, b"\x01"),
    ];
    journal(&path, &rows, &messages);
    let expected = [
        r#"{"id":300,"note":"a\u001bc","side":{"Sell":9}}"#,
        "error: undecodable: variant 2 of 2",
        "error: undecodable: a number at 5 that has more than 32 bits",
        r#"{"a b":"abcd","price":7}"#,
        "[5,true]",
        "nothing",
        "nothing",
        "nothing",
    ];
    assert_eq!(fields("", &path), expected);
    let (_, text, _) = told("journal cat", &path);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with(r#"  {"id":300,"side":{"Sell":9},"note":"a\u001bc"}"#), "{text}");
    assert!(lines[1].ends_with("  undecodable: variant 2 of 2"), "{text}");
    assert!(lines[5].ends_with(" 1 B"), "{text}");
}

#[test]
fn info_lists_the_shapes_under_their_messages() {
    let (_directory, path) = scratch();
    // As long as the place for all of them: it is kept as a hash.
    fn long() -> String {
        format!("{{{}: u32}}", "x".repeat(1 << 20))
    }
    let rows = [
        ("Order", 1, postcard(|| "{id: u32, note: option<str>}".to_owned())),
        ("Wide", 2, postcard(long)),
        ("Odd", 3, Layout::variable("mine").with_shape(|| "a \u{1b}[2J b".to_owned())),
        ("Unknown", 4, Layout::variable("postcard")),
    ];
    journal(&path, &rows, &[]);
    let (_, text, _) = told("journal info", &path);
    let lines: Vec<&str> = text.lines().collect();
    let under = |message: &str| {
        let at = lines.iter().position(|line| line.starts_with(&format!("message           {message} = ")));
        lines[at.expect("the message is listed") + 1]
    };
    assert_eq!(under("Order"), "shape             {id: u32, note: option<str>}");
    let hash = under("Wide").strip_prefix("shape             #").expect("a hash");
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert!(under("Odd").starts_with("shape ") && !text.contains('\u{1b}'), "{text}");
    assert!(!under("Unknown").starts_with("shape"), "{text}");
    let (_, json, _) = told("journal info --format json", &path);
    assert!(json.contains(r#""shape":"{id: u32, note: option<str>}"}"#), "{json}");
    assert_eq!(json.matches("\"shape\":").count(), 3, "{json}");
}

/// Whatever bytes there are, each message is a line, and the command ends well.
#[test]
fn no_garbage_ends_the_command() {
    let (_directory, path) = scratch();
    let shape = || "{a: list<list<option<^3>>>, b: map<str, enum<A, B ^3>>, c: [char; 3], d: f64}".to_owned();
    let mut lot = 7_u64;
    let mut garbage = Vec::new();
    for len in 0..300 {
        let byte = |_| {
            lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Small numbers go deepest.
            if lot >> 63 == 0 { (lot >> 33) as u8 % 4 } else { (lot >> 40) as u8 }
        };
        garbage.push((0..len).map(byte).collect::<Vec<u8>>());
    }
    let rows = [("P", 1, postcard(shape)), ("B", 2, Layout::variable("bincode").with_shape(shape))];
    let messages: Vec<(u16, &[u8])> = garbage.iter().flat_map(|bytes| [(1, &bytes[..]), (2, &bytes[..])]).collect();
    journal(&path, &rows, &messages);
    let fields = fields("", &path);
    assert_eq!(fields.len(), 600);
    assert!(fields.iter().all(|fields| fields != "nothing"));
    assert!(fields.iter().any(|fields| fields.starts_with("error: ")));
}

/// Two types of one name in two modules are two: each has its path, and a name without one says that it is not enough.
#[test]
fn two_of_one_name_are_two() {
    let (_directory, path) = scratch();
    let byte = postcard(|| "u8".to_owned());
    journal(&path, &[("buy::Order", 1, byte), ("sell::Order", 2, byte)], &[(1, b"\x05"), (2, b"\x06")]);
    // It opens again with the same table.
    journal(&path, &[("buy::Order", 1, byte), ("sell::Order", 2, byte)], &[]);
    assert_eq!(fields("--message sell::Order", &path), ["6"]);
    let (code, _, stderr) = told("journal cat --message Order", &path);
    assert_eq!((code, &*stderr), (2, "rmsg: error: --message Order: which of buy::Order, sell::Order?\n"));
    let (_, text, _) = told("journal cat", &path);
    assert!(text.contains("  buy::Order ") && text.contains("  sell::Order "), "{text}");
}

const PROTO: &str = r#"
syntax = "proto3";
package shop.v1;
import "common.proto";
message Order { uint32 id = 1; repeated Line lines = 2; common.Kind kind = 3; int64 cents = 4; }
message Line { string what = 1; }
"#;
const COMMON: &str = "syntax = \"proto3\";\npackage common;\nenum Kind { NONE = 0; LARGE = 1; }\n";

fn protos(directory: &Path) -> PathBuf {
    let proto = directory.join("shop.proto");
    fs::write(&proto, PROTO).unwrap();
    fs::write(directory.join("common.proto"), COMMON).unwrap();
    proto
}

#[test]
fn prost_is_printed_by_its_proto_file() {
    let (directory, path) = scratch();
    let proto = protos(directory.path());
    let prost = Layout::variable("prost");
    let rows = [
        ("Order", 1, prost),
        ("FromClient<Order>", 2, Layout::UNKNOWN),
        ("ToClient<proto::Order>", 3, Layout::UNKNOWN),
        ("FromServer<Order>", 4, Layout::UNKNOWN),
        ("Bought", 5, prost),
        ("Alias", 6, Layout::UNKNOWN),
    ];
    let order = b"\x08\x07\x12\x03\x0a\x01\x1b\x18\x01\x20\x09";
    let behind = |word: u64| [&word.to_le_bytes()[..], order].concat();
    let (from, to, all) = (behind(5), behind(6), behind(0));
    let messages: [(u16, &[u8]); 9] =
        [(1, order), (1, b"\x08"), (2, &from), (2, b"\x01"), (3, &to), (3, &all), (4, order), (5, order), (6, &from)];
    journal(&path, &rows, &messages);
    let read = r#"{"cents":"9","id":7,"kind":"LARGE","lines":[{"what":"\u001b"}]}"#;
    let proto = format!("--proto {}", proto.display());
    let seen = fields(&proto, &path);
    assert_eq!(seen[0], read);
    assert!(seen[1].starts_with("error: "), "{seen:?}");
    assert_eq!(seen[2], format!(r#"{{"client":5,"message":{read}}}"#));
    assert_eq!(seen[3], "error: undecodable: too short for the number of a client");
    assert_eq!(seen[4], format!(r#"{{"message":{read},"to":6}}"#));
    assert_eq!(seen[5], format!(r#"{{"message":{read},"to":"all"}}"#));
    assert_eq!(seen[6], read);
    // Of another name, nobody says what it is.
    assert_eq!(seen[7..], ["nothing", "nothing"]);
    assert_eq!(fields(&format!("{proto} --message Bought=shop.v1.Order"), &path), [read]);
    let alias = fields(&format!("{proto} --message Alias=FromClient<shop.v1.Order>"), &path);
    assert_eq!(alias, [format!(r#"{{"client":5,"message":{read}}}"#)]);
}

#[test]
fn a_proto_file_that_does_not_fit_is_named() {
    let (directory, path) = scratch();
    let proto = protos(directory.path());
    journal(&path, &[("Order", 1, Layout::variable("prost"))], &[]);
    let bad = directory.path().join("bad.proto");
    fs::write(&bad, "syntax = \"proto3\"; message {").unwrap();
    let missing = directory.path().join("missing.proto");
    for (words, expected) in [
        ("--message Order=shop.v1.Order".to_owned(), "--message Order=shop.v1.Order: a type needs its .proto file"),
        (
            format!("--proto {} --message Order=shop.Order", proto.display()),
            "there is no message shop.Order in the .proto file; it has shop.v1.Order, shop.v1.Line",
        ),
        (format!("--proto {} --message Odrer=shop.v1.Order", proto.display()), "no such name; the journal has Order"),
        (format!("--proto {}", bad.display()), "bad.proto"),
        (format!("--proto {}", missing.display()), "missing.proto"),
    ] {
        for command in ["cat", "follow --limit 1"] {
            let (code, stdout, stderr) = told(&format!("journal {command} {words}"), &path);
            assert_eq!((code, &*stdout), (2, ""), "{words}");
            assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{stderr}");
        }
    }
    let (code, _, stderr) = told("journal sequence --message Order=shop.v1.Order", &path);
    assert!(code == 2 && stderr.contains("a type needs its .proto file"), "{stderr}");
}

#[test]
fn a_table_is_checked_before_a_deploy() {
    let (directory, path) = scratch();
    let order = postcard(|| "{id: u32}".to_owned());
    journal(&path, &[("Order", 1, order), ("Tick", 2, Layout::plain::<u32>())], &[]);
    let before = fs::read(&path).unwrap();
    let text = directory.path().join("market.table");
    let check = |words: &str, table: &str| {
        fs::write(&text, table).unwrap();
        let mut command = rmsg(&format!("journal check {words}"), &path);
        command.arg(&text);
        let output = run(command);
        let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&text.display().to_string(), "TABLE");
        (output.status.code().unwrap(), said(output.stdout), said(output.stderr))
    };
    let with = |rows: &[Row]| table(rows).to_text();
    let fits = (0, "fits: the journal opens with this table\n".to_owned(), String::new());
    assert_eq!(check("", &with(&[("Order", 1, order), ("New", 3, order)])), fits);
    assert_eq!(check("", &with(&[])), fits);
    let signed = postcard(|| "{id: i32}".to_owned());
    let changed = with(&[("Order", 1, signed), ("Tick", 2, Layout::plain::<u64>())]);
    let (code, stdout, stderr) = check("", &changed);
    assert_eq!((code, &*stderr), (1, ""));
    assert_eq!(stdout.matches("contradicts: ").count(), 2, "{stdout}");
    let parts = ["Order = 1 has changed at `id`, from `u32` to `i32`", "{id: u32}", "{id: i32}", "Tick = 2"];
    assert!(parts.iter().all(|part| stdout.contains(part)), "{stdout}");
    let (code, stdout, _) = check("--format json", &changed);
    let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &object["fits"], object["contradictions"].as_array().unwrap().len()), (1, &false.into(), 2));
    // A new name, said and not said.
    let renamed = with(&[("Purchase", 1, order)]);
    assert_eq!(check("--renamed Order=Purchase", &renamed), fits);
    let (code, stdout, _) = check("", &renamed);
    assert!(code == 1 && stdout.contains(".renamed(\"Order\", \"Purchase\")"), "{stdout}");
    // What is no table.
    for (table, found) in [
        ("", "another text"),
        ("bank", "another text"),
        ("table\tMarket\nnonsense\n", "a text that begins as one and goes on as something else"),
    ] {
        let (code, stdout, stderr) = check("", table);
        let expected = format!("rmsg: error: TABLE: {found}; expected the text of a routing table; ");
        assert!(code == 1 && stdout.is_empty() && stderr.starts_with(&expected), "{stderr}");
    }
    fs::remove_file(&text).unwrap();
    let mut command = rmsg("journal check", &path);
    command.arg(&text);
    assert_eq!(run(command).status.code(), Some(1));
    assert!(told("journal check --renamed Order", &path).2.contains("OLD=NEW"));
    assert!(fs::read(&path).unwrap() == before, "changed by a program that only reads");
}
