//! The receiver of a route lives in another worker. There are two complaints at one caret: the compiler's own about
//! a missing field, which lists the handlers that there are and cannot be taken back, and the fact with its cure.

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
            Feed, Tick: [ strategy, feed ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
