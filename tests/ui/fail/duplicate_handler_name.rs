//! Two handlers of a worker have one name.

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, strategy: Gateway ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ strategy ],
        ]
}

fn main() {}
