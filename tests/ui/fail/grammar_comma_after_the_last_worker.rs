//! A comma stands behind the last worker.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Tick: [ strategy ] ],
}

fn main() {}
