//! Two sources outside of the table have one id.

#[path = "../market.rs"]
mod market;

use market::*;

pub struct Console;

impl rust_messenger::Handler for Console {
    type Id = u16;
    const ID: u16 = 9;
}

pub struct Replay;

impl rust_messenger::Handler for Replay {
    type Id = u16;
    const ID: u16 = 9;
}

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Feed, Tick: [ strategy ],
            Console, Order: [ gateway ],
            Replay, Tick: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
