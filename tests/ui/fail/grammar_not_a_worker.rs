//! Something else stands where a worker should.

#![allow(unused_imports)]

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    "Trading":
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
