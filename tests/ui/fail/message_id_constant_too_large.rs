//! The id of a message is a constant that is too large.

#[path = "../market.rs"]
mod market;

#[allow(unused_imports)] use market::*;
use rust_messenger::prelude::*;

const QUOTE: u32 = 70_000;

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Quote;
serde_message!(Quote, QUOTE);

fn main() {}
