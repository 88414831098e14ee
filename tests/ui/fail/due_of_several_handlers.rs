//! The deadlines of a handler go to another one, too.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::Due;

impl rust_messenger::Handle<Due> for Strategy {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Due, _: &W) {}
}

impl rust_messenger::Handle<Due> for Gateway {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Due, _: &W) {}
}

rust_messenger::Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Strategy, Order: [ gateway ],
            Strategy, Due: [ strategy, gateway ],
        ]
}

fn main() {}
