//! The id of a message is a number of another type, and too large.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Quote;
serde_message!(Quote, 70000u32);

fn main() {}
