//! The table is run with another config than its own.

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {
    let messenger = Messenger::new(rust_messenger::CircularBus::new(4096).unwrap());
    messenger.run(&"market.toml").join().unwrap();
}
