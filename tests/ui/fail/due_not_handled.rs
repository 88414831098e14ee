//! The handler does not handle the deadlines that are routed to it.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::Due;

rust_messenger::Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [ Strategy, Due: [ strategy ] ]
}

fn main() {}
