//! What the fuzzer of the generator does with any bytes; `cargo test` does it with those that were kept.

use messi::{Error, Model, c, python, rust};

/// Parts files of one another in the input: the first is given, the others can be imported as `b.proto`, `c.proto`, ...
const BETWEEN: &str = "\n%%\n";

/// Reads the input as .proto files and generates all languages of them. Whatever it is, there is text or an error that has
/// a place in one of the files.
pub fn front_end(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let names = ["a.proto", "b.proto", "c.proto", "d.proto"];
    let files: Vec<(&str, &str)> = names.into_iter().zip(text.split(BETWEEN)).collect();
    let has_place = |error: Error| match error {
        Error::Proto { place, what } => {
            assert!(place.line >= 1 && place.column >= 1 && !what.is_empty(), "{place}: {what}");
            let lines = files.iter().find(|(name, _)| *name == place.file).map(|(_, text)| text.split('\n').count());
            assert!(lines.is_some_and(|lines| place.line <= lines), "{place}: {what}");
        }
        error => panic!("{error}"),
    };
    let model = match Model::from_texts(&files[..1], &files[1..]) {
        Ok(model) => model,
        Err(error) => return has_place(error),
    };
    let generated = [
        c::generate(&model, &c::Options::default()),
        python::generate(&model, &python::Options::default()),
        rust::generate(&model, &rust::Options::default()),
    ];
    for files in generated {
        match files {
            Ok(files) => {
                let mut paths: Vec<_> = files.iter().map(|file| &file.path).collect();
                paths.sort();
                paths.dedup();
                assert_eq!(paths.len(), files.len(), "two files of one name");
            }
            Err(error) => has_place(error),
        }
    }
}
