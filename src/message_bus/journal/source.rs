//! Where the bytes of a journal are read from: by position and never through a mapping, so that no file, however
//! broken, can do more than be reported.

use super::error::JournalError;
use crate::mmap::refusal::name_of;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are read by position.
pub(crate) trait Source {
    /// How many there are now.
    fn len(&self) -> io::Result<u64>;

    /// Fills as much of `bytes` as there is at `offset`, and says how much.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize>;
}

impl Source for File {
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match FileExt::read_at(self, &mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl Source for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let there = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or(&[]);
        let len = there.len().min(bytes.len());
        bytes[..len].copy_from_slice(&there[..len]);
        Ok(len)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn len(&self) -> io::Result<u64> {
        (**self).len()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, bytes)
    }
}

/// A source as long as it was at some moment: what is added to it later is not looked at.
#[derive(Debug)]
pub(crate) struct Upto<S>(pub(in super::super) S, pub(in super::super) u64);

impl<S: Source> Source for Upto<S> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len()?.min(self.1))
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let len = self.1.saturating_sub(offset).min(bytes.len() as u64) as usize;
        self.0.read_at(offset, &mut bytes[..len])
    }
}

/// Opens what is at `path`, if it is a file.
pub(crate) fn open_file(path: &Path, access: OFlags) -> Result<File, JournalError> {
    let io = |error: io::Error| JournalError::Io { path: path.to_owned(), action: "open it", error };
    let not_a_file = |kind: std::fs::FileType| JournalError::NotAFile { path: path.to_owned(), found: name_of(kind) };
    // Never waits, not even for the other end of a pipe.
    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => {
            let file = File::from(file);
            let kind = file.metadata().map_err(io)?.file_type();
            if kind.is_file() { Ok(file) } else { Err(not_a_file(kind)) }
        }
        Err(error) => match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => Err(not_a_file(metadata.file_type())),
            _ => Err(io(error.into())),
        },
    }
}
