//! Two handlers have one id, and one of them is a source: it is said once.

#[path = "../market.rs"]
mod market;

use market::*;

pub struct Audit;

impl rust_messenger::Handler for Audit {
    type Id = u16;
    const ID: u16 = 3;
}

impl rust_messenger::New<Config> for Audit {
    fn new<W: rust_messenger::Writer>(_: &Config, _: &W) -> Self {
        Audit
    }
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
            Audit, Tick: [ strategy ],
        ]
}

fn main() {}
