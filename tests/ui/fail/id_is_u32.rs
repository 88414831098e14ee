//! An id is of a type that does not become a `u16`.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

#[derive(Default)]
pub struct Audit;

impl Handler for Audit {
    type Id = u32;
    const ID: u32 = 4;
}

fn main() {}
