//! The id of a handler is a number of another type, and negative.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

#[derive(Default)]
pub struct Audit;
handler!(Audit, -1i32, default);

fn main() {}
