//! The trait that sends is not imported.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::{Handle, Writer};

impl Handle<Tick> for Gateway {
    fn handle<W: Writer>(&mut self, tick: &Tick, writer: &W) {
        Self::send(tick, writer);
    }
}

fn main() {}
