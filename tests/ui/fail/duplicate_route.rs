//! One message from one source is routed twice in one worker.

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
            Feed, Tick: [ strategy ],
        ]
}

fn main() {}
