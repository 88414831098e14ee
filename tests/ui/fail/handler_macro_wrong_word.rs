//! The word behind the id of a handler is wrong.

#[path = "../market.rs"]
mod market;

use market::*;
use rust_messenger::prelude::*;

#[derive(Default)]
pub struct Audit;
handler!(Audit, 4, Default);

Messenger! {
    Config,
    Trading:
        handlers: [ #[allow(unrouted)] audit: Audit ]
        routes: [  ]
}

fn main() {}
