//! Files of named rings out of any bytes, and what must hold for each of them. Shared by the fuzz target and the test
//! that replays its corpus.

use super::input::Input;
use rust_messenger::message_bus::NamedStats;
use std::io::Write;

const CAPACITY: usize = 1024;
const ATTACHMENTS: usize = 4096;
const NAMES: usize = 12288;
const CONTROL: usize = 77824;
const CONTROL_LEN: usize = 25600;
const LEN: usize = CONTROL + CONTROL_LEN + CAPACITY + CAPACITY / 8;

/// A ring as `input` says: a first page with a right checksum, which nobody would hit upon, names likewise, and stray
/// words behind it. An input that begins with 0xFF is the file as it is.
pub fn ring_of(input: &[u8]) -> Vec<u8> {
    if let [0xFF, bytes @ ..] = input {
        return bytes.to_vec();
    }
    let mut input = Input(input);
    let options = input.byte();
    let mut bytes = vec![0; LEN];
    let put = |bytes: &mut [u8], at: usize, word: u64| bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    bytes[..8].copy_from_slice(b"rmsgring");
    let claims = 1 + u64::from(options & 1);
    let parts = [0x0102_0304_0506_0708, 3, LEN as u64, CONTROL as u64, CONTROL_LEN as u64, CAPACITY as u64, claims];
    for (place, word) in parts.into_iter().chain([input.word()]).enumerate() {
        put(&mut bytes, 8 + 8 * place, word);
    }
    if options & 2 != 0 {
        // Something in it is another.
        let word = input.word();
        put(&mut bytes, 8 + 8 * usize::from(input.byte() % 9), word);
    }
    let sum = crc32c::crc32c(&bytes[..124]);
    bytes[124..128].copy_from_slice(&sum.to_ne_bytes());
    if options & 4 != 0 {
        // A text in the first area of names: generation, length, checksum of both and of the text.
        let text: Vec<u8> = (0..input.byte()).map(|_| input.byte()).collect();
        put(&mut bytes, NAMES, u64::from(input.byte()));
        put(&mut bytes, NAMES + 8, text.len() as u64);
        bytes[NAMES + 24..NAMES + 24 + text.len()].copy_from_slice(&text);
        let sum = input.word();
        put(&mut bytes, NAMES + 16, sum);
    }
    while !input.0.is_empty() {
        // Of the control block, of the attachments, or of anything.
        let (kind, place) = (input.byte(), usize::from(input.byte()) | usize::from(input.byte()) << 8);
        let (from, len) = match kind & 3 {
            0 | 1 => (CONTROL, CONTROL_LEN),
            2 => (ATTACHMENTS, NAMES - ATTACHMENTS),
            _ => (ATTACHMENTS, LEN - ATTACHMENTS),
        };
        let word = match kind >> 2 & 3 {
            // Somebody who is in use.
            0 => 1 | u64::from(input.byte()) << 16 | u64::from(input.byte()) << 32 | u64::from(input.byte() & 3) << 8,
            1 => u64::from(input.byte()),
            _ => input.word(),
        };
        put(&mut bytes, from + place * 8 % len, word);
    }
    let cut = usize::from(options >> 3 & 1) * 5;
    bytes.truncate(bytes.len() - cut);
    bytes
}

/// Looks at `bytes` as at a ring.
///
/// # Panics
///
/// When what is seen is more than a ring has room for, names somebody who is not there, or has changed the file.
pub fn check(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    file.write_all(bytes).expect("written");
    let seen = NamedStats::read(file.path());
    assert_eq!(std::fs::read(file.path()).expect("read"), bytes, "changed by a look");
    let Ok(stats) = seen else { return };
    assert!(bytes.len() >= LEN, "a ring that is cut off was looked at");
    assert!(stats.readers.len() <= 64 && stats.writers.len() <= 63, "{stats:?}");
    let owners = stats.readers.iter().map(|it| it.attachment).chain(stats.writers.iter().map(|it| it.attachment));
    assert!(owners.chain(stats.lock).all(|owner| owner < stats.attachments.len()), "{stats:?}");
    for reader in &stats.readers {
        assert!(reader.name.len() <= 3 * 32 && reader.lag_messages <= reader.lag / 16, "{reader:?}");
    }
    assert!(stats.attachments.iter().all(|it| it.program.len() <= 3 * 32), "{stats:?}");
}

/// Memory, where there is a file system in it.
fn scratch() -> std::path::PathBuf {
    let memory = std::path::PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}
