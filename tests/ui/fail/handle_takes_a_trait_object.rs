//! A handler takes its writer as a trait object.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

impl Handle<Tick> for Gateway {
    fn handle(&mut self, _: &Tick, _: &dyn Writer) {}
}

fn main() {}
