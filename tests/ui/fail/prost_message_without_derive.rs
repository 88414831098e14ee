//! A prost message lacks its derives.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

pub struct Quote;
prost_message!(Quote, 4);

fn main() {}
