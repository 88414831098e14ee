//! Two handlers have one id, by two enums.

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::messenger_id_enum!(AuditId { Audit = 3 });

pub struct Audit;

impl rust_messenger::Handler for Audit {
    type Id = AuditId;
    const ID: AuditId = AuditId::Audit;
}

impl rust_messenger::New<Config> for Audit {
    fn new<W: rust_messenger::Writer>(_: &Config, _: &W) -> Self {
        Audit
    }
}

impl rust_messenger::Handle<Order> for Audit {
    fn handle<W: rust_messenger::Writer>(&mut self, _: &Order, _: &W) {}
}

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy, gateway: Gateway, audit: Audit ]
        routes: [
            Feed, Tick: [ strategy ],
            Strategy, Order: [ gateway, audit ],
        ]
}

fn main() {}
