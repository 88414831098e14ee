//! Opens a journal's file, or makes it: the path, the lock, the mapping.

use super::error::JournalError;
use super::header::{IDENTITIES, PAGE, read_identity};
use super::keeper;
use super::options::PersistentOptions;
use super::recovery::{Opened, Opening, new_identity};
use super::source::open_file;
use super::store::first_step;
use crate::mmap::Backing;
use crate::mmap::draft::{Draft, directory_of};
use crate::mmap::file::{self, FileBacking};
use rustix::fs::OFlags;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Opens the journal at `path`, or makes it, and starts its keeper.
///
/// # Errors
///
/// [`JournalError`]; the file is as it was.
pub(crate) fn open(path: &Path, options: PersistentOptions) -> Result<Opened, JournalError> {
    let (file, created) = open_or_make(|| open_file(path, OFlags::RDWR), || make(path, &options, File::sync_all))?;
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
    let workers = opening.options.table.map_or(&[][..], |table| table.workers);
    opening.assemble(&source, findings, region, Box::new(backing), |store| {
        store.keep_beside(path, workers);
        keeper::start(store).map(Some)
    })
}

/// How often a journal that is not there is made, or found to be made by somebody else. More than once takes somebody
/// who removes it each time.
const ATTEMPTS: usize = 16;

/// What `open` opens, and whether it was `make` that made it.
fn open_or_make<F>(
    open: impl Fn() -> Result<F, JournalError>,
    make: impl Fn() -> Result<bool, JournalError>,
) -> Result<(F, bool), JournalError> {
    let mut made = false;
    for _ in 0..ATTEMPTS {
        match open() {
            // Whoever makes it at the same time has made it when we come back.
            Err(JournalError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => made = make()?,
            opened => return opened.map(|file| (file, made)),
        }
    }
    open().map(|file| (file, made))
}

/// As many links from name to name as Linux follows.
const LINKS: usize = 40;

/// The name that `path` stands for when every link there is followed: where a file is made that is not there yet.
fn followed(path: &Path) -> PathBuf {
    let mut name = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&name) {
            Ok(target) => name = directory_of(&name).join(target),
            Err(_) => break,
        }
    }
    name
}

/// Makes an empty journal at `path`, whole before it has this name, so that nobody ever sees half of one. A link to
/// nothing is one to where it is made. False if there is one meanwhile.
fn make(
    path: &Path,
    options: &PersistentOptions,
    sync: impl Fn(&File) -> io::Result<()>,
) -> Result<bool, JournalError> {
    let named = path;
    let path = &followed(named);
    let action = if path == named { "make it" } else { "make it where this link points to" };
    let io = |error| JournalError::Io { path: named.to_owned(), action, error };
    let identity = new_identity(named, options)?;
    let draft = Draft::new(path, 0o600).map_err(io)?;
    let len = (identity.header_len() + first_step(options.step).next_multiple_of(PAGE))
        .min(options.capacity.next_multiple_of(PAGE));
    let written = file::allocate(draft.file(), 0, len)
        .and_then(|()| IDENTITIES.into_iter().try_for_each(|at| draft.file().write_all_at(&identity.encode(), at)))
        .and_then(|()| sync(draft.file()));
    written.map_err(io)?;
    match draft.link(path) {
        // What is synced in a file is of no use when its name is not.
        Ok(_) => File::open(directory_of(path)).and_then(|directory| sync(&directory)).map_err(io).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A power failure leaves a whole journal or none: the file is synced before it has its name, and then the name is.
    #[test]
    #[cfg_attr(miri, ignore = "Miri makes no links")]
    fn what_is_made_survives_a_power_failure() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let options = PersistentOptions { step: PAGE, ..PersistentOptions::default() };
        let synced = std::cell::RefCell::new(Vec::new());
        let made = make(&path, &options, |file| {
            synced.borrow_mut().push((file.metadata()?.is_dir(), path.exists()));
            Ok(())
        });
        assert!(made.unwrap());
        assert_eq!(*synced.borrow(), [(false, false), (true, true)]);
        // Nor is one made of which that is not known.
        for fails_on in [false, true] {
            let path = directory.path().join(if fails_on { "name" } else { "file" });
            let made = make(&path, &options, |file| match file.metadata()?.is_dir() == fails_on {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            });
            assert!(matches!(made, Err(JournalError::Io { .. })));
            assert_eq!(path.exists(), fails_on, "named before it was synced");
        }
    }

    /// A name that is gone when it is opened and there when it is made, whatever file system comes up with that: an end
    /// in any case. And what was made by others is not called made here.
    #[test]
    fn a_name_that_comes_and_goes_ends_in_an_error() {
        let gone = || Err(JournalError::Io { path: PathBuf::new(), action: "", error: io::ErrorKind::NotFound.into() });
        for is_made in [false, true] {
            let made = std::cell::Cell::new(0);
            let make = || {
                made.set(made.get() + 1);
                assert!(made.get() < 1000, "without end");
                Ok(is_made)
            };
            let error = open_or_make::<()>(gone, make).unwrap_err();
            assert!(matches!(error, JournalError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound));
            assert!(made.get() > 1, "others may be at it, too");
        }
        // It is made here, gone, and made by somebody else.
        let calls = std::cell::Cell::new(0);
        let open = || {
            calls.set(calls.get() + 1);
            if calls.get() < 3 { gone() } else { Ok(()) }
        };
        assert!(!open_or_make(open, || Ok(calls.get() == 1)).unwrap().1);
    }
}
