//! A message that has changed: a journal of the old program, the new program that changes it in place and is refused,
//! and the one that gives the new message a name and an id of its own, and reads its history.
//!
//! Run with `cargo run --example changed_message`. On Unix.

use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
use rust_messenger::routing::Table;
use rust_messenger::{Handle, Handler, Messenger, New, Sender, Writer};
use std::error::Error;
use std::path::Path;

/// Orders come from outside of the messenger, in its name.
struct Desk;

impl Handler for Desk {
    type Id = u16;
    const ID: u16 = 1;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    euros: u32,
}
rust_messenger::serde_message!(Order, 1);

#[derive(serde::Serialize, serde::Deserialize)]
struct PricedOrder {
    cents: u64,
    currency: String,
}
rust_messenger::serde_message!(PricedOrder, 2);

/// Keeps what was ordered.
struct Book {
    orders: usize,
    until: usize,
}

impl Handler for Book {
    type Id = u16;
    const ID: u16 = 2;
}

impl New<usize> for Book {
    fn new<W: Writer>(until: &usize, _: &W) -> Self {
        Book { orders: 0, until: *until }
    }
}

impl Handle<PricedOrder> for Book {
    fn handle<W: Writer>(&mut self, order: &PricedOrder, writer: &W) {
        self.orders += 1;
        println!("order {}: {}.{:02} {}", self.orders, order.cents / 100, order.cents % 100, order.currency);
        if self.orders == self.until {
            writer.stop();
        }
    }
}

/// The old one stays routed, for the journal's sake: it becomes a new one, and there is one place that knows what to
/// do.
impl Handle<Order> for Book {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        let order = PricedOrder { cents: u64::from(order.euros) * 100, currency: "EUR".to_owned() };
        Handle::<PricedOrder>::handle(self, &order, writer);
    }
}

/// The program of last year.
mod before {
    use super::{Book, Desk, Order};

    rust_messenger::Messenger! {
        type Market; usize,
        Books: handlers: [ book: Book ] routes: [ Desk, Order: [ book ] ]
    }
}

/// One that changes the message in place, and forgets what is in the journal.
mod in_place {
    use super::{Desk, Handle, Handler, New, Writer};

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Order {
        euros: u32,
        currency: String,
    }
    rust_messenger::serde_message!(Order, 1);

    pub struct Book;

    impl Handler for Book {
        type Id = u16;
        const ID: u16 = 2;
    }

    impl New<usize> for Book {
        fn new<W: Writer>(_: &usize, _: &W) -> Self {
            Book
        }
    }

    impl Handle<Order> for Book {
        fn handle<W: Writer>(&mut self, _: &Order, _: &W) {}
    }

    rust_messenger::Messenger! {
        type Market; usize,
        Books: handlers: [ book: Book ] routes: [ Desk, Order: [ book ] ]
    }
}

Messenger! {
    usize,
    Books:
        handlers: [ book: Book ]
        routes: [
            Desk, Order: [ book ],
            Desk, PricedOrder: [ book ],
        ]
}

fn open(path: &Path, table: &'static Table<'static>) -> Result<PersistentBus, Box<dyn Error>> {
    Ok(PersistentBus::open(path, PersistentOptions::default().table(table).start_reader("Books", Start::Oldest))?.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("market.journal");

    println!("last year:");
    let messenger = before::Market::new(open(&path, before::Market::table())?);
    let handles = messenger.run(&1);
    Desk::send(&Order { euros: 7 }, &messenger.writer()?);
    handles.join()?;
    drop(messenger);

    match open(&path, in_place::Market::table()) {
        Ok(_) => return Err("a changed message went unnoticed".into()),
        Err(refused) => println!("changed in place:\n{refused}"),
    }

    println!("with a name and an id of its own:");
    let messenger = Messenger::new(open(&path, Messenger::table())?);
    let handles = messenger.run(&2);
    Desk::send(&PricedOrder { cents: 750, currency: "CHF".to_owned() }, &messenger.writer()?);
    handles.join()?;
    Ok(())
}
