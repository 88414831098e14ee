//! A handler, and a source from outside, have the id of the library's own.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::Handler;
use rust_messenger::traits::Supervisor;

#[derive(Default)]
pub struct Manager;
rust_messenger::handler!(Manager, <Supervisor as Handler>::ID, default);

impl rust_messenger::Handle<Tick> for Manager {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Tick, _: &W) {}
}

mod one {
    use super::*;

    rust_messenger::Messenger! {
        Config,
        Trading:
            handlers: [ manager: Manager ]
            routes: [ Feed, Tick: [ manager ] ]
    }
}

mod two {
    use super::*;

    rust_messenger::Messenger! {
        Config,
        Trading:
            handlers: [ strategy: Strategy ]
            routes: [ Manager, Tick: [ strategy ] ]
    }
}

fn main() {}
