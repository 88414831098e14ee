//! Opens a journal's file, or makes it: the path, the lock, the mapping.

use super::super::claim::Claim;
use super::super::journal::header::{IDENTITY, PAGE};
use super::super::journal::{JournalError, Recovered, open_file, read_identity};
use super::super::keeper::Keeper;
use super::super::wait::WaitStrategy;
use super::{Opening, PersistentBus, PersistentOptions, new_identity};
use crate::mmap::file::{self, FileBacking};
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(super) fn open<C: Claim, W: WaitStrategy>(
    path: &Path,
    options: PersistentOptions,
) -> Result<(PersistentBus<C, W>, Recovered), JournalError> {
    // Whoever makes it at the same time has made it when we come back.
    let mut created = false;
    let file = loop {
        match open_file(path, OFlags::RDWR) {
            Err(JournalError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound && !created => {
                created = make(path, &options)?;
            }
            opened => break opened?,
        }
    };
    let backing = FileBacking::new(file);
    match backing.lock() {
        Ok(true) => {}
        Ok(false) => return Err(JournalError::Locked { path: path.to_owned() }),
        Err(error) => return Err(JournalError::Io { path: path.to_owned(), action: "lock it", error }),
    }
    let identity = read_identity(path, backing.file())?;
    let opening = Opening { path, identity, options, created };
    let findings = opening.inspect(backing.file())?;
    let (_, len) = opening.region_len(&findings);
    let region = file::map(backing.file(), len).map_err(opening.io("reserve address space for it"))?;
    let source = backing.file().try_clone().map_err(opening.io("open it"))?;
    let ready = findings.len / PAGE * PAGE;
    backing.populate(&region, (findings.recovered.tail / PAGE * PAGE).min(ready) as usize, ready as usize);
    opening.assemble(&source, findings, region, Box::new(backing), |log| Keeper::start(log).map(Some))
}

/// Makes an empty journal at `path`: under another name, so that nobody ever sees half of one. False if there is one
/// meanwhile.
fn make(path: &Path, options: &PersistentOptions) -> Result<bool, JournalError> {
    let io = |error| JournalError::Io { path: path.to_owned(), action: "make it", error };
    let identity = new_identity(options)?;
    let draft = Draft(draft_name(path));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0).map_err(io)?;
    let len =
        (identity.header_len() + options.step.next_multiple_of(PAGE)).min(options.capacity.next_multiple_of(PAGE));
    let written = file::allocate(&file, 0, len)
        .and_then(|()| file.write_all_at(&identity.encode() as &[u8; IDENTITY], 0))
        .and_then(|()| file.sync_all());
    written.map_err(io)?;
    match fs::hard_link(&draft.0, path) {
        // What is synced in a file is of no use when its name is not.
        Ok(()) => File::open(directory_of(path)).and_then(|directory| directory.sync_all()).map_err(io).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io(error)),
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file under a name of its own, which is gone when this is.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        // If it cannot be removed, it is in nobody's way.
        let _ = fs::remove_file(&self.0);
    }
}

fn draft_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // Of this process, and of this call: another thread may be at it, too.
    name.push(format!(".{}-{:x}", std::process::id(), super::random_key()));
    path.with_file_name(name)
}
