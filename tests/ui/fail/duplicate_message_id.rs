//! Two messages have one id.

#[path = "../market.rs"]
mod market;

use market::*;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Quote;
rust_messenger::serde_message!(Quote, 2);

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
