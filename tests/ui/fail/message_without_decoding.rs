//! A routed message can be written and not read.

#[path = "../market.rs"]
mod market;

use market::*;

pub struct Quote;

impl rust_messenger::Message for Quote {
    type Id = u16;
    const ID: u16 = 5;
}

impl rust_messenger::ExtendedMessage for Quote {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _: &mut [u8]) {}
}

impl rust_messenger::Handle<Quote> for Gateway {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Quote, _: &W) {}
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
            Feed, Quote: [ gateway ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {}
