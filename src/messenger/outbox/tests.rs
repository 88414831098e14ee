//! The outbox by itself: what it keeps, where, and for how long.

use super::{ENTRY_ALIGN, Outbox, SPARE};

fn put(outbox: &Outbox, size: usize) {
    let mut queue = outbox.queue.borrow_mut();
    let entry = queue.spare(1, 1, size);
    queue.push(entry);
}

fn take(outbox: &Outbox, entries: usize) {
    let mut queue = outbox.queue.borrow_mut();
    (0..entries).for_each(|_| queue.pop());
}

/// A fill finds the alignment of a slot there, in new memory and in used.
#[test]
fn what_waits_is_aligned_as_in_the_ring() {
    let outbox = Outbox::default();
    for size in (0..200).chain((0..200).rev()) {
        let mut queue = outbox.queue.borrow_mut();
        let mut entry = queue.spare(1, 1, size);
        let payload = entry.payload_mut();
        assert_eq!((payload.len(), payload.as_ptr().align_offset(ENTRY_ALIGN)), (size, 0));
        queue.push(entry);
        if size % 3 == 0 {
            queue.pop();
        }
    }
}

/// A flood that is over costs the memory of some messages, not that of all.
#[test]
#[cfg_attr(miri, ignore = "a minute, without a line of unsafe code")]
fn little_is_kept_of_a_flood() {
    let outbox = Outbox::default();
    (0..10 * SPARE).for_each(|_| put(&outbox, 100));
    take(&outbox, 10 * SPARE);
    let queue = outbox.queue.borrow();
    assert_eq!((queue.spare.len(), queue.bytes, queue.entries.len()), (SPARE, 0, 0));
}

/// A stop waits for what was pending when it came: handlers that go on sending would put off its end for ever.
#[test]
fn a_stop_waits_for_no_later_message() {
    let outbox = Outbox::default();
    (0..3).for_each(|_| put(&outbox, 8));
    for left in [3, 2, 1] {
        assert!(!outbox.flushed_what_was_pending_at_stop(), "{left} are left");
        put(&outbox, 8);
        take(&outbox, 1);
    }
    assert_eq!(outbox.len(), 3);
    assert!(outbox.flushed_what_was_pending_at_stop());
}
