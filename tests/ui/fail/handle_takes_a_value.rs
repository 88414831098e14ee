//! A handler takes a message by value.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

impl Handle<Tick> for Gateway {
    fn handle<W: Writer>(&mut self, _: Tick, _: &W) {}
}

fn main() {}
