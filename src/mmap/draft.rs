//! Files that are made before they have a name, so that nobody ever sees half of one.

use crate::random;
#[cfg(target_os = "linux")]
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A file that is gone when this is, unless it was given a name.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    /// A name of its own, where there must be one: whoever is killed leaves the file under it.
    name: Option<Temporary>,
}

impl Draft {
    /// One that can be named `path`, for those whom `mode` lets read and write it, whatever the process's mask says.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn new(path: &Path, mode: u32) -> io::Result<Draft> {
        #[cfg(target_os = "linux")]
        if let Ok(file) = nameless(directory_of(path)) {
            return Draft { file, name: None }.for_all_of(mode);
        }
        Draft::named(path)?.for_all_of(mode)
    }

    fn named(path: &Path) -> io::Result<Draft> {
        let name = temporary_name(path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&name)?;
        Ok(Draft { file, name: Some(Temporary(name)) })
    }

    fn for_all_of(self, mode: u32) -> io::Result<Draft> {
        // Not every file system can change it, and few have to.
        if self.file.metadata()?.permissions().mode() & 0o777 != mode {
            self.file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(self)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it the name `path`.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AlreadyExists`] if that is taken, be it by a link to nothing; else what the system says. The
    /// draft is gone then.
    pub(crate) fn link(self, path: &Path) -> io::Result<File> {
        match &self.name {
            Some(Temporary(name)) => fs::hard_link(name, path)?,
            #[cfg(target_os = "linux")]
            None => rustix::fs::linkat(CWD, handle(&self.file), CWD, path, AtFlags::SYMLINK_FOLLOW)?,
            #[cfg(not(target_os = "linux"))]
            None => unreachable!("only Linux knows files without a name"),
        }
        Ok(self.file)
    }
}

/// A name that is removed with this.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // If it cannot be removed, it is in nobody's way.
        let _ = fs::remove_file(&self.0);
    }
}

/// Where `path` is.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file without a name, which can be given one. Not every file system knows such, and `/proc` may be missing.
#[cfg(target_os = "linux")]
fn nameless(directory: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR)?);
    fs::metadata(handle(&file)).map(|_| file)
}

/// The path at which the system shows this process's handle of `file`.
#[cfg(target_os = "linux")]
pub(super) fn handle(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // Of this process, and of this call: another thread may be at it, too.
    name.push(format!(".{}-{:x}", std::process::id(), random::number()?));
    Ok(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where files must have names, the draft's is one that nobody takes for the file's, and gone in the end.
    #[test]
    #[cfg_attr(miri, ignore = "Miri makes no links")]
    fn a_draft_with_a_name_is_gone_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let names = || fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let draft = Draft::named(&path).unwrap();
        assert!(matches!(&names()[..], [name] if name.to_string_lossy().starts_with(".journal.")));
        draft.link(&path).unwrap();
        assert_eq!(names(), ["journal"]);
        assert_eq!(Draft::named(&path).unwrap().link(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(), ["journal"]);
    }
}
