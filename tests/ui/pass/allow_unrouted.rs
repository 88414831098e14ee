//! A handler that neither receives nor sends is allowed when the table says that it is meant so.

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::Messenger! {
    Config,
    Market:
        handlers: [ feed: Feed, #[allow(unrouted)] gateway: Gateway ]
        routes: []
    Trading:
        handlers: [ strategy: Strategy ]
        routes: [
            Feed, Tick: [ strategy ],
        ]
}

fn main() {
    assert!(Messenger::graph().to_mermaid().contains("gateway: Gateway"));
}
