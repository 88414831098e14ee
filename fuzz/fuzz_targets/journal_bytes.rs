//! Journals out of any bytes, and what must hold for each of them. Shared by the fuzz target and the test that replays
//! its corpus.

use super::input::Input;
use rust_messenger::message_bus::{Entry, Journal, PersistentBus, PersistentOptions, Start};
use rust_messenger::traits::{MessageBus, Publish, Reader};
use std::io::Write;

const PAGE: usize = 4096;
const STATES: [u64; 8] = [3, 5, 6, 9, 10, 12, 0, 15];

/// A journal as `input` says: a header with a right checksum, which nobody would hit upon, and slots of all kinds, whole
/// and broken. An input that begins with 0xFF is the file as it is.
pub fn journal_of(input: &[u8]) -> Vec<u8> {
    if let [0xFF, bytes @ ..] = input {
        return bytes.to_vec();
    }
    let mut input = Input(input);
    let (options, key) = (input.byte(), input.word() | 1 << 63);
    let (crc, table_len) = (options & 1, PAGE * usize::from(options >> 1 & 1));
    let max_payload = if options & 4 == 0 { 256 } else { input.word() % (u32::MAX as u64 - 100) };
    let header_len = 2 * PAGE + 2 * table_len;
    let mut bytes = vec![0; header_len];
    let mut put = |at: usize, word: u64| bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    put(0, u64::from_ne_bytes(*b"rmsgjrnl"));
    for (place, word) in
        [0x0102_0304_0506_0708, 2, u64::from(crc), key, header_len as u64, table_len as u64, max_payload]
            .into_iter()
            .enumerate()
    {
        put(8 + 8 * place, word);
    }
    // Checked words, cursors and table: right or wrong.
    for _ in 0..options >> 4 {
        let (at, kind, value) = (usize::from(input.byte()) * 8, input.byte(), input.word());
        let at = if at < 128 { 128 } else { at };
        put(at, if kind & 1 == 0 { value } else { checked(at as u64, value % (1 << 20) / 16 * 16) });
    }
    let sum = crc32c::crc32c(&bytes[..124]);
    bytes[124..128].copy_from_slice(&sum.to_ne_bytes());
    bytes.copy_within(..128, PAGE);
    if options & 0xF0 == 0xF0 {
        bytes[usize::from(key as u8 & 0x7F)] ^= 1;
    }
    while !input.0.is_empty() && bytes.len() < 64 * 1024 {
        let (kind, size) = (input.byte(), usize::from(input.byte()));
        let at = bytes.len();
        match kind & 3 {
            0 => bytes.resize(at + size * 16, 0),
            1 => bytes.extend((0..size * 16).map(|_| input.byte())),
            _ => {
                let state = STATES[usize::from(kind >> 2 & 7)];
                let len = (32 + size + 4 * usize::from(crc)).next_multiple_of(16);
                let head = match state {
                    10 | 12 => checked(at as u64 + 8, (size * 16) as u64),
                    _ => u64::from(input.byte()) << 48 | u64::from(input.byte()) << 32 | size as u64,
                };
                bytes.extend_from_slice(&((at as u64 | state) ^ key).to_ne_bytes());
                bytes.extend_from_slice(&head.to_ne_bytes());
                bytes.extend_from_slice(&input.word().to_ne_bytes());
                bytes.extend_from_slice(&u64::from(input.byte()).to_ne_bytes());
                bytes.extend((0..size).map(|place| place as u8));
                bytes.resize(at + len, 0);
                if crc == 1 {
                    let sum = crc32c::crc32c(&bytes[at + 8..at + len - 4]);
                    bytes[at + len - 4..].copy_from_slice(&sum.to_ne_bytes());
                }
                if kind & 32 != 0 {
                    // Something in it flips.
                    let bit = usize::from(input.byte()) % (8 * len);
                    bytes[at + bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
    }
    let cut = usize::from(options >> 3 & 1) * 5;
    bytes.truncate(bytes.len() - cut);
    bytes
}

fn checked(offset: u64, value: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    bytes[8..].copy_from_slice(&value.to_le_bytes());
    (value / 16) << 16 | u64::from(crc32c::crc32c(&bytes) & 0xFFFF)
}

/// Opens `bytes` as a journal.
///
/// # Panics
///
/// When a reader beside it and the bus see different messages, when a slot overlaps another, when opening it again finds
/// something else, or when a refused file was changed.
pub fn check(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    file.write_all(bytes).expect("written");
    let walked = walk(file.path());
    let plain = || PersistentOptions { step: 4096, start: Start::Oldest, ..PersistentOptions::default() };
    let options = || PersistentOptions { verify: true, ..plain() };
    let (bus, first) = match PersistentBus::open(file.path(), options()) {
        Ok(opened) => opened,
        Err(_) => {
            assert_eq!(std::fs::read(file.path()).expect("read"), bytes, "changed by an open that failed");
            return;
        }
    };
    let walked = walked.expect("what can be written to can be read");
    let found = (first.messages, first.hole_count, first.damaged_count);
    assert_eq!(walked, found, "a reader beside it sees something else");
    let mut reader = bus.subscribe("reader").expect("a place");
    let mut read = 0;
    while reader.try_read(|header, payload| assert_eq!(header.size as usize, payload.len())).is_ok() {
        read += 1;
    }
    assert_eq!((read, reader.position()), (first.messages, bus.tail()));
    let appended = bus.writer().expect("a writer").write_bytes(1, 2, b"appended").is_ok();
    drop((bus, reader));
    {
        // An opening that begins at the end leaves to its readers what they can read.
        let (bus, _) = PersistentBus::open(file.path(), plain()).expect("it was opened before");
        let (mut reader, mut read) = (bus.subscribe("reader").expect("a place"), 0);
        while reader.try_read(|_, _| read += 1).is_ok() {}
        assert_eq!((read, reader.position()), (first.messages + u64::from(appended), bus.tail()));
    }
    let (_, second) = PersistentBus::open(file.path(), options()).expect("it was opened before");
    assert_eq!(second.messages, first.messages + u64::from(appended));
    assert_eq!((second.torn, second.missing), (0, 0), "recovered once and for all");
    assert_eq!(second.old_hole_count, first.hole_count, "holes are not forgotten");
    assert_eq!((second.hole_count, second.damaged_count), (first.hole_count, first.damaged_count), "nor made");
}

/// Memory, where there is a file system in it.
fn scratch() -> std::path::PathBuf {
    let memory = std::path::PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// How many messages, holes and damaged stretches a reader sees; `None` if it cannot be opened.
fn walk(path: &std::path::Path) -> Option<(u64, u64, u64)> {
    let journal = Journal::open(path).ok()?;
    journal.info().expect("it is a file");
    journal.cursors().expect("it is a file");
    let (mut messages, mut holes, mut damaged, mut position) = (0, 0, 0, 0);
    let mut entries = journal.entries();
    while let Some(entry) = entries.next().expect("it is a file") {
        match entry {
            Entry::Message { header, payload, .. } => {
                assert_eq!(header.size as usize, payload.len());
                messages += 1;
            }
            Entry::Hole(_) => holes += 1,
            Entry::Damaged(_) => damaged += 1,
            _ => {}
        }
        assert!(entries.position() > position, "it does not move on");
        position = entries.position();
    }
    Some((messages, holes, damaged))
}
