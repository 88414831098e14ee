//! A route names no message.

#![allow(unused_imports)]

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
            Feed: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
