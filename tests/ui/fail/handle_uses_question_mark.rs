//! A handler that cannot fail uses `?`.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

impl Handle<Tick> for Gateway {
    fn handle<W: Writer>(&mut self, _: &Tick, _: &W) {
        std::fs::read("ticks")?;
    }
}

fn main() {}
