//! Messages that change: each change in each encoding is refused when the journal is opened, or what was written is
//! read right.
//!
//! Method: one program writes a message and dies; the next one knows the message by the same id and name, and its type
//! is another one.

use super::{options, scratch};
use rust_messenger::message_bus::{JournalError, JournalTable, PersistentBus};
use rust_messenger::routing::{Table, TableHandler, TableRoute, TableWorker};
use rust_messenger::traits::{Encoded, ExtendedMessage, Layout, Message, MessageBus, Publish, Reader};
use std::borrow::Borrow;
use std::fmt::Debug;

/// The message in every table here.
const ORDER: u16 = 7;

fn table(layout: Layout) -> &'static Table<'static> {
    named("Order", "Book", layout)
}

fn named(message: &'static str, handler: &'static str, layout: Layout) -> &'static Table<'static> {
    let route = TableRoute { source: "Desk", source_id: 1, message, message_id: ORDER, layout, receivers: &["book"] };
    let member = TableHandler { name: "book", type_name: handler, id: 2, allow_unrouted: false };
    let worker =
        TableWorker { name: "Books", handlers: Box::leak(Box::new([member])), routes: Box::leak(Box::new([route])) };
    Box::leak(Box::new(Table { name: "Market", workers: Box::leak(Box::new([worker])) }))
}

/// What `New` reads of what `Old` wrote.
fn read_as<Old: ExtendedMessage, New: Encoded + Debug>(old: &Old) -> Result<String, JournalError> {
    let (_directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, options().table(table(Old::LAYOUT))).unwrap();
    bus.writer().unwrap().write(1, ORDER, old.get_size(), |bytes| old.write_into(bytes)).unwrap();
    drop(bus);
    let before = std::fs::read(&path).unwrap();
    let opened = PersistentBus::open(&path, options().table(table(New::LAYOUT)));
    let Ok((bus, _)) = opened else {
        assert!(std::fs::read(&path).unwrap() == before, "changed by an open that failed");
        return Err(opened.unwrap_err());
    };
    let mut reader = bus.subscribe("reader").unwrap();
    let read = reader.try_read(|_, payload| format!("{:?}", New::decode(payload).unwrap().borrow())).unwrap();
    Ok(read)
}

#[track_caller]
fn refused<Old: ExtendedMessage, New: Encoded + Debug>(old: &Old, place: &str) {
    match read_as::<Old, New>(old) {
        Err(JournalError::Shape { message, id: ORDER, journal, table, at, .. }) => {
            assert_eq!((&*message, &*at), ("Order", place));
            let shape = |layout: Layout| layout.shape.unwrap()();
            assert_eq!((&*journal, &*table), (&*shape(Old::LAYOUT), &*shape(New::LAYOUT)));
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn reads<Old: ExtendedMessage, New: Encoded + Debug>(old: &Old, expected: &str) {
    assert_eq!(read_as::<Old, New>(old).unwrap(), expected);
}

/// A module for each type, which is `Order` in all of them: its fields, and the sides that there are.
macro_rules! orders {
    ($message:ident; $(
        $module:ident ( $( $(#[$attribute:meta])* $field:ident: $type:ty ),+ ) [ $($variants:tt)+ ]
    )+) => { $(
        pub mod $module {
            #![allow(dead_code)]
            use serde::{Deserialize, Serialize};

            #[derive(Debug, Serialize, Deserialize)]
            pub struct Order {
                $( $(#[$attribute])* pub $field: $type, )+
            }
            rust_messenger::$message!(Order, crate::changes::ORDER);

            #[derive(Debug, Serialize, Deserialize)]
            pub enum Side { $($variants)+ }

            #[derive(Debug, Serialize, Deserialize)]
            pub struct Price(u32);
        }
    )+ };
}

/// The same changes of a serde type in two encodings.
macro_rules! serde_changes {
    ($encoding:ident, $message:ident, $widened:expr) => {
        mod $encoding {
            use super::*;

            orders! { $message;
                first (price: u32, size: u16, side: Side) [Buy, Sell(u8)]
                same (price: u32, size: u16, side: Side) [Buy, Sell(u8)]
                added (price: u32, size: u16, side: Side, more: Option<u8>) [Buy, Sell(u8)]
                removed (price: u32, size: u16) [Buy]
                widened (price: u64, size: u16, side: Side) [Buy, Sell(u8)]
                narrowed (price: u16, size: u16, side: Side) [Buy, Sell(u8)]
                signed (price: i32, size: u16, side: Side) [Buy, Sell(u8)]
                reordered (size: u16, price: u32, side: Side) [Buy, Sell(u8)]
                renamed (limit: u32, size: u16, side: Side) [Buy, Sell(u8)]
                kept (#[serde(rename = "price")] limit: u32, size: u16, side: Side) [Buy, Sell(u8)]
                variant_added (price: u32, size: u16, side: Side) [Buy, Sell(u8), Swap]
                variant_within (price: u32, size: u16, side: Side) [Buy, Swap, Sell(u8)]
                variant_removed (price: u32, size: u16, side: Side) [Buy]
                variant_renamed (price: u32, size: u16, side: Side) [Bid, Sell(u8)]
                variant_changed (price: u32, size: u16, side: Side) [Buy, Sell(i8)]
                newtype (price: Price, size: u16, side: Side) [Buy, Sell(u8)]
                optional (price: Option<u32>, size: u16, side: Side) [Buy, Sell(u8)]
            }

            #[test]
            fn each_change_is_refused_or_read_right() {
                let old = || first::Order { price: 7, size: 300, side: first::Side::Sell(3) };
                let read = |price: &str| format!("Order {{ {price}, size: 300, side: Sell(3) }}");
                reads::<_, first::Order>(&old(), &read("price: 7"));
                reads::<_, same::Order>(&old(), &read("price: 7"));
                reads::<_, newtype::Order>(&old(), &read("price: Price(7)"));
                // Its name on the wire is what it was.
                reads::<_, kept::Order>(&old(), &read("limit: 7"));
                reads::<_, variant_added::Order>(&old(), &read("price: 7"));
                refused::<_, added::Order>(&old(), "");
                refused::<_, removed::Order>(&old(), "");
                refused::<_, narrowed::Order>(&old(), "price");
                refused::<_, signed::Order>(&old(), "price");
                refused::<_, reordered::Order>(&old(), "");
                refused::<_, renamed::Order>(&old(), "");
                refused::<_, variant_within::Order>(&old(), "side");
                refused::<_, variant_removed::Order>(&old(), "side");
                refused::<_, variant_renamed::Order>(&old(), "side");
                refused::<_, variant_changed::Order>(&old(), "side.Sell");
                refused::<_, optional::Order>(&old(), "price");
                // And back: what was added later is not read by what was before.
                refused::<_, first::Order>(
                    &variant_added::Order { price: 7, size: 300, side: variant_added::Side::Swap },
                    "side",
                );
                let widened: Option<&str> = $widened;
                match widened {
                    Some(expected) => reads::<_, widened::Order>(&old(), expected),
                    None => refused::<_, widened::Order>(&old(), "price"),
                }
            }
        }
    };
}

serde_changes!(postcard, serde_message, Some("Order { price: 7, size: 300, side: Sell(3) }"));
serde_changes!(bincode, bincode_message, None);

/// One module for each struct of plain memory.
macro_rules! plain {
    ($( $module:ident { $($definition:tt)+ } )+) => { $(
        mod $module {
            use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
            rust_messenger::zero_copy_message! {
                #[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
                #[repr(C)]
                pub struct Order { $($definition)+ },
                super::ORDER,
            }
        }
    )+ };
}

plain! {
    first { pub price: u64, pub sizes: [u32; 2] }
    same { pub price: u64, pub sizes: [u32; 2], }
    signed { pub price: i64, pub sizes: [u32; 2] }
    wider { pub price: u64, pub sizes: [u64; 1] }
    reordered { pub sizes: [u32; 2], pub price: u64 }
    renamed { pub limit: u64, pub sizes: [u32; 2] }
    added { pub price: u64, pub sizes: [u32; 2], pub more: u64 }
    split { pub price: u64, pub size: u32, pub more: u32 }
}

/// A type of which only the size is known, as before.
mod unlisted {
    use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
    #[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
    #[repr(C)]
    pub struct Order {
        pub price: i64,
        pub sizes: [u32; 2],
    }
    rust_messenger::zero_copy_message!(Order, super::ORDER);
}

#[test]
fn fields_of_plain_memory_are_compared() {
    let old = first::Order { price: 7, sizes: [1, 2] };
    let read = "Order { price: 7, sizes: [1, 2] }";
    reads::<_, same::Order>(&old, read);
    refused::<_, signed::Order>(&old, "price");
    refused::<_, wider::Order>(&old, "sizes");
    refused::<_, reordered::Order>(&old, "");
    refused::<_, renamed::Order>(&old, "");
    refused::<_, split::Order>(&old, "");
    // Another size is another record, as it always was.
    let error = read_as::<_, added::Order>(&old).unwrap_err().to_string();
    assert!(error.contains("(plain memory, 16 bytes aligned to 8) of the journal"), "{error}");
    // Of one without a definition nothing is known, and unknown is never refused.
    reads::<_, unlisted::Order>(&old, read);
    reads::<_, first::Order>(&unlisted::Order { price: 7, sizes: [1, 2] }, read);
}

/// One module for each prost type, with the list that `messi` generates.
macro_rules! prost_orders {
    ($( $module:ident $list:literal { $($field:tt)* } )+) => { $(
        mod $module {
            #[derive(Clone, PartialEq, prost::Message)]
            pub struct Order { $($field)* }
            impl Order {
                pub const FIELD_SHAPE: Option<fn() -> String> = Some(|| $list.to_owned());
            }
            rust_messenger::prost_message!(Order, super::ORDER);
        }
    )+ };
}

prost_orders! {
    proto "message<1 uint64, 2 string>" {
        #[prost(uint64, tag = "1")] pub price: u64,
        #[prost(string, tag = "2")] pub note: String,
    }
    proto_added "message<1 uint64, 2 string, 3 bool>" {
        #[prost(uint64, tag = "1")] pub price: u64,
        #[prost(string, tag = "2")] pub note: String,
        #[prost(bool, tag = "3")] pub more: bool,
    }
    proto_removed "message<2 string>" { #[prost(string, tag = "2")] pub note: String, }
    proto_renamed "message<1 uint64, 2 string>" {
        #[prost(string, tag = "2")] pub text: String,
        #[prost(uint64, tag = "1")] pub limit: u64,
    }
    proto_signed "message<1 int64, 2 string>" {
        #[prost(int64, tag = "1")] pub price: i64,
        #[prost(string, tag = "2")] pub note: String,
    }
    proto_other "message<1 uint64, 2 bytes>" {
        #[prost(uint64, tag = "1")] pub price: u64,
        #[prost(bytes = "vec", tag = "2")] pub note: Vec<u8>,
    }
}

#[test]
fn only_a_number_with_two_types_contradicts_in_prost() {
    let old = proto::Order { price: 7, note: "a".to_owned() };
    reads::<_, proto_added::Order>(&old, r#"Order { price: 7, note: "a", more: false }"#);
    reads::<_, proto_removed::Order>(&old, r#"Order { note: "a" }"#);
    reads::<_, proto_renamed::Order>(&old, r#"Order { text: "a", limit: 7 }"#);
    refused::<_, proto_signed::Order>(&old, "1");
    refused::<_, proto_other::Order>(&old, "2");
    reads::<_, proto::Order>(
        &proto_added::Order { more: true, ..Default::default() },
        r#"Order { price: 0, note: "" }"#,
    );
    // Of a type that nobody generated nothing is known.
    reads::<_, by_hand::Order>(&old, "Order { price: 7 }");
}

mod by_hand {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Order {
        #[prost(int64, tag = "1")]
        pub price: i64,
    }
    rust_messenger::prost_message!(Order, super::ORDER);
}

/// Opens one journal with one layout after the other.
fn open_in_turn(layouts: &[Layout], table_capacity: usize) -> Result<JournalTable, JournalError> {
    let (_directory, path) = scratch();
    for layout in layouts {
        let options = rust_messenger::PersistentOptions { table_capacity, ..options() };
        PersistentBus::open(&path, options.table(table(*layout)))?;
    }
    Ok(rust_messenger::Journal::open(&path)?.info()?.table.unwrap())
}

/// Texts of a user's own are compared as they are, what nobody said is never refused, and what was said stays.
#[test]
fn shapes_by_hand_are_as_given() {
    let said = |shape| Layout::variable("mine").with_shape(shape);
    let (one, two): (Layout, Layout) = (said(|| "version one".to_owned()), said(|| "version two".to_owned()));
    let none = Layout::variable("mine");
    open_in_turn(&[one, one], 4096).unwrap();
    open_in_turn(&[none, two], 4096).unwrap();
    assert!(matches!(open_in_turn(&[one, two], 4096), Err(JournalError::Shape { .. })));
    assert!(matches!(open_in_turn(&[one, none, two], 4096), Err(JournalError::Shape { .. })));
    let error = open_in_turn(&[one, two], 4096).unwrap_err().to_string();
    for part in
        ["message Order = 7 has changed", "in the journal:        version one", "in the routing table:  version two"]
    {
        assert!(error.contains(part), "{error}");
    }
}

/// A text that does not fit is a hash: it is compared as well, and never too large.
#[test]
fn a_shape_that_does_not_fit_is_a_hash() {
    let long = |last: &str| format!("({}, {last})", vec!["u8, i8"; 1000].join(", "));
    assert!(long("u8").len() > 4096);
    let one = Layout::variable("mine").with_shape(|| format!("({}, u8)", vec!["u8, i8"; 1000].join(", ")));
    let two = Layout::variable("mine").with_shape(|| format!("({}, i8)", vec!["u8, i8"; 1000].join(", ")));
    let table = open_in_turn(&[one, one, one], 4096).unwrap();
    assert!(table.to_json(ORDER, b"").is_none(), "it is a hash");
    match open_in_turn(&[one, two], 4096).unwrap_err() {
        JournalError::Shape { journal, table, .. } => {
            assert!(journal.starts_with('#') && journal.len() == 17, "{journal}");
            assert_eq!(&*table, long("i8"));
        }
        other => panic!("{other}"),
    }
    // Where it fits, it is the text.
    let error = open_in_turn(&[one, two], 65_536).unwrap_err();
    assert!(matches!(error, JournalError::Shape { journal, .. } if *journal == *long("u8")));
}

/// Another name for a message and for a handler: as long as it is said.
#[test]
fn a_new_name_is_said() {
    let (_directory, path) = scratch();
    let layout = <postcard::first::Order as Message>::LAYOUT;
    drop(PersistentBus::open(&path, options().table(table(layout))).unwrap());
    let renamed = || options().table(named("Purchase", "Ledger", layout));
    let error = PersistentBus::open(&path, renamed()).unwrap_err().to_string();
    assert!(error.contains("open with `.renamed(\"Order\", \"Purchase\")`"), "{error}");
    let error = PersistentBus::open(&path, renamed().renamed("Order", "Purchase")).unwrap_err().to_string();
    assert!(error.contains("open with `.renamed(\"Book\", \"Ledger\")`"), "{error}");
    let all = || renamed().renamed("Order", "Purchase").renamed("Book", "Ledger");
    for _ in 0..2 {
        drop(PersistentBus::open(&path, all()).unwrap());
    }
    let table = rust_messenger::Journal::open(&path).unwrap().info().unwrap().table.unwrap();
    assert_eq!((table.message(ORDER), table.handler(2)), (Some("Purchase"), Some("Ledger")));
    // A changed type is not renamed.
    let changed = named("Purchase", "Ledger", <postcard::signed::Order as Message>::LAYOUT);
    assert!(matches!(PersistentBus::open(&path, options().table(changed)), Err(JournalError::Shape { .. })));
    for (options, expected) in [
        (all().renamed("Order", "Trade"), "the old name is renamed twice"),
        (renamed().renamed("Purchase", "Purchase"), "both names are the same"),
        (renamed().renamed("Order", "Pruchase"), "the routing table has no message and no handler of the new name"),
        (renamed().renamed("Desk", "Ledger"), "the routing table still has the old name"),
        (super::options().renamed("Order", "Purchase"), "it needs the routing table"),
    ] {
        match PersistentBus::open(&path, options) {
            Err(error @ JournalError::Renamed { .. }) => assert!(error.to_string().contains(expected), "{error}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
}
