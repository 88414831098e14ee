//! The generator in a `build.rs`.

use crate::{Error, Model, output, rust};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Generates Rust from a `build.rs`.
///
/// ```no_run
/// // In `main` of build.rs:
/// messi::Build::new().compile(&["proto/chat.proto"]).unwrap_or_else(|error| panic!("{error}"));
/// ```
///
/// ```ignore
/// // src/chat.rs: ignored here, where no build.rs has run.
/// include!(concat!(env!("OUT_DIR"), "/chat.rs"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Build {
    import_paths: Vec<PathBuf>,
    output: Option<PathBuf>,
    options: rust::Options,
}

impl Build {
    /// With the options of [`rust::Options::default`], into `OUT_DIR`.
    pub fn new() -> Build {
        Build::default()
    }

    /// Also looks for imports in this directory.
    pub fn import_path(mut self, path: impl Into<PathBuf>) -> Build {
        self.import_paths.push(path.into());
        self
    }

    /// Writes to this directory instead of `OUT_DIR`.
    pub fn output_directory(mut self, path: impl Into<PathBuf>) -> Build {
        self.output = Some(path.into());
        self
    }

    /// The ids on the bus.
    pub fn options(mut self, options: rust::Options) -> Build {
        self.options = options;
        self
    }

    /// Generates one file of Rust for each of these, and tells Cargo to do it again when one of them changes, or one
    /// that they import.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the files: see [`Error`]. Also outside of a `build.rs`, where there is no `OUT_DIR`,
    /// unless an output directory is given.
    pub fn compile(&self, files: &[impl Into<PathBuf> + Clone]) -> Result<(), Error> {
        let files: Vec<PathBuf> = files.iter().cloned().map(Into::into).collect();
        let output = match (&self.output, std::env::var_os("OUT_DIR")) {
            (Some(output), _) => output.clone(),
            (None, Some(output)) => output.into(),
            (None, None) => return Err(Error::Options("OUT_DIR is not set: this is for a build.rs".to_owned())),
        };
        // Before anything can fail, so that Cargo runs it again when a fault is mended.
        for file in &files {
            tell_cargo(file);
        }
        let model = Model::read(&files, &self.import_paths)?;
        for path in model.paths() {
            tell_cargo(path);
        }
        output::write(&rust::generate(&model, &self.options)?, &output)?;
        Ok(())
    }
}

fn tell_cargo(path: &Path) {
    // Whoever closed this pipe does not want to know.
    let _ = writeln!(std::io::stdout(), "cargo:rerun-if-changed={}", path.display());
}
