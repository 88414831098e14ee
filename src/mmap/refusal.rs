//! Why a file was not made, opened, locked or removed by its name.

use std::io;

/// What stands against it, in terms that a caller can act upon.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Something else than a file has this name, and this is what.
    NotAFile { found: &'static str },
    /// The name is taken.
    Exists,
    /// Nothing has this name.
    Missing,
    /// This process may not.
    Denied,
    /// The file has `len` bytes, and what is asked for needs `least`. Of an empty one, `len` is 0.
    TooShort { len: u64, least: u64 },
    /// The disk, the quota, or the limit of this process on a file's length has no room for it.
    NoSpace,
    /// Somebody else holds the file's lock, in that process if the system tells.
    Busy { holder: Option<u32> },
    /// The file has lost its name, and no other has it.
    Removed,
    /// The file has lost its name to another.
    Replaced,
    /// Anything else that the system says, when it was told to do `action`.
    Io { action: &'static str, error: io::Error },
}

impl Refusal {
    /// What the system's refusal to do `action` comes to.
    pub(crate) fn of(action: &'static str) -> impl Fn(io::Error) -> Refusal {
        use io::ErrorKind::*;
        move |error| match error.kind() {
            AlreadyExists => Refusal::Exists,
            NotFound => Refusal::Missing,
            PermissionDenied | ReadOnlyFilesystem => Refusal::Denied,
            StorageFull | QuotaExceeded | FileTooLarge => Refusal::NoSpace,
            _ => Refusal::Io { action, error },
        }
    }
}

/// What has a name and is no file.
#[cfg(unix)]
pub(crate) fn name_of(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else {
        "a device"
    }
}
