//! Users of a named ring out of any bytes, among whom somebody writes stray words into its file; and what must hold
//! for each of their steps: a typed error or silence, and no byte outside of the ring. Shared by the fuzz target and
//! the test that replays its corpus. That no step panics or goes on for ever is for those to see.

use super::input::Input;
use rust_messenger::message_bus::{NamedError, NamedStats, OneWriter};
use rust_messenger::traits::{
    BusWriter, EncodeError, Header, Interest, MessageBus, Next, NoWriter, Publish, ReadError, Reader, WriteError,
};
use rust_messenger::{CircularBus, NamedOptions};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CAPACITY: usize = 1024;
const ATTACHMENTS: u64 = 4096;
const CONTROL: u64 = 77824;
const LOCK: u64 = CONTROL + 512;
const READERS: u64 = CONTROL + 768;
const WRITERS: u64 = CONTROL + 17152;
const SLOTS: u64 = CONTROL + 25600;
const LEN: u64 = SLOTS + CAPACITY as u64 / 8 * 9;

impl Input<'_> {
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }
}

/// The words of a ring's file.
pub struct Words(File);

impl Words {
    /// # Panics
    ///
    /// When there is no such file.
    pub fn of(path: &Path) -> Words {
        Words(File::options().read(true).write(true).open(path).expect("the file of the ring"))
    }

    fn get(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        self.0.read_exact_at(&mut word, at).expect("it is long enough");
        u64::from_ne_bytes(word)
    }

    /// Writes a stray word, anywhere but over the lock: who holds that is waited for.
    #[allow(dead_code, reason = "the fuzz target writes at its own steps alone")]
    pub fn stray(&self, input: &[u8]) {
        self.stray_by(&mut Input(input));
    }

    fn stray_by(&self, input: &mut Input<'_>) {
        let kind = input.byte();
        let place = u64::from(input.byte());
        let at = 8
            * (match kind & 7 {
                // What all share, and the first readers, writers and attachments.
                0 | 1 => CONTROL / 8 + place % 96,
                2 | 3 => READERS / 8 + place,
                4 => WRITERS / 8 + place % 128,
                5 => ATTACHMENTS / 8 + place % 64,
                6 => SLOTS / 8 + place % ((LEN - SLOTS) / 8),
                _ => (place << 8 | u64::from(input.byte())) % (LEN / 8),
            });
        if at == LOCK {
            return;
        }
        let byte = |input: &mut Input<'_>| u64::from(input.byte());
        let (tail, key) = (self.get(CONTROL + 128), self.get(64));
        // In words of `state`: in use, kind, attachment, generation.
        let word = match kind >> 3 & 15 {
            0 => 0,
            1 => 1 << (byte(input) % 64),
            2 => u64::MAX >> (byte(input) % 64),
            3 => self.get(at) ^ 1 << (byte(input) % 64),
            4 => self.get(at).wrapping_add(16 * byte(input)),
            5 => self.get(at).wrapping_sub(16 * byte(input)),
            6 => 1 | (byte(input) & 3) << 8 | (byte(input) & 3) << 16 | (byte(input) & 7) << 32,
            7 => tail.wrapping_sub(16 * (byte(input) & 127)),
            8 => tail.wrapping_sub(16 * (byte(input) & 127)) | byte(input) & 15,
            // The stamp of a slot, in any state, and a head of any length.
            9 => (tail.wrapping_sub(16 * (byte(input) & 127)) | [3, 5, 6, 9][input.below(4)]) ^ key,
            10 => 7 << 48 | 7 << 32 | byte(input),
            11 => 7 << 48 | u64::from(input.word() as u32),
            12 => tail.wrapping_add(input.word() >> (byte(input) % 64)),
            _ => input.word(),
        };
        self.0.write_all_at(&word.to_ne_bytes(), at).expect("there is space for it");
    }
}

/// A handle, and which opening it is of: one mapping each.
struct Of<T> {
    opening: usize,
    handle: T,
}

/// Who uses the ring.
struct Walk<B: MessageBus> {
    path: PathBuf,
    words: Words,
    open: fn(&Path) -> Result<B, NamedError>,
    openings: usize,
    buses: Vec<Of<B>>,
    readers: Vec<(bool, Of<B::Reader>)>,
    writers: Vec<Of<B::BusWriter>>,
    /// From where to where payloads were lent, by opening.
    lent: BTreeMap<usize, (usize, usize)>,
    read: usize,
}

fn options() -> NamedOptions {
    // Whoever looks at an unfinished fill for the second time fences it.
    NamedOptions { silent_after: Duration::ZERO, ..NamedOptions::default() }
}

fn for_many(path: &Path) -> Result<CircularBus, NamedError> {
    CircularBus::open(path, options())
}

fn for_one(path: &Path) -> Result<CircularBus<OneWriter>, NamedError> {
    CircularBus::open_one_writer(path, options())
}

/// Plays `input` on a ring of its own. `beside` is given its path before the first step, and what it returns is kept
/// until the last one. Returns how many messages were read.
///
/// # Panics
///
/// When a step does, or bytes were lent that are not of the ring.
pub fn play_beside<T>(input: &[u8], beside: impl FnOnce(&Path) -> T) -> usize {
    let directory = tempfile::tempdir_in(scratch()).expect("a directory");
    let path = directory.path().join("ring");
    let mut input = Input(input);
    let new = NamedOptions { capacity: Some(CAPACITY), ..options() };
    if input.byte() & 1 == 0 {
        drop(CircularBus::create(&path, new).expect("a ring"));
        let _beside = beside(&path);
        Walk::of(path, for_many).play(&mut input)
    } else {
        drop(CircularBus::create_one_writer(&path, new).expect("a ring"));
        let _beside = beside(&path);
        Walk::of(path, for_one).play(&mut input)
    }
}

/// Plays `input` on a ring of its own. Returns how many messages were read.
///
/// # Panics
///
/// As [`play_beside`].
pub fn play(input: &[u8]) -> usize {
    play_beside(input, |_| ())
}

/// Memory, where there is a file system in it.
fn scratch() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

impl<B: MessageBus> Walk<B> {
    fn of(path: PathBuf, open: fn(&Path) -> Result<B, NamedError>) -> Walk<B> {
        let words = Words::of(&path);
        let (buses, readers, writers, lent) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Walk { path, words, open, openings: 0, buses, readers, writers, lent, read: 0 }
    }

    fn play(mut self, input: &mut Input<'_>) -> usize {
        self.attach();
        self.attach();
        while !input.0.is_empty() {
            self.step(input, 0);
        }
        self.read
    }

    fn attach(&mut self) {
        // Its first page may be stray, too.
        if let Ok(handle) = (self.open)(&self.path) {
            self.openings += 1;
            self.buses.push(Of { opening: self.openings, handle });
        }
    }

    fn step(&mut self, input: &mut Input<'_>, depth: u32) {
        let (step, which) = (input.byte(), input.byte());
        let of = |count: usize| usize::from(which) % count.max(1);
        match step & 15 {
            0..=3 => self.words.stray_by(input),
            4 => self.write(of(self.writers.len()), input),
            5 => self.fill(of(self.writers.len()), input, depth),
            6 | 7 => self.read(of(self.readers.len()), input),
            8 => self.ask_reader(of(self.readers.len()), input),
            9 => self.subscribe(of(self.buses.len()), input),
            10 => self.add_writer(of(self.buses.len()), input),
            11 => self.take_turns(of(self.writers.len()), input),
            12 => self.look(of(self.buses.len())),
            13 => drop((self.open)(&self.path)),
            14 => self.leave(usize::from(which), input),
            _ => self.call(of(self.buses.len()), input),
        }
    }

    fn write(&mut self, index: usize, input: &mut Input<'_>) {
        let Some(writer) = self.writers.get(index) else { return };
        let (size, times) = (input.byte(), input.byte() & 15);
        for _ in 0..=times {
            check_written(writer.handle.try_write_bytes(1, 1, &vec![7; usize::from(size)]), size);
        }
    }

    /// Fills in place, and meanwhile does other things.
    fn fill(&mut self, index: usize, input: &mut Input<'_>, depth: u32) {
        if index >= self.writers.len() || depth > 2 {
            return;
        }
        let writer = self.writers.swap_remove(index);
        let (size, ends, steps) = (input.byte(), input.byte(), input.byte() & 7);
        let written = writer.handle.try_fill(1, 1, usize::from(size), |space| {
            let bytes = space.zeroed();
            check_lent(&mut self.lent, writer.opening, bytes);
            bytes.fill(ends);
            for _ in 0..steps {
                self.step(input, depth + 1);
            }
            if ends & 1 == 0 { Ok(()) } else { Err(EncodeError::Refused(String::new())) }
        });
        check_written(written, size);
        self.writers.push(writer);
    }

    fn read(&mut self, index: usize, input: &mut Input<'_>) {
        let Some((copies, reader)) = self.readers.get_mut(index) else { return };
        let (most, ends) = (input.byte(), input.byte());
        let (words, lent, copies, opening) = (&self.words, &mut self.lent, *copies, reader.opening);
        let mut handled = 0;
        let mut look = |header: &Header, payload: &[u8]| {
            assert!(payload.len() == header.size as usize && payload.len() <= CAPACITY / 8 - 16, "{header:?}");
            if !copies {
                check_lent(lent, opening, payload);
            }
            if ends & 1 == 1 {
                words.stray_by(input);
            }
            handled += 1;
            match ends >> 1 & 3 {
                0 if handled > ends >> 3 => Next::Stop,
                1 if handled > ends >> 3 => Next::Keep,
                _ => Next::Go,
            }
        };
        let read = match most & 3 {
            0 => reader.handle.try_read(|header, payload| look(header, payload)).map(|_| 1),
            1 => reader.handle.try_handle(|header, payload| look(header, payload) != Next::Keep).map(usize::from),
            _ => reader.handle.try_read_up_to(usize::from(most >> 2), look),
        };
        self.read += usize::from(handled);
        match read {
            Ok(_) | Err(ReadError::Empty | ReadError::Closed | ReadError::WindowFull) => {}
            Err(ReadError::Lagged(_) | ReadError::Corrupt { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn ask_reader(&mut self, index: usize, input: &mut Input<'_>) {
        let Some((_, reader)) = self.readers.get_mut(index) else { return };
        let (reader, asked) = (&mut reader.handle, input.byte());
        let position = reader.position().wrapping_sub(16 * u64::from(asked >> 4));
        let end = self.words.get(CONTROL + 128).wrapping_add(16 * u64::from(asked >> 6));
        match asked & 7 {
            0 => _ = reader.ready(),
            1 => _ = reader.unblock(),
            2 => _ = reader.unread(end, Duration::ZERO),
            3 => _ = reader.release_to(position),
            4 => _ = reader.rewind_to(position),
            5 => reader.wait_until(Some(Duration::ZERO), Interest::Room, Reader::ready),
            6 => _ = reader.skip(),
            _ => reader.release(),
        }
    }

    fn subscribe(&mut self, index: usize, input: &mut Input<'_>) {
        let Some(Of { opening, handle: bus }) = self.buses.get(index) else { return };
        let (kind, back) = (input.byte(), u64::from(input.byte()));
        let reader = match kind & 3 {
            0 => bus.subscribe("gating"),
            1 => bus.subscribe_evictable("evictable"),
            2 => bus.subscribe_held("held", None),
            _ => bus.subscribe_held("held", Some(bus.tail().wrapping_sub(16 * back))),
        };
        if let Ok(handle) = reader {
            self.readers.push((kind & 3 == 1, Of { opening: *opening, handle }));
        }
    }

    fn add_writer(&mut self, index: usize, input: &mut Input<'_>) {
        let Some(Of { opening, handle: bus }) = self.buses.get(index) else { return };
        let mut own = self.readers.iter().filter(|(_, reader)| reader.opening == *opening);
        let writer = match own.nth(input.below(4)) {
            Some((_, reader)) => bus.worker_writer(&reader.handle),
            None => bus.writer(),
        };
        match writer {
            Ok(handle) => self.writers.push(Of { opening: *opening, handle }),
            Err(error) => assert_eq!(error, NoWriter::Taken),
        }
    }

    fn take_turns(&mut self, index: usize, input: &mut Input<'_>) {
        let Some(Of { handle: writer, .. }) = self.writers.get(index) else { return };
        let asked = input.byte();
        match asked & 7 {
            0 | 1 => writer.take_ticket(),
            2 | 3 => writer.give_up_ticket(),
            4 => _ = (writer.is_slowest(), writer.written()),
            5 => _ = writer.has_room(usize::from(asked)),
            6 => writer.record_outbox(usize::from(asked)),
            _ => writer.wait_for_room_at_most(usize::from(asked), Duration::ZERO),
        }
    }

    fn look(&self, index: usize) {
        // Its first page may be stray.
        if let Ok(stats) = NamedStats::read(&self.path) {
            assert!(stats.readers.len() <= 64 && stats.writers.len() <= 63, "{stats:?}");
        }
        let Some(Of { handle: bus, .. }) = self.buses.get(index) else { return };
        let stats = bus.stats();
        assert!(stats.readers.len() <= 64, "{stats:?}");
        _ = (bus.released(), bus.tail());
        assert_eq!(bus.max_payload(), CAPACITY / 8 - 16);
    }

    fn leave(&mut self, which: usize, input: &mut Input<'_>) {
        match input.byte() & 3 {
            0 if !self.readers.is_empty() => drop(self.readers.swap_remove(which % self.readers.len())),
            1 if !self.writers.is_empty() => drop(self.writers.swap_remove(which % self.writers.len())),
            2 if !self.buses.is_empty() => {
                // Nothing of it stays.
                let Of { opening, .. } = self.buses.swap_remove(which % self.buses.len());
                self.readers.retain(|(_, reader)| reader.opening != opening);
                self.writers.retain(|writer| writer.opening != opening);
                self.attach();
            }
            _ => self.attach(),
        }
    }

    fn call(&self, index: usize, input: &mut Input<'_>) {
        let Some(Of { handle: bus, .. }) = self.buses.get(index) else { return };
        match input.byte() & 7 {
            0 => bus.close(),
            _ => bus.wake(),
        }
    }
}

fn check_written(written: Result<(), WriteError>, size: u8) {
    match written {
        Ok(()) => assert!(usize::from(size) <= CAPACITY / 8 - 16, "{size} bytes were taken"),
        Err(WriteError::TooLarge { max, .. }) => assert_eq!(max, CAPACITY / 8 - 16),
        Err(WriteError::Full | WriteError::Closed | WriteError::Fenced | WriteError::Filling) => {}
        Err(WriteError::TooManyWriters { max: 63 } | WriteError::Encode(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

/// All that is lent of one mapping lies no further apart than the slots and the spare bytes behind them.
fn check_lent(lent: &mut BTreeMap<usize, (usize, usize)>, opening: usize, bytes: &[u8]) {
    let (from, to) = (bytes.as_ptr().addr(), bytes.as_ptr().addr() + bytes.len());
    let all = lent.entry(opening).or_insert((from, to));
    *all = (all.0.min(from), all.1.max(to));
    assert!(all.1 - all.0 <= CAPACITY / 8 * 9, "bytes outside of the ring were lent");
}
