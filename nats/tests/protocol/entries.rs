//! Headers are read as they were written, and whatever else stands in them is an error.

use crate::{head, layout, origin};
use proptest::prelude::*;
use rust_messenger_nats::protocol::*;

fn origins() -> impl Strategy<Value = Origin> {
    (prop_oneof![Just(Kind::Journal), Just(Kind::Ring)], any::<u64>(), any::<u64>())
        .prop_map(|(kind, incarnation, bridge)| origin(kind, incarnation, bridge))
}

fn positions() -> impl Strategy<Value = u64> {
    (1..MAX_POSITION / 16).prop_map(|place| place * 16)
}

pub fn entries() -> impl Strategy<Value = Entry> {
    let codec = prop_oneof![Just(String::new()), any::<String>()];
    let order = prop_oneof![Just(ByteOrder::Little), Just(ByteOrder::Big)];
    let layout = (order, any::<u64>(), any::<u64>(), any::<Option<u64>>(), codec)
        .prop_map(|(order, size, align, shape, codec)| LayoutTag { order, size, align, shape, codec });
    let earlier = || proptest::option::of(positions());
    let message = (origins(), positions(), earlier(), any::<Option<u64>>(), earlier(), any::<(u16, u16)>(), layout)
        .prop_map(|(origin, position, previous, time, cause, (source, message), layout)| {
            let before = |other: &u64| *other < position;
            let (previous, cause) = (previous.filter(before), cause.filter(before));
            Entry::Message(MessageHead { origin, position, previous, time, cause, source, message, layout })
        });
    let reached = (any::<u64>(), earlier()).prop_map(|(incarnation, position)| Reached { incarnation, position });
    let hello = (origins(), earlier(), any::<u64>(), proptest::option::of(reached))
        .prop_map(|(origin, after, time, before)| Entry::Hello(Hello { origin, after, time, before }));
    prop_oneof![message, hello]
}

fn read(name: &str, value: &str) -> Result<Entry, EntryError> {
    Entry::from_headers([(name, value)])
}

proptest! {
    #[test]
    fn what_is_written_is_read(entry in entries()) {
        let (name, value) = entry.to_header();
        prop_assert!(value.bytes().all(|byte| (b' '..0x7F).contains(&byte)), "{value}");
        prop_assert_eq!(read(name, &value), Ok(entry));
    }

    /// A line has one meaning, and a meaning one line.
    #[test]
    fn a_changed_line_is_another_entry_or_none(entry in entries(), at in any::<usize>(), with in "[ -~]{0,2}") {
        let (name, value) = entry.to_header();
        let at = at % value.len();
        let changed = format!("{}{with}{}", &value[..at], &value[at + 1..]);
        match read(name, &changed) {
            Ok(read) => prop_assert_eq!(read.to_header(), (name, changed)),
            Err(error) => prop_assert!(!matches!(error, EntryError::Missing | EntryError::Several)),
        }
    }

    #[test]
    fn any_headers_are_an_entry_or_an_error(
        headers in proptest::collection::vec(("(Rm-Message|Rm-Hello|[A-Za-z-]{1,5})", any::<String>()), 0..4),
    ) {
        let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        if let Ok(entry) = Entry::from_headers(pairs) {
            let (name, value) = entry.to_header();
            prop_assert!(headers.contains(&(name.to_owned(), value)));
        }
    }
}

#[test]
fn lies_are_named() {
    let (name, good) = Entry::Message(head(origin(Kind::Journal, 1, 2), Some(16), 32)).to_header();
    let bridge = "0000000000000001 0000000000000002";
    assert_eq!(good, format!("1 j {bridge} 32 16 9 - 1 2 le 0 0 000000000000abcd postcard"));
    let line = |rest: &str| format!("1 j {bridge} {rest}");
    let lies = [
        (good.replacen('1', "2", 1), EntryError::Version(2)),
        (good.replacen('1', "", 1), EntryError::Field("version")),
        (good.replacen('j', "x", 1), EntryError::Field("kind")),
        (good.replace("0000000000000001 ", "1 "), EntryError::Field("incarnation")),
        (good.replace("0000000000000002", "000000000000000Z"), EntryError::Field("bridge")),
        (line("33 16 9 - 1 2 le 0 0 - x"), EntryError::Field("position")),
        (line("576460752303423488 16 9 - 1 2 le 0 0 - x"), EntryError::Field("position")),
        (line("032 16 9 - 1 2 le 0 0 - x"), EntryError::Field("position")),
        (line("32 32 9 - 1 2 le 0 0 - x"), EntryError::Field("previous")),
        (line("32 16 -9 - 1 2 le 0 0 - x"), EntryError::Field("time")),
        (line("32 16 18446744073709551616 - 1 2 le 0 0 - x"), EntryError::Field("time")),
        (line("32 16 20000000000000000000 - 1 2 le 0 0 - x"), EntryError::Field("time")),
        (line("32 16  - 1 2 le 0 0 - x"), EntryError::Field("time")),
        (line("32 16 9 48 1 2 le 0 0 - x"), EntryError::Field("cause")),
        (line("32 16 9 0 1 2 le 0 0 - x"), EntryError::Field("cause")),
        (line("32 16 9 - 65536 2 le 0 0 - x"), EntryError::Field("source")),
        (line("32 16 9 - 1 +2 le 0 0 - x"), EntryError::Field("message")),
        (line("32 16 9 - 1 2 me 0 0 - x"), EntryError::Field("order")),
        (line("32 16 9 - 1 2 le 0"), EntryError::Field("align")),
        (line("32 16 9 - 1 2 le 0 0 - a=2"), EntryError::Field("codec")),
        (line("32 16 9 - 1 2 le 0 0 - x "), EntryError::Field("end")),
    ];
    for (lie, error) in lies {
        assert_eq!(read(name, &lie), Err(error), "{lie}");
    }
    assert!(read(name, &line(&format!("32 16 {} - 1 2 le 0 0 - x", u64::MAX))).is_ok());
    assert_eq!(read("Rm-Hello", &format!("1 r {bridge} - 5 - 16")), Err(EntryError::Field("before")));
    assert_eq!(read("Rm-Hello", &good), Err(EntryError::Field("before")));
    assert_eq!(Entry::from_headers([(name, &*good), (name, &*good)]), Err(EntryError::Several));
    assert_eq!(Entry::from_headers([("Nats-Msg-Id", "1")]), Err(EntryError::Missing));
    assert!(Entry::from_headers([("Nats-Expected-Last-Sequence", "7"), (name, &*good)]).is_ok());
}

#[test]
fn layouts_agree_where_nothing_contradicts() {
    let here = layout();
    assert!(here.agrees(&here));
    assert!(here.agrees(&LayoutTag { shape: None, ..layout() }) && LayoutTag { shape: None, ..layout() }.agrees(&here));
    assert!(!here.agrees(&LayoutTag { shape: Some(1), ..layout() }));
    assert!(here.agrees(&LayoutTag { codec: String::new(), ..layout() }));
    assert!(!here.agrees(&LayoutTag { codec: "bincode".to_owned(), ..layout() }));
    assert!(!here.agrees(&LayoutTag { size: 8, ..layout() }));
    // Words of an encoder have one order wherever they are written; those of plain memory have the machine's.
    assert!(here.agrees(&LayoutTag { order: ByteOrder::Big, ..layout() }));
    let plain = |order| LayoutTag { order, size: 8, align: 8, ..layout() };
    assert!(!plain(ByteOrder::Little).agrees(&plain(ByteOrder::Big)));
    assert!(plain(ByteOrder::Big).agrees(&plain(ByteOrder::Big)));
}
