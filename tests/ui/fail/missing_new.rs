//! A handler is not made from the config of the table.

#[path = "../market.rs"]
mod market;

use market::*;

pub struct Audit;

impl rust_messenger::Handler for Audit {
    type Id = u16;
    const ID: u16 = 4;
}

impl rust_messenger::Handle<Order> for Audit {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Order, _: &W) {}
}

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway, audit: Audit ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ gateway, audit ],
        ]
}

fn main() {}
