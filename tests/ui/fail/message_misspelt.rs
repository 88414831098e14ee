//! A message of a route is misspelt.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Tic: [ strategy ] ]
}

fn main() {}
