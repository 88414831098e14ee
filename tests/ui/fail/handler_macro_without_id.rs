//! A handler is given no id.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

#[derive(Default)]
pub struct Audit;
handler!(Audit);

Messenger! {
    Config,
    Trading:
        handlers: [ #[allow(unrouted)] audit: Audit = |_| Audit ]
        routes: [  ]
}

fn main() {}
