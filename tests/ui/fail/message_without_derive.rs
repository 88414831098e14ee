//! A message lacks its derives.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

pub struct Quote;
serde_message!(Quote, 4);

fn main() {}
