//! Two messages of one source have one id: it is said once for each.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Quote;
serde_message!(Quote, 1);

impl Handle<Quote> for Strategy {
    fn handle<W: Writer>(&mut self, _: &Quote, _: &W) {}
}

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Tick: [ strategy ], Feed, Quote: [ strategy ] ]
    Reserve:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
