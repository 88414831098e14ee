//! Two handlers are of one type, which is a source.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway ]
        routes: [ Feed, Tick: [ strategy ], Strategy, Order: [ gateway ] ]
    Reserve:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
