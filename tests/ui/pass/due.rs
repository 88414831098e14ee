//! A handler's deadlines are messages to itself, beside other handlers of its worker.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::Due;

impl rust_messenger::Handle<Due> for Strategy {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Due, _: &W) {}
}

rust_messenger::Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Due: [ strategy ],
            Strategy, Order: [ gateway ],
        ]
}

fn main() {
    assert!(Messenger::graph().to_mermaid().contains("Trading_strategy -- \"Due\" --> Trading_strategy"));
}
