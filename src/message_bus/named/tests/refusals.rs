//! What cannot be used is refused by a typed error, and is byte for byte what it was.

use super::super::identity::{Identity, LEN, NAMES};
use super::super::names::{self, Names};
use super::super::options::Claims;
use super::*;
use crate::message_bus::JournalTable;
use crate::mmap::{Region, crash};
use crate::process::Observer;
use crate::routing::{Table, TableHandler, TableRoute, TableWorker};
use crate::sync::Ordering;
use crate::traits::{Layout, MessageBus, Publish, Reader};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Opens what is at `path` in every way, each of which must be refused so, and leave the file as it was.
#[track_caller]
fn refused(path: &Path, options: &NamedOptions, is_so: impl Fn(&NamedProblem) -> bool) {
    let before = fs::read(path).ok();
    let results = [CircularBus::open(path, options.clone()), CircularBus::open_or_create(path, options.clone())];
    for result in results {
        let error = result.unwrap_err();
        assert!(is_so(&error.problem), "{error}");
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    }
    assert!(before == fs::read(path).ok(), "the file has changed");
}

/// The first page of the ring at `path` with other bytes in it, its check made anew or not.
pub(super) fn forge(path: &Path, is_checked: bool, change: impl FnOnce(&mut [u8])) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes[..LEN]);
    if is_checked {
        let check = crc32c::crc32c(&bytes[..LEN - 4]);
        bytes[LEN - 4..LEN].copy_from_slice(&check.to_ne_bytes());
    }
    fs::write(path, bytes).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_is_no_ring_is_refused_by_what_it_is() {
    let (directory, path) = scratch();
    assert!(matches!(problem(CircularBus::open(&path, NamedOptions::default())), NamedProblem::Missing));
    let nowhere = directory.path().join("nowhere").join("ring");
    assert!(matches!(problem(CircularBus::create(&nowhere, NamedOptions::default())), NamedProblem::Missing));
    assert!(matches!(problem(CircularBus::open_or_create(&nowhere, NamedOptions::default())), NamedProblem::Missing));
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "a letter").unwrap();
    let others: [(&str, &dyn Fn()); 4] = [
        ("a directory", &|| fs::create_dir(&path).unwrap()),
        ("a pipe", &|| assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success())),
        ("a socket", &|| drop(std::os::unix::net::UnixListener::bind(&path).unwrap())),
        ("a symbolic link", &|| std::os::unix::fs::symlink(&elsewhere, &path).unwrap()),
    ];
    for (kind, make) in others {
        make();
        for result in [
            CircularBus::open(&path, NamedOptions::default()).map(drop),
            CircularBus::open_or_create(&path, NamedOptions::default()).map(drop),
            CircularBus::remove(&path),
        ] {
            let found = problem(result);
            assert!(matches!(found, NamedProblem::NotAFile { found } if found == kind), "{kind}: {found:?}");
        }
        assert!(matches!(problem(CircularBus::create(&path, NamedOptions::default())), NamedProblem::Exists));
        if kind == "a directory" { fs::remove_dir(&path).unwrap() } else { fs::remove_file(&path).unwrap() }
    }
    for content in [&b""[..], b"rmsgrin", b"rmsgring", &[0; 4096], &[7; 100_000]] {
        fs::write(&path, content).unwrap();
        refused(&path, &NamedOptions::default(), |problem| matches!(problem, NamedProblem::NotARing));
        if !content.starts_with(b"rmsgring") {
            assert!(matches!(problem(CircularBus::remove(&path)), NamedProblem::NotARing), "that is somebody's");
        }
        assert!(matches!(problem(CircularBus::create(&path, NamedOptions::default())), NamedProblem::Exists));
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), b"a letter");
    // What nobody may write to, root among them.
    let sealed = Path::new("/sys/kernel/uevent_seqnum");
    assert!(matches!(problem(CircularBus::open(sealed, NamedOptions::default())), NamedProblem::Denied));
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_ring_of_another_kind_is_refused_by_what_it_is() {
    let (_directory, path) = scratch();
    let anew = || {
        let _ = fs::remove_file(&path);
        drop(made(&path));
    };
    let default = NamedOptions::default();
    let put =
        |place: usize, word: u64| move |bytes: &mut [u8]| bytes[place..place + 8].copy_from_slice(&word.to_ne_bytes());

    anew();
    forge(&path, false, |bytes| bytes[..8].copy_from_slice(b"rmsgjrnl"));
    refused(&path, &default, |problem| matches!(problem, NamedProblem::NotARing));
    anew();
    forge(&path, false, |bytes| bytes[8..16].reverse());
    refused(&path, &default, |problem| matches!(problem, NamedProblem::ByteOrder));
    anew();
    forge(&path, true, put(8, 5));
    refused(&path, &default, |problem| matches!(problem, NamedProblem::Damaged { what: "its byte order" }));
    for version in [2, 4] {
        anew();
        // Of another version nothing else is known, its check neither.
        forge(&path, false, put(16, version));
        refused(
            &path,
            &default,
            |problem| matches!(problem, NamedProblem::Version { found, expected: 3 } if *found == version),
        );
    }
    for byte in [24, 40, 50, 60, 64, 80, 100, 127] {
        anew();
        forge(&path, false, |bytes| bytes[byte] ^= 1);
        refused(&path, &default, |problem| matches!(problem, NamedProblem::Damaged { what: "its first page" }));
    }
    for (place, word, what) in [
        (24, 4096, "the lengths of its parts"),
        (32, 0, "the lengths of its parts"),
        (40, 8, "the lengths of its parts"),
        (48, 8192, "the lengths of its parts"),
        (48, 4095, "its capacity"),
        (48, 512, "its capacity"),
        (48, 1 << 63, "its capacity"),
        (56, 3, "how its writers claim"),
    ] {
        anew();
        forge(&path, true, put(place, word));
        refused(&path, &default, |problem| matches!(problem, NamedProblem::Damaged { what: found } if *found == what));
    }
    for (by, is_shorter) in [(1, true), (1, false), (40_000, true)] {
        anew();
        let mut bytes = fs::read(&path).unwrap();
        let expected = bytes.len();
        bytes.resize(if is_shorter { expected - by } else { expected + by }, 0);
        fs::write(&path, &bytes).unwrap();
        let is_so = |problem: &NamedProblem| {
            matches!(problem, NamedProblem::Length { found, expected: whole }
                if *found == bytes.len() as u64 && *whole == expected as u64)
        };
        refused(&path, &default, is_so);
    }

    anew();
    for asked in [CAPACITY / 2, CAPACITY * 2, 0, 5] {
        let is_so = |problem: &NamedProblem| match problem {
            NamedProblem::Capacity { found, asked: other } => (*found, *other) == (4096, asked),
            _ => false,
        };
        refused(&path, &of_capacity(asked), is_so);
    }
    let one_writer = CircularBus::open_one_writer(&path, default.clone());
    assert!(matches!(problem(one_writer), NamedProblem::ForManyWriters));
    fs::remove_file(&path).unwrap();
    drop(CircularBus::create_one_writer(&path, default.clone()).unwrap());
    refused(&path, &default, |problem| matches!(problem, NamedProblem::ForOneWriter));
    assert_eq!(CircularBus::open_one_writer(&path, default).unwrap().max_payload(), (1 << 17) - 16);
}

#[test]
fn what_a_first_page_says_comes_back() {
    for claims in [Claims::Many, Claims::One] {
        let identity = Identity { capacity: 1 << 20, claims, key: 77, boot: u128::MAX - 5 };
        assert_eq!(Identity::read(&identity.to_bytes(), identity.file_len()).unwrap(), identity);
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn what_cannot_be_made_leaves_nothing() {
    let (directory, path) = scratch();
    for asked in [0, 512, 5000, usize::MAX] {
        let found = problem(CircularBus::create(&path, of_capacity(asked)));
        assert!(matches!(found, NamedProblem::NoCapacity { asked: other } if other == asked), "{found:?}");
        let found = problem(CircularBus::open_or_create(&path, of_capacity(asked)));
        assert!(matches!(found, NamedProblem::NoCapacity { asked: other } if other == asked), "{found:?}");
    }
    assert_eq!(names_in(&directory), [""; 0]);
    for mode in [0o600, 0o660] {
        drop(CircularBus::create(&path, NamedOptions { mode, ..of_capacity(CAPACITY) }).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        CircularBus::remove(&path).unwrap();
    }
    drop(made(&path));
    assert!(matches!(problem(CircularBus::create(&path, NamedOptions::default())), NamedProblem::Exists));
}

/// Those inside go on among themselves, and the name is free.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_ring_that_is_removed_goes_on_without_a_name() {
    let (directory, path) = scratch();
    let (one, other) = (made(&path), opened(&path));
    let mut reader = other.subscribe("reader").unwrap();
    CircularBus::remove(&path).unwrap();
    assert_eq!(names_in(&directory), [""; 0]);
    assert!(matches!(problem(CircularBus::remove(&path)), NamedProblem::Missing));
    assert!(matches!(problem(CircularBus::open(&path, NamedOptions::default())), NamedProblem::Missing));
    let next = made(&path);
    one.writer().unwrap().write_bytes(1, 2, b"inside").unwrap();
    assert_eq!(reader.try_read(|_, payload| payload.to_vec()), Ok(b"inside".to_vec()));
    assert_eq!((next.tail(), next.stats().readers.len()), (0, 0));
    drop((one, other, reader));
    assert_eq!(opened(&path).tail(), 0);
}

/// Nobody who used it can be alive, and what of it reached the disk nobody knows.
#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_ring_of_another_boot_is_refused_and_can_be_replaced() {
    let (_directory, path) = scratch();
    let bus = made(&path);
    bus.writer().unwrap().write_bytes(1, 2, b"before").unwrap();
    drop(bus);
    if Observer::of_this_process().boot() == 0 {
        return crate::children::skip("this system does not say which boot this is");
    }
    forge(&path, true, |bytes| bytes[72] ^= 1);
    let before = fs::read(&path).unwrap();
    assert!(matches!(problem(CircularBus::open(&path, NamedOptions::default())), NamedProblem::OtherBoot));
    assert!(fs::read(&path).unwrap() == before);
    let next = CircularBus::open_or_create(&path, of_capacity(CAPACITY)).unwrap();
    assert_eq!(next.tail(), 0);
    next.writer().unwrap().write_bytes(1, 2, b"since").unwrap();
    assert_eq!(CircularBus::open_or_create(&path, NamedOptions::default()).unwrap().tail(), next.tail());
}

// --------------------------------------------------------------------------------------------------------------- names

const fn route(message: &'static str, message_id: u16, layout: Layout) -> TableRoute<'static> {
    TableRoute { source: "Feed", source_id: 1, message, message_id, layout, receivers: &["book"] }
}

const fn handler(type_name: &'static str, id: u16) -> TableHandler<'static> {
    TableHandler { name: "book", type_name, id, allow_unrouted: false }
}

const fn table(workers: &'static [TableWorker<'static>]) -> Table<'static> {
    Table { name: "T", workers }
}

const NUMBER: Layout = Layout::variable("postcard").with_shape(|| "{price: u64}".to_owned());
const SIGNED: Layout = Layout::variable("postcard").with_shape(|| "{price: i64}".to_owned());

pub(super) static ORDERS: Table =
    table(&[TableWorker { name: "A", handlers: &[handler("Book", 2)], routes: &[route("Order", 7, NUMBER)] }]);
static TRADES: Table =
    table(&[TableWorker { name: "B", handlers: &[handler("Till", 3)], routes: &[route("Trade", 8, Layout::UNKNOWN)] }]);
/// Of each kind of contradiction one, and what it names.
static CONTRARY: [(Table, &[&str]); 4] = [
    (
        table(&[TableWorker { name: "C", handlers: &[], routes: &[route("Offer", 7, NUMBER)] }]),
        &["Order = 7", "Offer = 7"],
    ),
    (
        table(&[TableWorker { name: "C", handlers: &[], routes: &[route("Trade", 9, Layout::UNKNOWN)] }]),
        &["Trade = 8", "Trade = 9"],
    ),
    (table(&[TableWorker { name: "C", handlers: &[handler("Desk", 2)], routes: &[] }]), &["Book = 2", "Desk = 2"]),
    (
        table(&[TableWorker { name: "C", handlers: &[], routes: &[route("Order", 7, SIGNED)] }]),
        &["{price: u64}", "{price: i64}"],
    ),
];

fn with(table: &'static Table<'static>) -> NamedOptions {
    NamedOptions::default().table(table)
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_ring_keeps_what_its_programs_say_of_ids_and_refuses_what_contradicts_it() {
    for is_first in [true, false] {
        let (_directory, path) = scratch();
        let (first, second) = if is_first { (&ORDERS, &TRADES) } else { (&TRADES, &ORDERS) };
        drop(CircularBus::create(&path, NamedOptions { capacity: Some(CAPACITY), ..with(first) }).unwrap());
        drop(CircularBus::open(&path, with(second)).unwrap());
        let known = known_at(&path);
        let messages: Vec<_> = known.messages().iter().map(|message| (message.id, &*message.name)).collect();
        assert_eq!(messages, [(7, "Order"), (8, "Trade")]);
        assert_eq!(known.handlers().collect::<Vec<_>>(), [(1, "Feed"), (2, "Book"), (3, "Till")]);
        // Who says nothing new writes nothing, in whatever order they come.
        for table in [first, second, first] {
            let before = names_at(&path);
            drop(CircularBus::open(&path, with(table)).unwrap());
            assert!(names_at(&path) == before);
        }
        drop(opened(&path));
        for (table, both) in &CONTRARY {
            let names_both = |change: &str| both.iter().all(|name| change.contains(name));
            refused(
                &path,
                &with(table),
                |problem| matches!(problem, NamedProblem::Table { change } if names_both(change)),
            );
        }
        assert_eq!(known_at(&path), known);
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri maps no file")]
fn a_table_that_has_no_room_is_refused() {
    let long: &'static str = Box::leak("x".repeat(40_000).into_boxed_str());
    let routes = Box::leak(Box::new([route(long, 9, Layout::UNKNOWN)]));
    let workers = Box::leak(Box::new([TableWorker { name: "A", handlers: &[], routes }]));
    let table: &'static Table = Box::leak(Box::new(Table { name: "T", workers }));
    let (directory, path) = scratch();
    let is_so =
        |problem: &NamedProblem| matches!(problem, NamedProblem::TableTooLarge { len: 40_000.., max: ..33_000 });
    assert!(is_so(&problem(CircularBus::create(&path, with(table)))));
    assert_eq!(names_in(&directory), [""; 0]);
    drop(made(&path));
    refused(&path, &with(table), is_so);
}

fn names_at(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()[NAMES..NAMES + names::LEN].to_vec()
}

fn known_at(path: &Path) -> JournalTable {
    let region = Region::anonymous(names::LEN).unwrap();
    for (place, word) in names_at(path).as_chunks().0.iter().enumerate() {
        region.word(8 * place).store(u64::from_ne_bytes(*word), Ordering::Relaxed);
    }
    Names { region: &region, at: 0 }.known().unwrap()
}

/// Whoever dies while it writes names has written all of them or none, and the next one writes what it has to say.
#[test]
#[cfg_attr(miri, ignore = "minutes: both areas are read at each cut, 64 KiB word by word")]
fn names_are_written_whole_or_not_at_all() {
    let region = Region::anonymous(names::LEN).unwrap();
    let names = Names { region: &region, at: 0 };
    names.write(&names.united_with(&ORDERS).unwrap().unwrap());
    let before = names.known().unwrap();
    let both = {
        let region = Region::anonymous(names::LEN).unwrap();
        let names = Names { region: &region, at: 0 };
        names.write(&names.united_with(&ORDERS).unwrap().unwrap());
        names.write(&names.united_with(&TRADES).unwrap().unwrap());
        assert!(names.united_with(&TRADES).unwrap().is_none());
        names.known().unwrap()
    };
    assert_ne!(before, both);
    let (mut cuts, mut is_whole) = (0, false);
    while !is_whole {
        let update = names.united_with(&TRADES).unwrap().unwrap();
        is_whole = crash::within(cuts, &region, || names.write(&update)).is_ok();
        cuts += 1;
        let known = names.known().unwrap();
        assert!(if is_whole { known == both } else { known == before }, "after {cuts} words");
    }
    assert!(cuts > 10, "{cuts}");
    assert_eq!(names.known().unwrap(), both);
}
