//! The file of a snapshot: the states of one worker's handlers at a position of its journal. Two of them stand beside
//! the journal, and the older one is written over, by a name that changes at once.

use super::word::{half, word};
use crate::traits::{Misfit, State};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"rmsgsnap";
const VERSION: u64 = 1;
/// Magic, version, length, key, position, tail, proof.
const HEAD: usize = 48 + PROOF;
/// How much of the journal a snapshot holds, to know it by.
pub(crate) const PROOF: usize = 32;
const CRC: usize = 4;

/// The states of a worker's handlers, and where in which journal they were so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saved {
    /// The journal's.
    pub(crate) key: u64,
    /// Everything before it was handled, and nothing else.
    pub(crate) position: u64,
    /// The end of the journal then: what was sent in handling it stands before.
    pub(crate) tail: u64,
    /// The last bytes before `tail`: a copy of the journal that was written on from an older state has others.
    pub(crate) proof: [u8; PROOF],
    /// The worker's handlers: id and name.
    pub(crate) handlers: Vec<(u16, String)>,
    pub(crate) states: Arc<Vec<State>>,
}

impl Saved {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for word in [VERSION, 0, self.key, self.position, self.tail] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.extend_from_slice(&self.proof);
        let put = |bytes: &mut Vec<u8>, words: [u64; 2], text: &[u8]| {
            words.iter().for_each(|word| bytes.extend_from_slice(&word.to_ne_bytes()));
            bytes.extend_from_slice(&(text.len() as u64).to_ne_bytes());
            bytes.extend_from_slice(text);
        };
        put(&mut bytes, [self.handlers.len() as u64, self.states.len() as u64], &[]);
        for (id, name) in &self.handlers {
            put(&mut bytes, [u64::from(*id), 0], name.as_bytes());
        }
        for State { handler, version, bytes: state } in self.states.iter() {
            put(&mut bytes, [u64::from(*handler), u64::from(*version)], state);
        }
        let len = (bytes.len() + CRC) as u64;
        bytes[16..24].copy_from_slice(&len.to_ne_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_ne_bytes());
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote, or says what else it is.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Saved, Misfit> {
        let begins = &bytes[..bytes.len().min(MAGIC.len())];
        if begins != MAGIC {
            return Err(Misfit::Unknown { found: begins.to_vec(), expected: MAGIC });
        }
        let says = |offset| bytes.get(offset..offset + 8).map(|found| word(found, 0));
        let position = says(32);
        if let Some(found) = says(8).filter(|version| *version != VERSION) {
            return Err(Misfit::Version { position, found, expected: VERSION });
        }
        let len = says(16).unwrap_or_default();
        if len != bytes.len() as u64 || bytes.len() < HEAD + 24 + CRC {
            return Err(Misfit::Length { position, found: bytes.len() as u64, expected: len });
        }
        let (content, crc) = bytes.split_at(bytes.len() - CRC);
        let (expected, found) = (half(crc, 0), crc32c::crc32c(content));
        if expected != found {
            return Err(Misfit::Checksum { position, found, expected });
        }
        let mut rest = &content[HEAD..];
        let mut next = || {
            let len = usize::try_from(word(rest.get(..24)?, 16)).ok()?;
            let (words, text) = ([word(rest, 0), word(rest, 8)], rest[24..].get(..len)?);
            rest = &rest[24 + len..];
            Some((words, text))
        };
        let mut read = || {
            let ([handlers, states], _) = next()?;
            let handlers = (0..handlers).map(|_| {
                let ([id, _], name) = next()?;
                Some((u16::try_from(id).ok()?, std::str::from_utf8(name).ok()?.to_owned()))
            });
            let handlers = handlers.collect::<Option<Vec<_>>>()?;
            let states = (0..states).map(|_| {
                let ([handler, version], bytes) = next()?;
                let (handler, version) = (u16::try_from(handler).ok()?, u32::try_from(version).ok()?);
                Some(State { handler, version, bytes: bytes.to_vec() })
            });
            Some((handlers, states.collect::<Option<Vec<_>>>()?))
        };
        // A checksum proves that it was written so, not that a program in its right mind wrote it.
        let (handlers, states) = read().ok_or(Misfit::Malformed)?;
        let [key, position, tail] = [24, 32, 40].map(|at| word(bytes, at));
        let mut proof = [0; PROOF];
        proof.copy_from_slice(&bytes[48..HEAD]);
        let saved = Saved { key, position, tail, proof, handlers, states: Arc::new(states) };
        if saved.encode() == bytes { Ok(saved) } else { Err(Misfit::Malformed) }
    }
}

/// Where the snapshots of a worker are.
pub(crate) fn paths(journal: &Path, worker: &str) -> [PathBuf; 2] {
    ["1", "2"].map(|number| beside(journal, &format!(".{worker}.snapshot{number}")))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(ending);
    path.with_file_name(name)
}

/// Writes a snapshot in place of what is at `path`. Calls `step` between any two things that it does to the disk.
///
/// # Errors
///
/// What the system says. What was there is as it was.
pub(crate) fn write(path: &Path, saved: &Saved, step: impl Fn()) -> io::Result<()> {
    let draft = beside(path, ".new");
    let mut file = File::create(&draft)?;
    let bytes = saved.encode();
    let halves = bytes.split_at(bytes.len() / 2);
    let written = [halves.0, halves.1].into_iter().try_for_each(|half| {
        step();
        file.write_all(half)
    });
    step();
    written.and_then(|()| file.sync_all()).and_then(|()| fs::rename(&draft, path)).inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })?;
    step();
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    fn sample(position: u64) -> Saved {
        Saved {
            key: 1 << 63 | 77,
            position,
            tail: position + 64,
            proof: [7; PROOF],
            handlers: vec![(1, "a::A".to_owned()), (2, "b::B".to_owned())],
            states: Arc::new(vec![State { handler: 2, version: 7, bytes: vec![1, 2, 3] }]),
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_a_snapshot() {
        let bytes = sample(4096).encode();
        assert_eq!(Saved::decode(&bytes), Ok(sample(4096)));
        for bit in (0..8 * bytes.len()).step_by(if cfg!(miri) { 31 } else { 1 }) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Saved::decode(&flipped).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(Saved::decode(&bytes[..len]).is_err(), "cut to {len}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Saved::decode(&longer).is_err());
        let why = |bytes: &[u8]| Saved::decode(bytes).unwrap_err().to_string();
        assert_eq!(why(&bytes[..7]), r#"no snapshot: it begins with "rmsgsna", not "rmsgsnap""#);
        assert_eq!(why(b"\0ELF\xFF and more"), r#"no snapshot: it begins with "\x00ELF\xff an", not "rmsgsnap""#);
        assert_eq!(why(&[]), r#"no snapshot: it begins with "", not "rmsgsnap""#);
        assert_eq!(why(&bytes[..39]), format!("a damaged snapshot: 39 bytes of {}", bytes.len()));
        assert_eq!(why(&bytes[..60]), format!("a damaged snapshot at position 4096: 60 bytes of {}", bytes.len()));
        let mut other = bytes;
        let [said, found] = [0, 1].map(|flipped| {
            other[90] ^= flipped;
            crc32c::crc32c(&other[..other.len() - CRC])
        });
        let text = format!("its checksum is {said:08x}, that of its content {found:08x}");
        assert_eq!(why(&other), format!("a damaged snapshot at position 4096: {text}"));
        other[8..16].copy_from_slice(&2_u64.to_ne_bytes());
        assert_eq!(why(&other), "a snapshot at position 4096 of version 2; this program reads version 1");
    }

    /// Whatever a checksum vouches for: an answer, and no panic.
    #[test]
    fn a_right_checksum_makes_no_snapshot() {
        let bytes = sample(4096).encode();
        for at in (HEAD..bytes.len() - CRC).step_by(if cfg!(miri) { 13 } else { 1 }) {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut other = bytes.clone();
                other[at] = byte;
                let end = other.len() - CRC;
                let crc = crc32c::crc32c(&other[..end]);
                other[end..].copy_from_slice(&crc.to_ne_bytes());
                if let Ok(saved) = Saved::decode(&other) {
                    assert_eq!(saved.encode(), other, "byte {at} means nothing");
                }
            }
        }
    }

    /// Whoever dies in it leaves what was there, or what was to be there.
    #[test]
    #[cfg_attr(miri, ignore = "Miri syncs no directories")]
    fn a_death_at_any_step_leaves_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let [path, _] = paths(&directory.path().join("journal"), "Worker");
        let there = || Saved::decode(&fs::read(&path).unwrap()).unwrap().position;
        let mut steps = 0;
        loop {
            write(&path, &sample(16), || ()).unwrap();
            assert_eq!(there(), 16);
            let left = Cell::new(steps);
            let dies = || match left.get() {
                0 => resume_unwind(Box::new("killed")),
                more => left.set(more - 1),
            };
            if catch_unwind(AssertUnwindSafe(|| write(&path, &sample(48), dies))).is_ok() {
                break;
            }
            // It has its name behind the last step only.
            assert_eq!(there(), if steps < 3 { 16 } else { 48 }, "after {steps} steps");
            steps += 1;
        }
        assert_eq!((steps, there()), (4, 48));
    }
}
