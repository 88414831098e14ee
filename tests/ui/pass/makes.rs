//! Handlers that the table makes, in all forms that it may be written in.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

fn open(_: &Config) -> Result<Strategy, &'static str> {
    Ok(Strategy)
}

Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed = |_| Feed ]
        routes: []
    Trading:
        handlers: [
            strategy: Strategy = |config| {
                if false {
                    return Err("late".into());
                }
                open(config)?
            },
            #[allow(unrouted)] gateway: Gateway = |Config| Gateway,
        ]
        routes: [ Feed, Tick: [ strategy ] ]
}

fn main() {}
