//! The config cannot go to another thread.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

#[derive(Clone)]
pub struct Local(std::rc::Rc<u32>);

#[derive(Default)]
pub struct Audit;
handler!(Audit, 4, default);

impl Handle<Order> for Audit {
    fn handle<W: Writer>(&mut self, _: &Order, _: &W) {}
}

Messenger! {
    Local,
    Office:
        handlers: [ audit: Audit ]
        routes: [ Strategy, Order: [ audit ] ]
}

fn main() {
    let messenger = Messenger::new(CircularBus::new(4096).unwrap());
    messenger.run(&Local(std::rc::Rc::new(1))).join().unwrap();
}
