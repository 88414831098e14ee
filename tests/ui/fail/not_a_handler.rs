//! A type in `handlers` is no handler.

#[path = "../market.rs"]
mod market;

use market::*;

pub struct Audit;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway, audit: Audit ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
