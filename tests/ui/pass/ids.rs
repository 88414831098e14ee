//! Ids as one may write them: a number with a suffix that fits, in any base.

use rust_messenger::prelude::*;
use rust_messenger::traits::Message;

#[derive(serde::Serialize, serde::Deserialize)]
struct Quote;
serde_message!(Quote, 0xFEFFu32);

#[derive(serde::Serialize, serde::Deserialize)]
struct Tick;
serde_message!(Tick, 65_279);

struct Audit;
handler!(Audit, 7i64);

struct Feed;
handler!(Feed, b'i');

fn main() {
    assert_eq!((Quote::ID, Tick::ID, Audit::ID, Feed::ID), (0xFEFF, 65_279, 7, 105));
}
