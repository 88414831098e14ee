//! Writes what was generated, all of it or none.

use crate::error::Error;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its path below the output directory.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// Writes `files` below `directory`, which is made if it is missing, and says which of them were not the same before.
/// What is already there is left alone, so that nothing is built again for it.
///
/// All files are written beside their places first, and renamed when all are written: an error leaves all as it was.
///
/// # Errors
///
/// If two files have one path, or one cannot be written.
pub fn write(files: &[Generated], directory: &Path) -> Result<Vec<PathBuf>, Error> {
    check_paths(files)?;
    let mut made = Made(Vec::new());
    let mut ready = Vec::new();
    for file in files {
        let path = directory.join(&file.path);
        if is(&path, &file.text)? {
            continue;
        }
        let fail = |error| Error::io(&path, "cannot write", error);
        // Renaming over it would fail, after others were renamed.
        if path.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let parent = path.parent().unwrap_or(Path::new("."));
        made.directory(parent).map_err(fail)?;
        let mut temporary = new_file(parent).map_err(fail)?;
        temporary.write_all(file.text.as_bytes()).map_err(fail)?;
        ready.push((temporary, path));
    }
    let mut written = Vec::new();
    for (temporary, path) in ready {
        temporary.persist(&path).map_err(|error| Error::io(&path, "cannot write", error.error))?;
        written.push(path);
    }
    made.0.clear();
    Ok(written)
}

/// Compares `files` with what is below `directory`, and writes nothing.
///
/// # Errors
///
/// [`Error::Differs`] names all files that are missing or not the same.
pub fn check(files: &[Generated], directory: &Path) -> Result<(), Error> {
    check_paths(files)?;
    let mut differs = Vec::new();
    for file in files {
        let path = directory.join(&file.path);
        if !is(&path, &file.text)? {
            differs.push(path);
        }
    }
    if differs.is_empty() { Ok(()) } else { Err(Error::Differs(differs)) }
}

fn check_paths(files: &[Generated]) -> Result<(), Error> {
    let mut paths = BTreeSet::new();
    match files.iter().find(|file| !paths.insert(&file.path)) {
        None => Ok(()),
        Some(file) => Err(Error::Options(format!(
            "two of the inputs make {}: rename one, or generate them apart",
            file.path.display()
        ))),
    }
}

/// Whether `path` already has this text.
fn is(path: &Path, text: &str) -> Result<bool, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes == text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // Written it can be, and then that is what is reported.
        Err(error) if matches!(error.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(Error::io(path, "cannot read", error)),
    }
}

fn new_file(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".messi-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any other file, and not for the user alone, as temporary ones are.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}

/// Directories that were made, which go again if all was in vain.
struct Made(Vec<PathBuf>);

impl Made {
    fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(path)?;
        self.0.push(path.to_owned());
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            let _ = fs::remove_dir(path);
        }
    }
}
