//! What every bench needs: messages that prove themselves, a ring, and a reading loop.

use rust_messenger::message_bus::{CircularBus, Claim, RingOptions, wait::WaitStrategy};
use rust_messenger::traits::{ReadError, Reader};
use std::time::Duration;

const LINE: usize = 64;
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// A message of one writer.
pub struct Message {
    bytes: Vec<u8>,
    writer: u64,
}

/// Checks what a reader gets: each writer's messages in order, none lost, none twice, content as sent. All bytes of a
/// message of four words; of larger ones both edges and a word of every cache line.
pub struct Check {
    next: [u64; 4],
    pub count: u64,
    size: usize,
    lines: u64,
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn lines(bytes: &[u8]) -> u64 {
    (LINE..bytes.len() - 8).step_by(LINE).fold(0, |sum, at| sum.wrapping_add(word(bytes, at)))
}

impl Message {
    pub fn new(size: usize, writer: usize) -> Message {
        assert!(size >= 32 && size.is_multiple_of(8));
        let words = (0..size / 8).flat_map(|index| (index as u64).wrapping_mul(MULTIPLIER).to_le_bytes());
        Message { bytes: words.collect(), writer: writer as u64 }
    }

    /// Makes it message number `sequence` of its writer.
    #[inline]
    pub fn number(&mut self, sequence: u64) -> &[u8] {
        let tag = self.writer << 56 | sequence;
        let last = self.bytes.len() - 8;
        for (at, word) in [(0, tag), (8, tag.wrapping_mul(MULTIPLIER)), (16, tag.rotate_left(32)), (last, !tag)] {
            self.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        &self.bytes
    }
}

impl Check {
    pub fn new(size: usize) -> Check {
        Check { next: [0; 4], count: 0, size, lines: lines(&Message::new(size, 0).bytes) }
    }

    #[inline]
    pub fn accept(&mut self, bytes: &[u8]) {
        assert_eq!(bytes.len(), self.size);
        let tag = word(bytes, 0);
        let (writer, sequence) = ((tag >> 56) as usize, tag << 8 >> 8);
        let edges = word(bytes, 8) == tag.wrapping_mul(MULTIPLIER)
            && word(bytes, 16) == tag.rotate_left(32)
            && word(bytes, bytes.len() - 8) == !tag;
        assert!(edges && lines(bytes) == self.lines, "torn or foreign content");
        assert_eq!(sequence, self.next[writer], "lost, doubled or out of order");
        self.next[writer] += 1;
        self.count += 1;
    }
}

/// A ring for messages of `size` bytes.
pub fn ring<C: Claim, W: WaitStrategy>(size: usize) -> CircularBus<C, W> {
    let capacity = if size > 16 * 1024 { 1 << 24 } else { 1 << 20 };
    // A machine that takes a thread off its core for a second must not spoil a comparison.
    let options = RingOptions { capacity, silent_after: Duration::from_secs(60), ..RingOptions::default() };
    CircularBus::with_options(options).expect("a ring")
}

/// Reads until `until` messages are counted, the way a worker does: all there is, then `wait`.
pub fn read(reader: &mut impl Reader, check: &mut Check, until: u64) {
    while check.count < until {
        match reader.try_read(|_, payload| check.accept(payload)) {
            Ok(()) => {}
            Err(ReadError::Empty) => reader.wait(None),
            Err(error) => panic!("{error}"),
        }
    }
}
