//! A handler implements both traits for one message.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

impl TryHandle<Tick> for Strategy {
    type Error = std::io::Error;

    fn try_handle<W: Writer>(&mut self, _: &Tick, _: &W) -> Result<(), std::io::Error> {
        Ok(())
    }
}

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
