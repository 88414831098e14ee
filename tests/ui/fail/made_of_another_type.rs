//! The expression that makes a handler is of another type.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy = |_| Gateway ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
