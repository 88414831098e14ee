//! A table that is wrong is used: nothing is said of that.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Tick: [ strategy ] Feed, Order: [ strategy ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::with_options(CircularBus::new(4096)?, Options::default());
    println!("{}", Messenger::graph());
    messenger.try_run(&Config)?.join()?;
    Ok(())
}
