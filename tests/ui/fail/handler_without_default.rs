//! A handler that is made by `Default` has none.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

pub struct Audit;
handler!(Audit, 4, default);

fn main() {}
