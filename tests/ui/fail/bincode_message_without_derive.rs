//! A bincode message lacks its derives, and is sent.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

pub struct Quote;
bincode_message!(Quote, 4);

impl TryHandle<Quote> for Gateway {
    type Error = String;

    fn try_handle<W: Writer>(&mut self, quote: &Quote, writer: &W) -> Result<(), String> {
        Self::send(quote, writer);
        Ok(())
    }
}

fn main() {}
