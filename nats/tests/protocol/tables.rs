//! What arrives meets the local table.

use crate::{head, layout, origin};
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::Layout;
use rust_messenger_nats::protocol::*;

const ROUTE: TableRoute<'static> = TableRoute {
    source: "Gate < Shop >",
    source_id: 1,
    message: "Sold",
    message_id: 2,
    layout: Layout::variable("postcard").with_shape(|| "{price: u64}".to_owned()),
    receivers: &["stock"],
};

fn catalog(route: TableRoute<'static>) -> Catalog {
    let elsewhere = [TableRoute { message: "Bought", message_id: 3, ..route }];
    let here = [route];
    let workers = [
        TableWorker { name: "here", handlers: &[], routes: &here },
        TableWorker { name: "there", handlers: &[], routes: &elsewhere },
    ];
    Catalog::of(&Table { name: "Shop", workers: &workers }, |route| route.message == "Sold")
}

fn with(position: u64, layout: &Layout) -> MessageHead {
    let previous = position.checked_sub(16).filter(|position| *position > 0);
    MessageHead { layout: LayoutTag::of(layout), ..head(origin(Kind::Ring, 1, 2), previous, position) }
}

fn take(arrivals: &mut Arrivals, subject: &str, entry: Entry, catalog: &Catalog) -> Arrival {
    let (name, value) = entry.to_header();
    arrivals.take(1, subject, [(name, value.as_str())], catalog)
}

#[test]
fn the_hash_of_a_shape_is_fnv() {
    let tag = LayoutTag::of(&Layout::variable("x").with_shape(|| "a".to_owned()));
    assert_eq!(tag.shape, Some(0xAF63_DC4C_8601_EC8C));
    assert_eq!(LayoutTag::of(&Layout::variable("x").with_shape(|| "{a: ?}".to_owned())).shape, None);
    assert_eq!(
        LayoutTag::of(&Layout::plain::<u32>()),
        LayoutTag { order: ByteOrder::HERE, size: 4, align: 4, shape: None, codec: "plain memory".to_owned() }
    );
}

#[test]
fn a_message_that_differs_waits_and_is_named_and_goes_on_with_a_table_that_agrees() {
    let names = Names::new("shop", "till").unwrap();
    let subject = names.message("Gate<Shop>", "Sold").to_string();
    assert_eq!(subject, "shop.till.Gate=3CShop=3E.Sold");
    let mut arrivals = Arrivals::new(names, 0, None);
    let new = Layout::variable("postcard").with_shape(|| "{price: u64, tax: u64}".to_owned());
    let (old, newer) = (catalog(ROUTE), catalog(TableRoute { layout: new, ..ROUTE }));
    let first = with(16, &ROUTE.layout);
    let second = with(32, &new);
    let write = |head: &MessageHead| Arrival::Write(Box::new(head.clone()));
    assert_eq!(take(&mut arrivals, &subject, Entry::Message(first.clone()), &old), write(&first));
    for _ in 0..2 {
        let Arrival::Wait(mismatch) = take(&mut arrivals, &subject, Entry::Message(second.clone()), &old) else {
            panic!("what differs is not to be read");
        };
        let (theirs, ours) = (second.layout.to_string(), old.rows()[0].layout.to_string());
        assert!(mismatch.to_string().contains(&theirs) && mismatch.to_string().contains(&ours), "{mismatch}");
        // Nothing overtakes it.
        let third = Entry::Message(with(48, &ROUTE.layout));
        assert_eq!(take(&mut arrivals, &subject, third, &old), Arrival::Early);
    }
    assert_eq!(take(&mut arrivals, &subject, Entry::Message(second.clone()), &newer), write(&second));
}

#[test]
fn ids_that_differ_are_a_mismatch_too() {
    let head = MessageHead { message: 9, ..with(16, &ROUTE.layout) };
    let names = ("Gate<Shop>".to_owned(), "Sold".to_owned());
    let mismatch = Mismatch::Ids { names, theirs: (1, 9), ours: (1, 2) };
    assert_eq!(catalog(ROUTE).agreed("Gate<Shop>", "Sold", &head), Err(mismatch));
}

#[test]
fn what_no_worker_here_receives_is_passed_by() {
    let names = Names::new("shop", "till").unwrap();
    let mut arrivals = Arrivals::new(names.clone(), 0, None);
    for (position, message) in [(16, "Bought"), (32, "Unheard")] {
        let subject = names.message("Gate<Shop>", message).to_string();
        let entry = Entry::Message(with(position, &Layout::UNKNOWN));
        assert_eq!(take(&mut arrivals, &subject, entry, &catalog(ROUTE)), Arrival::NotForHere);
    }
    assert_eq!(arrivals.reached(), Some(Reached { incarnation: 1, position: Some(32) }));
}

#[test]
fn foreign_messages_are_refused_and_stand_in_no_way() {
    let names = Names::new("shop", "till").unwrap();
    let (catalog, mut arrivals) = (catalog(ROUTE), Arrivals::new(names.clone(), 0, None));
    let subject = names.message("Gate<Shop>", "Sold").to_string();
    let hello = Entry::Hello(Hello { origin: origin(Kind::Ring, 1, 2), after: None, time: 0, before: None });
    let message = Entry::Message(with(16, &ROUTE.layout));
    let refused = |arrival| match arrival {
        Arrival::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(arrivals.take(1, &subject, [], &catalog)), Refusal::Entry(EntryError::Missing));
    let mut take = |sequence, subject: &str, entry: &Entry| {
        let (name, value) = entry.to_header();
        arrivals.take(sequence, subject, [(name, value.as_str())], &catalog)
    };
    assert_eq!(refused(take(2, &subject, &hello)), Refusal::NotItsSubject);
    assert_eq!(refused(take(3, "shop.till.$hello", &message)), Refusal::NotItsSubject);
    let other = Names::new("shop", "till 2").unwrap();
    assert_eq!(refused(take(4, &other.hello().to_string(), &hello)), Refusal::OtherNode(other));
    assert!(matches!(refused(take(5, "shop.till.A.*", &message)), Refusal::Subject(_)));
    assert!(matches!(take(6, &subject, &message), Arrival::Write(_)));
    // Positions that jump back are what was taken before.
    assert_eq!(take(7, &subject, &message), Arrival::Again);
    assert!(layout().agrees(&layout()));
}
