//! The cases of a connection as `messi/tests/cases/README.md` describes them, taken apart but not played.

#![allow(dead_code, reason = "who plays them needs other parts than who counts them")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// One case, or what ought to be one.
pub struct Case {
    pub file: String,
    pub name: String,
    /// The numbers of its lines in the file and what they say, from behind `case` to `end`.
    pub lines: Vec<(usize, String)>,
}

impl Case {
    /// The words behind the first line that begins with `key`.
    pub fn setting(&self, key: &str) -> Vec<&str> {
        let mut lines = self.lines.iter().map(|(_, line)| line.split_whitespace());
        lines.find_map(|mut words| (words.next() == Some(key)).then(|| words.collect())).unwrap_or_default()
    }

    /// What a driver that lacks these has to say about it.
    pub fn report(&self, lacks: &BTreeSet<String>) -> String {
        match self.setting("needs").into_iter().find(|need| lacks.contains(*need)) {
            Some(need) => format!("lacks {need} for {}", self.name),
            None => format!("played {}", self.name),
        }
    }
}

/// The cases of one file.
///
/// # Panics
///
/// If something stands outside of a case, or one has no end.
pub fn read(path: &Path) -> Vec<Case> {
    let file = path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut cases: Vec<Case> = Vec::new();
    let mut is_inside = false;
    for (number, line) in (1..).zip(fs::read_to_string(path).unwrap().lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if is_inside {
            cases.last_mut().unwrap().lines.push((number, line.to_owned()));
            is_inside = line != "end";
        } else {
            let name = line.strip_prefix("case ").unwrap_or_else(|| panic!("{file}:{number}: outside of a case"));
            cases.push(Case { file: file.clone(), name: name.to_owned(), lines: Vec::new() });
            is_inside = true;
        }
    }
    assert!(!is_inside, "{file}: the last case has no end");
    cases
}

/// All cases of the protocol in this folder; `wrong.case` is none of them.
///
/// # Panics
///
/// If two have the same name.
pub fn all(folder: &Path) -> Vec<Case> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "case") && !path.ends_with("wrong.case"));
    paths.sort();
    let cases: Vec<Case> = paths.iter().flat_map(|path| read(path)).collect();
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(names.insert(&case.name), "{}: {} is there twice", case.file, case.name);
    }
    cases
}

/// The wrong cases, each with the number of the line at which it must fail.
///
/// # Panics
///
/// If a case has not one such line.
pub fn wrong(folder: &Path) -> Vec<(Case, usize)> {
    let path = folder.join("wrong.case");
    let text = fs::read_to_string(&path).unwrap();
    let marked: Vec<usize> =
        (2..).zip(text.lines()).filter(|(_, line)| *line == "# wrong").map(|(behind, _)| behind).collect();
    let one_each = read(&path).into_iter().map(|case| {
        let is_inside = |line: &&usize| case.lines.iter().any(|(number, _)| number == *line);
        let lines: Vec<usize> = marked.iter().filter(is_inside).copied().collect();
        assert_eq!(lines.len(), 1, "{}: lines that are wrong", case.name);
        (case, lines[0])
    });
    one_each.collect()
}

/// The table of capabilities in the README: its head, and its rows.
fn table(folder: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(folder.join("README.md")).unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
    let mut rows = text.lines().skip_while(|line| !line.starts_with("| capability")).map(cells);
    let head: Vec<String> = rows.next().expect("the table of capabilities");
    let rows = rows.skip(1).take_while(|cells| cells.len() == head.len()).collect();
    (head, rows)
}

/// All capabilities.
pub fn capabilities(folder: &Path) -> BTreeSet<String> {
    table(folder).1.into_iter().map(|cells| cells[1].clone()).collect()
}

/// The capabilities that one implementation, a column of the table in the README, lacks.
///
/// # Panics
///
/// If there is no such column.
pub fn lacks(folder: &Path, column: &str) -> BTreeSet<String> {
    let (head, rows) = table(folder);
    let index = head.iter().position(|cell| cell == column).unwrap_or_else(|| panic!("no column is called {column}"));
    let lacked = rows.iter().filter(|cells| match cells[index].as_str() {
        "-" => true,
        "yes" => false,
        other => panic!("{column}: {other}"),
    });
    lacked.map(|cells| cells[1].clone()).collect()
}
