//! A handler is marked with a lint.

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ #[allow(dead_code)] feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
