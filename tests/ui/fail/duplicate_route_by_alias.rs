//! One message from one source is routed twice in one worker, under two names of the source.

#[path = "../market.rs"]
mod market;

use market::*;

type Ticker = Feed;

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
            Ticker, Tick: [ strategy ],
        ]
}

fn main() {}
