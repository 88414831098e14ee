//! The id of a handler is negative.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

const AUDIT: i32 = -1;

pub struct Audit;
handler!(Audit, AUDIT);

fn main() {}
