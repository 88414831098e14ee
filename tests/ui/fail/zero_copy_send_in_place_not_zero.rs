//! A message for which zero bytes are no value cannot be made in place.

#[path = "../market.rs"]
mod market;

use market::*;

use rust_messenger::{SendInPlace, Writer};
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

#[derive(TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(u8)]
pub enum Side {
    Buy = 1,
    Sell = 2,
}

rust_messenger::zero_copy_message!(Side, 5);

pub fn send<W: Writer>(writer: &W) {
    Feed::send_in_place::<Side, _>(writer, |side| *side = Side::Sell);
}

fn main() {}
