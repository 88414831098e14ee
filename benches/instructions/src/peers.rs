//! The queues of others, used as their documentation does.

use crate::{BATCH, Row, words};
use disruptor::{BusySpin, Producer, build_multi_producer, build_single_producer};

pub const ROWS: &[Row] =
    &[("rtrb", rtrb), ("disruptor_single", disruptor_single), ("disruptor_multi", disruptor_multi)];

/// As many as fit into a ring of ours.
const SLOTS: usize = 8192;

fn rtrb(batches: u64) -> u64 {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<[u64; 4]>::new(SLOTS);
    let mut sum = 0u64;
    for i in 0..batches {
        for k in 0..BATCH {
            producer.push(words(i, k)).expect("room");
        }
        while let Ok(words) = consumer.pop() {
            sum = sum.wrapping_add(words[1]);
        }
    }
    sum
}

/// The poller's type has a bound that cannot be named.
macro_rules! disruptor {
    ($name:ident, $builder:ident) => {
        fn $name(batches: u64) -> u64 {
            let (mut poller, builder) = $builder(SLOTS, || [0; 4], BusySpin).new_event_poller();
            let mut producer = builder.build();
            let mut sum = 0u64;
            for i in 0..batches {
                for k in 0..BATCH {
                    producer.try_publish(|slot| *slot = words(i, k)).expect("room");
                }
                if let Ok(mut slots) = poller.poll() {
                    for words in &mut slots {
                        sum = sum.wrapping_add(words[1]);
                    }
                }
            }
            sum
        }
    };
}
disruptor!(disruptor_single, build_single_producer);
disruptor!(disruptor_multi, build_multi_producer);
