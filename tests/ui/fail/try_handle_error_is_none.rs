//! The error of a handler is no error.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

pub struct Code(u32);

impl TryHandle<Tick> for Gateway {
    type Error = Code;

    fn try_handle<W: Writer>(&mut self, _: &Tick, _: &W) -> Result<(), Code> {
        Err(Code(7))
    }
}

fn main() {}
