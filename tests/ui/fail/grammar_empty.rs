//! Nothing at all.

#![allow(unused_imports)]

#[path = "../market.rs"]
mod market;

use market::*;

rust_messenger::Messenger! {}

fn main() {}
