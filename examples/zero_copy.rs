//! Messages that are plain memory: made in the bus, read in the bus, never copied into a value of their own.
//!
//! A feed writes ticks in place; `zerocopy`'s derives prove that their bytes are fit for that, and nobody writes
//! `unsafe`. A strategy reads them where they lie and answers with an order, which is a serde type: both kinds travel
//! through one table.
//!
//! ```sh
//! cargo run --example zero_copy --features zero_copy
//! ```

#![forbid(unsafe_code)]

use rust_messenger::prelude::*;
use serde::{Deserialize, Serialize};
use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout};

messenger_id_enum!(MessageId { Tick = 1, Order = 2 });
messenger_id_enum!(HandlerId { Feed = 1, Strategy = 2, Gateway = 3 });

/// The order of the fields is the order of the bytes, and every byte belongs to a field: with `last` alone at the end
/// there would be seven that do not, and the derives would refuse.
#[derive(FromZeros, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Tick {
    price: u64,
    size: u32,
    /// Zero and one are its only values. A reader that finds another one gets an error, not a broken `bool`.
    last: bool,
    reserved: [u8; 3],
}

zero_copy_message!(Tick, MessageId::Tick);

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    price: u64,
    reason: String,
}

serde_message!(Order, MessageId::Order);

#[derive(Clone)]
struct Config {
    prices: Vec<u64>,
}

/// Sends one tick for each price.
struct Feed {
    prices: Vec<u64>,
}

impl Handler for Feed {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Feed;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        for (index, &price) in self.prices.iter().enumerate() {
            // The closure gets the tick's place in the bus, zeroed; what it leaves alone stays zero.
            Self::send_in_place::<Tick, _>(writer, |tick| {
                tick.price = price;
                tick.size = 100;
                tick.last = index + 1 == self.prices.len();
            });
        }
    }
}

impl New<Config> for Feed {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Feed { prices: config.prices.clone() }
    }
}

/// Buys when the price falls.
struct Strategy {
    previous: u64,
}

handler!(Strategy, HandlerId::Strategy);

impl New<Config> for Strategy {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Strategy { previous: 0 }
    }
}

impl Handle<Tick> for Strategy {
    fn handle<W: Writer>(&mut self, tick: &Tick, writer: &W) {
        // `tick` is the very memory that the feed wrote.
        if tick.price < self.previous {
            let reason = format!("{} less than before", self.previous - tick.price);
            Self::send(&Order { price: tick.price, reason }, writer);
        }
        self.previous = tick.price;
        if tick.last {
            // Everything that is on the bus by now is still handled.
            writer.stop();
        }
    }
}

/// Would send orders to the exchange.
struct Gateway;

handler!(Gateway, HandlerId::Gateway);

impl New<Config> for Gateway {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Gateway
    }
}

impl Handle<Order> for Gateway {
    fn handle<W: Writer>(&mut self, order: &Order, _: &W) {
        println!("buy at {}: {}", order.price, order.reason);
    }
}

Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [ Feed, Tick: [ strategy ], Strategy, Order: [ gateway ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    messenger.run(&Config { prices: vec![100, 101, 99, 103, 98] }).join()?;
    Ok(())
}
