//! `routes` stands before `handlers`.

#![allow(unused_imports)]

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::Messenger! {
    Config,
    Market:
        routes: []
        handlers: [ feed: Feed ]
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
