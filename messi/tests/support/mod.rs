//! What all tests of the generator need: the command, other people's tools, and golden files.

#![allow(dead_code, reason = "no test file needs all of it")]

#[path = "../../../tests/support/process.rs"]
pub mod process;
pub mod scenario;
#[path = "../../../tests/support/skip.rs"]
mod skip;

pub use skip::skip;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the package is.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    package().join("..").join(path)
}

/// The command `messi` with these arguments, run in `directory`.
pub fn messi(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_messi")).args(arguments).current_dir(directory).output().expect("messi runs")
}

/// As [`messi`], which must succeed and say nothing.
pub fn generate(directory: &Path, arguments: &[&str]) {
    let output = messi(directory, arguments);
    assert!(output.status.success(), "messi {arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), "");
}

/// Bytes as the text that they are.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether another program is here and does what `arguments` ask of it, as in `tool("gcc", &["--version"])`.
///
/// Without it a test ends early and says why; with `NOTHING_SKIPPED=1`, as where all of them are installed, it
/// fails.
pub fn tool(program: &str, arguments: &[&str]) -> bool {
    let works = Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !works {
        skip(&format!("`{program} {}` does not work", arguments.join(" ")));
    }
    works
}

/// Whether gcc finds nanopb.
pub fn nanopb() -> bool {
    tool("gcc", &["--version"]) && {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("nanopb.c");
        fs::write(&source, "#include <pb_encode.h>\nint main(void) { return pb_encode == 0; }\n").unwrap();
        let program = directory.path().join("nanopb");
        tool("gcc", &[source.to_str().unwrap(), "-o", program.to_str().unwrap(), "-lprotobuf-nanopb"])
    }
}

/// Runs a program to its end and asserts that it succeeds and, if `silent`, that it says nothing. What a test program
/// in C or Python skips is skipped here.
pub fn run(command: &mut Command, silent: bool) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    assert!(!silent || said.is_empty(), "{command:?}:\n{said}");
    for line in said.lines().filter(|line| line.starts_with("skipped: ") || line.starts_with("OK (skipped=")) {
        skip(&format!("a part of {command:?}: {line}"));
    }
    output
}

/// All files below `directory`, by their paths in it.
pub fn files(directory: &Path) -> BTreeMap<PathBuf, String> {
    fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<PathBuf, String>) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                files.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }

    let mut found = BTreeMap::new();
    collect(directory, directory, &mut found);
    found
}

/// Compares all files below `actual` with those in `tests/golden/<case>`. With `BLESS=1` the latter are rewritten, but
/// only after they were compared, and the test says so.
pub fn assert_golden(case: &str, actual: &Path) {
    let directory = package().join("tests/golden").join(case);
    let (expected, actual) = (files(&directory), files(actual));
    let differs: Vec<&PathBuf> = expected
        .keys()
        .chain(actual.keys().filter(|path| !expected.contains_key(*path)))
        .filter(|path| expected.get(*path) != actual.get(*path))
        .collect();
    if differs.is_empty() {
        return;
    }
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        let _ = fs::remove_dir_all(&directory);
        for (path, text) in &actual {
            fs::create_dir_all(directory.join(path).parent().unwrap()).unwrap();
            fs::write(directory.join(path), text).unwrap();
        }
        eprintln!("blessed {case}: {differs:?}");
        return;
    }
    for path in &differs {
        let (expected, actual) = (expected.get(*path), actual.get(*path));
        let line = match (expected, actual) {
            (Some(expected), Some(actual)) => {
                let line = expected.lines().zip(actual.lines()).position(|(a, b)| a != b);
                let line = line.unwrap_or_else(|| expected.lines().count().min(actual.lines().count()));
                let nth = |text: &str| text.lines().nth(line).unwrap_or("(end)").to_owned();
                format!("line {}:\n  expected: {}\n  actual:   {}", line + 1, nth(expected), nth(actual))
            }
            (None, _) => "is not expected".to_owned(),
            (_, None) => "is missing".to_owned(),
        };
        eprintln!("{case}/{}: {line}", path.display());
    }
    panic!("{case} differs from what is expected; if it is right, run again with BLESS=1");
}
