//! The id of a handler is the value of an enum that is too large.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

#[repr(u32)]
#[derive(Clone, Copy)]
pub enum Wide {
    Audit = 70_000,
}

impl From<Wide> for u16 {
    fn from(wide: Wide) -> u16 {
        wide as u16
    }
}

#[derive(Default)]
pub struct Audit;

impl Handler for Audit {
    type Id = Wide;
    const ID: Wide = Wide::Audit;
}

impl New<Config> for Audit {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Audit
    }
}

impl Handle<Order> for Audit {
    fn handle<W: Writer>(&mut self, _: &Order, _: &W) {}
}

Messenger! {
    Config,
    Trading:
        handlers: [ audit: Audit ]
        routes: [ Strategy, Order: [ audit ] ]
}

fn main() {}
