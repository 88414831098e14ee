//! The receiver of a route does not handle its message.

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
            Feed, Tick: [ strategy, gateway ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
