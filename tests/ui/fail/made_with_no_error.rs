//! What goes wrong as a handler is made is no error.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

pub struct Code(u32);

fn open(_: &Config) -> Result<Strategy, Code> {
    Err(Code(7))
}

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy = |config| open(config)? ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
