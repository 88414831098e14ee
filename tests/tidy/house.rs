//! The files of the repository, and what a rule says about them.

use crate::text::code_of;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// A file: where it is in the repository, what is in it, and that without comments and literals.
pub struct File {
    pub path: String,
    pub text: String,
    pub code: String,
}

/// What a rule has to say: nothing, or a line for each place.
pub type Complaints = Vec<String>;

/// How a file begins that was generated, and is as it is.
const GENERATED: &str = "// Made by `messi ";

/// Where the repository has Rust.
pub const EVERYWHERE: &[&str] = &["src/", "tests/", "examples/", "tools/", "messi/"];

impl File {
    pub fn new(path: &str, text: &str) -> File {
        let code = code_of(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        File { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// Whether it is one of `places`: a directory ends in a slash.
    pub fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || (place.ends_with('/') && self.path.starts_with(place)))
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files that somebody wrote, below one of `places`.
pub fn files_in(places: &[&str]) -> Vec<&'static File> {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let mut files = Vec::new();
        for place in EVERYWHERE {
            read(&root().join(place), &mut files);
        }
        files
    });
    let found: Vec<_> = files.iter().filter(|file| file.is_in(places)).collect();
    assert!(!found.is_empty(), "nothing in {places:?}: a rule would hold for lack of files");
    found
}

fn read(directory: &Path, files: &mut Vec<File>) {
    let mut entries: Vec<_> = directory.read_dir().expect("a directory").map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            let text = fs::read_to_string(&path).unwrap();
            if !text.starts_with(GENERATED) {
                files.push(File::new(&name, &text));
            }
        }
    }
}

#[track_caller]
pub fn holds(complaints: Complaints) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// What a rule says about each file in `places`.
pub fn all(places: &[&str], rule: fn(&File) -> Complaints) -> Complaints {
    files_in(places).into_iter().flat_map(rule).collect()
}

/// That a rule says each of `expected` about a file, in this order, and nothing else.
#[track_caller]
pub fn breaks(rule: fn(&File) -> Complaints, path: &str, text: &str, expected: &[&str]) {
    let complaints = rule(&File::new(path, text));
    let is_said = complaints.len() == expected.len()
        && complaints.iter().zip(expected).all(|(complaint, part)| complaint.contains(part));
    assert!(is_said, "{complaints:#?}\n is not {expected:#?}");
}
