//! A handler sends as if that were a method.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

impl Handle<Tick> for Gateway {
    fn handle<W: Writer>(&mut self, tick: &Tick, writer: &W) {
        self.send(tick, writer);
    }
}

fn main() {}
