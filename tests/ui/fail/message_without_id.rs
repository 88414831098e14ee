//! A routed type is no message.

#[path = "../market.rs"]
mod market;

use market::*;

pub struct Quote;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Feed, Quote: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
