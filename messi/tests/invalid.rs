//! Files that are wrong: each has an error with a place, and leaves nothing behind.
//!
//! The files are in `tests/invalid/`, what is said of them in `tests/invalid/expected.txt`. All three languages say the
//! same, unless the fault is one of a language's names: then the file's name begins with `c_`, `py_` or `rust_`.

mod support;

use std::fs;
use std::time::{Duration, Instant};
use support::*;

const LANGUAGES: [(&str, &str); 3] =
    [("c_", "generate_c_source"), ("py_", "generate_py_source"), ("rust_", "generate_rust_source")];

#[test]
fn every_fault_has_a_place_and_leaves_nothing() {
    let directory = package().join("tests/invalid");
    let mut names: Vec<String> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".proto"))
        .collect();
    names.sort();
    assert!(names.len() >= 50);
    let mut all = String::new();
    for name in &names {
        let only = LANGUAGES.iter().find(|(prefix, _)| name.starts_with(prefix));
        let mut said = Vec::new();
        for (_, command) in LANGUAGES.iter().filter(|language| only.is_none_or(|only| only == *language)) {
            let output_directory = tempfile::tempdir().unwrap();
            let new = output_directory.path().join("new");
            let begun = Instant::now();
            let output = messi(&directory, &[command, "-I", ".", "-o", new.to_str().unwrap(), name]);
            // Five seconds, on a machine ten times slower.
            assert!(begun.elapsed() < Duration::from_secs(50), "{name}: {:?}", begun.elapsed());
            assert_eq!(output.status.code(), Some(1), "{name}, {command}: {}", text(&output.stderr));
            assert_eq!(text(&output.stdout), "", "{name}");
            assert!(!new.exists(), "{name} left {:?}", files(&new));
            said.push(text(&output.stderr));
        }
        assert!(said.iter().all(|text| *text == said[0]), "{name}: {said:#?}");
        let error = said[0].strip_prefix("error: ").unwrap_or_else(|| panic!("{name}: {}", said[0]));
        assert_eq!(error.lines().count(), 1, "{name}: {error}");
        let mut parts = error.splitn(4, ':');
        assert!(parts.next().is_some_and(|file| file.ends_with(".proto")), "{name}: {error}");
        assert!(parts.next().is_some_and(|line| line.parse::<u32>().is_ok_and(|line| line > 0)), "{name}: {error}");
        assert!(parts.next().is_some_and(|column| column.parse::<u32>().is_ok_and(|c| c > 0)), "{name}: {error}");
        all.push_str(error);
    }
    let expected = tempfile::tempdir().unwrap();
    fs::write(expected.path().join("expected.txt"), &all).unwrap();
    assert_golden("invalid", expected.path());
}
