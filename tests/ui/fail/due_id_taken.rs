//! A message has the id of the library's own.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::Due;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Alarm;
rust_messenger::serde_message!(Alarm, <Due as rust_messenger::Message>::ID);

impl rust_messenger::Handle<Alarm> for Strategy {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Alarm, _: &W) {}
}

rust_messenger::Messenger! {
    Config,
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [ Feed, Alarm: [ strategy ] ]
}

fn main() {}
