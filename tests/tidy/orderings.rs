//! Orderings: each that is stronger than Relaxed names its SYNC POINT, and by that name its partner is found.

use crate::house::{Complaints, File, files_in, holds};
use std::collections::BTreeMap;

const RELEASES: &[&str] = &["Ordering::Release", "Ordering::AcqRel", "Ordering::SeqCst"];
const ACQUIRES: &[&str] = &["Ordering::Acquire", "Ordering::AcqRel", "Ordering::SeqCst"];

/// The ends of a SYNC POINT that were found.
#[derive(Default)]
struct Ends {
    /// Where it was met first.
    place: String,
    count: usize,
    releases: bool,
    acquires: bool,
}

/// The name behind `SYNC POINT`, if this line has one.
fn name_in(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("// SYNC POINT ").or_else(|| line.split_once(" SYNC POINT "))?;
    let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '.').unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.')).filter(|name| !name.is_empty())
}

fn has(line: &str, orderings: &[&str]) -> bool {
    orderings.iter().any(|ordering| line.contains(ordering))
}

fn rule_sync_points(files: &[&File]) -> Complaints {
    let mut complaints = Vec::new();
    let mut points: BTreeMap<&str, Ends> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.path.contains("/tests")) {
        let is_comment = |line: &&str| line.trim_start().starts_with("//");
        let lines: Vec<&str> = file.text.lines().take_while(|line| !line.starts_with("mod tests {")).collect();
        for (number, (line, code)) in lines.iter().zip(file.code.lines()).enumerate() {
            let (releases, acquires) = (has(code, RELEASES), has(code, ACQUIRES));
            let mut above = lines[..number].iter().copied().rev().take_while(is_comment);
            let name = name_in(line).or_else(|| above.find_map(name_in)).filter(|_| !code.trim().is_empty());
            match name {
                None if releases || acquires => complaints.push(format!(
                    "{}:{}: an ordering stronger than Relaxed without its `// SYNC POINT name`, here or above",
                    file.path,
                    number + 1
                )),
                None => {}
                // What has no ordering of its own, a barrier or the reading of a file, may be either end.
                Some(name) => {
                    let ends = points.entry(name).or_default();
                    if ends.count == 0 {
                        ends.place = format!("{}:{}", file.path, number + 1);
                    }
                    ends.count += 1;
                    ends.releases |= releases || !acquires;
                    ends.acquires |= acquires || !releases;
                }
            }
        }
    }
    for (name, Ends { place, count, releases, acquires }) in points {
        if count < 2 || !releases || !acquires {
            complaints.push(format!("{place}: SYNC POINT {name} has no partner: one releases, another acquires"));
        }
    }
    complaints
}

#[test]
fn orderings_name_their_partners() {
    let files = files_in(&["src/"]);
    assert!(files.iter().any(|file| file.text.contains("SYNC POINT slot.publish")), "looks at nothing");
    holds(rule_sync_points(&files));
}

#[test]
fn orderings_without_partners_are_found() {
    let said = |text: &str| rule_sync_points(&[&File::new("src/a.rs", text)]);
    let one = |text: &str, expected: &str| {
        let complaints = said(text);
        assert!(complaints.len() == 1 && complaints[0].contains(expected), "{complaints:#?}\n is not {expected}");
    };
    one("fn f() {\n    a.load(Ordering::Acquire);\n}", "src/a.rs:2: an ordering stronger than Relaxed");
    one("fn f() {\n    a.load(Ordering::Acquire); // SYNC POINT x.y\n}", "src/a.rs:2: SYNC POINT x.y has no partner");
    let twice = "fn f() {\n    a.load(Ordering::Acquire); // SYNC POINT x.y\n";
    one(&format!("{twice}    b.load(Ordering::Acquire); // SYNC POINT x.y\n}}"), "no partner");
    let fine = |text: String| holds(said(&text));
    fine(format!("{twice}    b.store(1, Ordering::Release); // SYNC POINT x.y\n}}"));
    fine(format!("{twice}    // SYNC POINT x.y. And why.\n    b.store(1, Ordering::Release);\n}}"));
    fine(format!("{twice}    self.barrier.heavy(); // SYNC POINT x.y\n}}"));
    fine("fn f() {\n    a.load(Ordering::Relaxed); // Ordering::Acquire\n}".to_owned());
    fine("mod tests {\n    fn f() { a.load(Ordering::Acquire); }\n}".to_owned());
}
