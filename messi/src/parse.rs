//! Reads .proto files and all that they import.
//!
//! protox parses one file, prost-reflect checks it against those it imports. What lies between is here: where a file is
//! looked for, that imports end, and that every error has a place.

use crate::error::{Error, Place};
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use protox::file::{File, FileResolver, GoogleFileResolver};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// How much is read, in bytes: a .proto file and all that it imports. What is made of it takes some five hundred times
/// as much memory, which this keeps within 512 MiB.
pub const MAX_SOURCE: u64 = 768 * 1024;

/// The deepest chain of imports that is followed.
pub const MAX_IMPORT_DEPTH: usize = 64;

/// The options of nanopb, for `import "nanopb.proto";`.
const NANOPB: &str = include_str!("c/nanopb.proto");

/// One file as it was read.
#[derive(Debug)]
pub(crate) struct Source {
    /// How the user would name it.
    pub(crate) shown: String,
    /// Where it is, if it was read from there.
    pub(crate) path: Option<PathBuf>,
    /// Whether it comes with the generator.
    pub(crate) bundled: bool,
    text: String,
}

/// What was read: the checked files, and the texts by name.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) pool: DescriptorPool,
    pub(crate) sources: BTreeMap<String, Source>,
    /// The names of the given files, in the order they were given.
    pub(crate) given: Vec<String>,
}

/// Parses `files`, looking for imports in `import_paths`. Without any these are the directories of the given files and
/// then the current one.
pub(crate) fn parse(files: &[PathBuf], import_paths: &[PathBuf]) -> Result<Parsed, Error> {
    let mut roots = import_paths.to_vec();
    if roots.is_empty() {
        for file in files {
            let root = directory_of(file);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        if !roots.iter().any(|root| is_current(root)) {
            roots.push(PathBuf::from("."));
        }
    }
    let mut reader = Reader { roots, ..Reader::default() };
    let mut given = Vec::new();
    for file in files {
        let name = reader.name_of(file)?;
        reader.add(&name, Some(file))?;
        if !given.contains(&name) {
            given.push(name);
        }
    }
    Ok(reader.finish(given))
}

/// Parses files of these names and texts; those of `imported` only so far as they are imported.
pub(crate) fn parse_texts(given: &[(&str, &str)], imported: &[(&str, &str)]) -> Result<Parsed, Error> {
    let texts = given.iter().chain(imported).map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut reader = Reader { texts, ..Reader::default() };
    for (name, _) in given {
        reader.add(name, None)?;
    }
    Ok(reader.finish(given.iter().map(|(name, _)| (*name).to_owned()).collect()))
}

#[derive(Default)]
struct Reader {
    /// Where files are looked for.
    roots: Vec<PathBuf>,
    /// Files that are not on disk.
    texts: BTreeMap<String, String>,
    sources: BTreeMap<String, Source>,
    pool: DescriptorPool,
    /// The files whose imports are being read, the outermost first.
    importing: Vec<String>,
}

impl Reader {
    fn finish(self, given: Vec<String>) -> Parsed {
        Parsed { pool: self.pool, sources: self.sources, given }
    }

    /// The name by which others import `file`: its path below the first of the roots that holds it.
    fn name_of(&self, file: &Path) -> Result<String, Error> {
        let read = |path: &Path| fs::canonicalize(path).map_err(|error| Error::io(path, "cannot read", error));
        let file_path = read(file)?;
        for root in &self.roots {
            let Ok(root_path) = fs::canonicalize(root) else { continue };
            if let Ok(below) = file_path.strip_prefix(&root_path) {
                let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
                return parts.map(|parts| parts.join("/")).ok_or_else(|| {
                    Error::Options(format!("{}: a name that is not UTF-8 cannot be imported", file.display()))
                });
            }
        }
        Err(Error::Options(format!("{} is in none of the import paths: add its directory with -I", file.display())))
    }

    /// Adds the file of this name and, before it, all that it imports. `given`: how the user named it.
    fn add(&mut self, name: &str, given: Option<&Path>) -> Result<(), Error> {
        if self.sources.contains_key(name) {
            return Ok(());
        }
        let (source, descriptor) = self.read(name, given)?;
        self.sources.insert(name.to_owned(), source);
        let imports = &descriptor.dependency;
        self.importing.push(name.to_owned());
        for (i, import) in imports.iter().enumerate() {
            let error = |reader: &Reader, what: String| {
                // Path of the import in a file's descriptor, see descriptor.proto.
                let source = &reader.sources[name];
                Error::Proto { place: source.place(&descriptor, &[3, i as i32]), what }
            };
            if imports[..i].contains(import) {
                return Err(error(self, format!("`{import}` is imported twice: remove this import")));
            }
            if self.importing.contains(import) {
                let cycle: Vec<&str> = self.importing.iter().skip_while(|name| *name != import).map(|n| &**n).collect();
                let cycle = format!("{} -> {import}", cycle.join(" -> "));
                return Err(error(self, format!("files import each other: {cycle}; remove one of the imports")));
            }
            if self.importing.len() >= MAX_IMPORT_DEPTH {
                return Err(error(self, format!("imports go more than {MAX_IMPORT_DEPTH} files deep")));
            }
            if !self.sources.contains_key(import) && !self.exists(import) {
                let roots: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
                let roots = roots.join(", ");
                return Err(error(self, format!("`{import}` is not in the import paths ({roots}): add its with -I")));
            }
            self.add(import, None).map_err(|fault| match fault {
                Error::Proto { .. } => fault,
                // What has no place of its own has that of the import.
                fault => error(self, fault.to_string()),
            })?;
        }
        self.importing.pop();
        let source = &self.sources[name];
        self.pool.add_file_descriptor_proto(descriptor).map_err(|error| {
            let place = source.place_of(error.line().unwrap_or(0), error.column().unwrap_or(0));
            Error::Proto { place, what: explained(&error) }
        })
    }

    fn exists(&self, name: &str) -> bool {
        bundled(name) || self.texts.contains_key(name) || self.roots.iter().any(|root| root.join(name).exists())
    }

    fn read(&self, name: &str, given: Option<&Path>) -> Result<(Source, FileDescriptorProto), Error> {
        let left = MAX_SOURCE - self.sources.values().map(Source::size).sum::<u64>();
        if let Some(text) = self.texts.get(name) {
            check_size(Path::new(name), text.len(), left)?;
            return parsed(name, Source { shown: name.to_owned(), path: None, bundled: false, text: text.clone() });
        }
        // Copies of what comes with the generator are of other versions, and not of proto3.
        let found = self.roots.iter().map(|root| root.join(name)).find(|path| path.exists());
        let Some(path) = found.filter(|_| given.is_some() || !bundled(name)) else { return Ok(read_bundled(name)) };
        let shown = given.unwrap_or(&path);
        if let Some(given) = given
            && fs::canonicalize(given).ok() != fs::canonicalize(&path).ok()
        {
            return Err(Error::Options(format!(
                "{} is hidden by {}, which the import paths hold first: give other import paths with -I",
                given.display(),
                path.display()
            )));
        }
        let text = read_text(&path, shown, left)?;
        let shown = without_current(shown).display().to_string();
        let same = |other: &&Source| other.path.as_deref().and_then(|other| fs::canonicalize(other).ok());
        let here = fs::canonicalize(&path).ok();
        if let Some(other) = self.sources.iter().find(|(_, other)| here.is_some() && same(other) == here) {
            return Err(Error::Options(format!(
                "{shown} is `{name}` and also `{}`, by two import paths: give the one that all files agree on with -I",
                other.0
            )));
        }
        parsed(name, Source { shown, path: Some(path), bundled: false, text })
    }
}

fn parsed(name: &str, source: Source) -> Result<(Source, FileDescriptorProto), Error> {
    let file = File::from_source(name, &source.text).map_err(|error| {
        // The last of the places, where there are two, is the one that is too much.
        let offset = miette::Diagnostic::labels(&error)
            .and_then(|labels| labels.map(|label| label.offset()).last())
            .unwrap_or(source.text.len());
        // The parser calls imports groups there.
        let what = explained(&error).replace("invalid group name: imports", "invalid import: imports");
        Error::Proto { place: place_at(&source.shown, &source.text, offset), what }
    })?;
    Ok((source, file.file_descriptor_proto().clone()))
}

/// Whether a file comes with the generator.
pub(crate) fn bundled(name: &str) -> bool {
    name == "nanopb.proto" || GoogleFileResolver::new().open_file(name).is_ok()
}

fn read_bundled(name: &str) -> (Source, FileDescriptorProto) {
    let file = match name {
        "nanopb.proto" => File::from_source(name, NANOPB),
        _ => GoogleFileResolver::new().open_file(name),
    };
    let file = file.expect("is there, and is right");
    let text = file.source().unwrap_or_default().to_owned();
    (Source { shown: name.to_owned(), path: None, bundled: true, text }, file.file_descriptor_proto().clone())
}

/// The text of `path`, which the user named `shown`, of no more than `left` bytes.
fn read_text(path: &Path, shown: &Path, left: u64) -> Result<String, Error> {
    let fail = |error| Error::io(shown, "cannot read", error);
    // Before it is opened: opening a pipe would wait for its writer.
    let kind = fs::metadata(path).map_err(fail)?;
    if !kind.is_file() {
        return Err(fail(io::Error::other("not a file")));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(fail)?;
    file.take(left + 1).read_to_end(&mut bytes).map_err(fail)?;
    check_size(shown, bytes.len(), left)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let text = String::from_utf8_lossy(valid);
        let place = place_at(&without_current(shown).display().to_string(), &text, text.len());
        Error::Proto { place, what: "this is not UTF-8: save the file as UTF-8".to_owned() }
    })
}

/// An error with the cure that it knows.
fn explained(error: &dyn miette::Diagnostic) -> String {
    error.help().map_or_else(|| error.to_string(), |help| format!("{error}: {help}"))
}

fn check_size(shown: &Path, size: usize, left: u64) -> Result<(), Error> {
    if size as u64 <= left {
        return Ok(());
    }
    let place = Place { file: without_current(shown).display().to_string(), line: 1, column: 1 };
    let what = format!("more than {} KiB of .proto files, with all imports: split the protocol", MAX_SOURCE >> 10);
    Err(Error::Proto { place, what })
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn is_current(root: &Path) -> bool {
    root.components().all(|part| part == Component::CurDir)
}

/// `./chat.proto` as `chat.proto`.
fn without_current(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

fn place_at(shown: &str, text: &str, offset: usize) -> Place {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { file: shown.to_owned(), line, column }
}

impl Source {
    /// The place of a line and a column in bytes, both from 0.
    fn place_of(&self, line: usize, column: usize) -> Place {
        let column = self.text.lines().nth(line).map_or(column, |text| {
            let mut end = column.min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text[..end].chars().count()
        });
        Place { file: self.shown.clone(), line: line + 1, column: column + 1 }
    }

    /// The place of what has this path in the file's descriptor, or else of what it is in.
    pub(crate) fn place(&self, descriptor: &FileDescriptorProto, path: &[i32]) -> Place {
        let locations = descriptor.source_code_info.iter().flat_map(|info| &info.location);
        let mut path = path;
        while !path.is_empty() {
            if let Some(location) = locations.clone().find(|location| location.path == path)
                && let [line, column, ..] = location.span[..]
            {
                return self.place_of(line as usize, column as usize);
            }
            path = &path[..path.len() - 1];
        }
        Place { file: self.shown.clone(), line: 1, column: 1 }
    }

    /// How much was read for it.
    fn size(&self) -> u64 {
        if self.bundled { 0 } else { self.text.len() as u64 }
    }
}
