//! The expression that makes a handler has no name for the configuration.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy = Strategy ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
