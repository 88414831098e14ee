//! What `ci/instructions.sh` counts: each row of its table is a piece of work on one thread, in batches of 64 messages.
//!
//! `instructions` prints the names of the rows; `instructions NAME BATCHES` does the work of one. Nothing here depends on
//! time, so two runs of different lengths differ by what their messages take, and by nothing else.

#[cfg(feature = "whole")]
mod bridge;
mod buses;
#[cfg(feature = "whole")]
mod peers;
#[cfg(feature = "whole")]
mod tables;

/// Messages in a batch.
const BATCH: u64 = 64;
/// Bytes of a ring: room for 8192 messages, of which each slot takes 64 bytes.
const RING: usize = 1 << 19;

/// A name, and its work: so many batches. What it returns depends on every message, so that none is optimized away.
type Row = (&'static str, fn(u64) -> u64);

fn main() {
    let rows: Vec<Row> = [
        #[cfg(feature = "whole")]
        peers::ROWS,
        buses::ROWS,
        #[cfg(feature = "whole")]
        tables::ROWS,
        #[cfg(feature = "whole")]
        bridge::ROWS,
    ]
    .concat();
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        rows.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let (_, work) = rows.iter().find(|(row, _)| *row == name).expect("the name of a row");
    let batches = arguments.next().and_then(|batches| batches.parse().ok()).expect("a number of batches");
    println!("{}", work(batches));
}

/// Message `k` of batch `i`.
#[inline(always)]
fn words(i: u64, k: u64) -> [u64; 4] {
    [i, k, i ^ k, 7]
}
