//! The source of a route is no handler.

#[path = "../market.rs"]
mod market;

use market::*;

pub struct Audit;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ #[allow(unrouted)] feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Audit, Tick: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
