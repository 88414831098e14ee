//! The expression that makes a handler is a `Result`.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

fn open(_: &Config) -> Result<Strategy, std::io::Error> {
    Ok(Strategy)
}

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy = |config| open(config) ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
