//! The house rules of the source, as tests: which file may name which, and habits that no lint knows.
//!
//! A rule is a function from a file's path and text to complaints. The tests at the end feed each rule a snippet that
//! breaks it, so that none of them passes because it looks at nothing. Text is looked at without comments and without
//! what stands in quotes, so that a rule can be talked about where it holds.

// Clippy takes the snippets for comments.
#![allow(clippy::unnecessary_safety_comment)]
#![cfg(not(miri))] // Reads files and text only; there is nothing in it for Miri to find.

use std::path::Path;
use std::{fs, iter};

/// A file: where it is in the repository, and what is in it.
struct File {
    path: String,
    text: String,
}

type Complaints = Vec<String>;

// ---------------------------------------------------------------------------------------------------- reading the code

/// The text with comments and the insides of literals taken out. Lines stay lines.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut at) = (String::new(), 0);
    let keep_lines = |code: &mut String, skipped: &[char]| code.extend(skipped.iter().filter(|&&c| c == '\n'));
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len()),
            ('/', Some('*')) => end_of_block_comment(&chars, at),
            ('"', _) => end_of_string(&chars, at, None),
            ('r', Some('"' | '#')) if starts_raw_string(&chars, at) => {
                let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
                end_of_string(&chars, at + 1 + hashes, Some(hashes))
            }
            ('\'', _) if is_char_literal(&chars, at) => {
                let from = if chars[at + 1] == '\\' { at + 3 } else { at + 2 };
                (from..chars.len()).find(|&i| chars[i] == '\'').map_or(chars.len(), |i| i + 1)
            }
            (other, _) => {
                code.push(other);
                at += 1;
                continue;
            }
        };
        if !chars[at..].starts_with(&['/']) {
            code.push_str("\"\"");
        }
        keep_lines(&mut code, &chars[at..end]);
        at = end;
    }
    code
}

fn end_of_block_comment(chars: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at < chars.len() {
        match chars.get(at..at + 2) {
            Some(['/', '*']) => (depth, at) = (depth + 1, at + 2),
            Some(['*', '/']) if depth == 1 => return at + 2,
            Some(['*', '/']) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

/// Behind the string whose first quote is at `quote`; in a raw one the last quote has `hashes` behind it.
fn end_of_string(chars: &[char], quote: usize, hashes: Option<usize>) -> usize {
    let mut at = quote + 1;
    while at < chars.len() {
        match (chars[at], hashes) {
            ('\\', None) => at += 2,
            ('"', None) => return at + 1,
            ('"', Some(count)) if chars[at + 1..].iter().take(count).filter(|&&c| c == '#').count() == count => {
                return at + 1 + count;
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn starts_raw_string(chars: &[char], at: usize) -> bool {
    let in_a_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b';
    let behind_hashes = chars[at + 1..].iter().find(|&&c| c != '#');
    !in_a_word && behind_hashes == Some(&'"')
}

/// Whether a quote opens a character, not a lifetime.
fn is_char_literal(chars: &[char], at: usize) -> bool {
    chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `line` as a word of its own. A word may be a path.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// A complaint for each line of code in which one of `words` stands.
fn ban(file: &File, words: &[&str], why: &str) -> Complaints {
    let code = code_of(&file.text);
    let mut complaints = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for word in words.iter().filter(|word| has_word(line, word)) {
            complaints.push(format!("{}:{}: `{word}`: {why}", file.path, number + 1));
        }
    }
    complaints
}

// -------------------------------------------------------------------------------------------------------------- floors

/// The parts of the house, each with its floor and those on the same floor that it may name. What is on a lower floor
/// everybody may name. The first that fits a path is the one: a directory ends in a slash.
const PARTS: &[(&str, u8, &[&str])] = &[
    ("src/sync.rs", 0, &[]),
    ("src/blame.rs", 0, &[]),
    ("src/traits.rs", 1, &[]),
    ("src/traits/error.rs", 1, &[]),
    ("src/traits/message.rs", 1, &["src/traits/error.rs"]),
    ("src/traits/time.rs", 1, &["src/traits/error.rs", "src/traits/message.rs"]),
    ("src/traits/bus.rs", 1, &["src/traits/error.rs", "src/traits/message.rs", "src/traits/time.rs"]),
    (
        "src/traits/handler.rs",
        1,
        &["src/traits/error.rs", "src/traits/message.rs", "src/traits/time.rs", "src/traits/bus.rs"],
    ),
    ("src/mmap/", 1, &["src/mmap/"]),
    ("src/encoding/mod.rs", 2, &[]),
    ("src/encoding/", 2, &["src/encoding/mod.rs"]),
    ("src/message_bus/", 2, &["src/message_bus/", "src/routing.rs"]),
    ("src/routing.rs", 2, &[]),
    ("src/messenger/options.rs", 3, &[]),
    ("src/messenger/outcome.rs", 3, &[]),
    ("src/messenger/outbox.rs", 3, &[]),
    ("src/messenger/outbox/tests.rs", 3, &["src/messenger/outbox.rs"]),
    ("src/messenger/lifecycle.rs", 3, &["src/messenger/options.rs", "src/messenger/outcome.rs"]),
    ("src/messenger/outside.rs", 3, &["src/messenger/outcome.rs", "src/messenger/lifecycle.rs"]),
    ("src/messenger/worker/timers.rs", 3, &[]),
    ("src/messenger/worker/unrouted.rs", 3, &["src/messenger/lifecycle.rs"]),
    (
        "src/messenger/worker/writer.rs",
        3,
        &[
            "src/messenger/outcome.rs",
            "src/messenger/outbox.rs",
            "src/messenger/lifecycle.rs",
            "src/messenger/worker/timers.rs",
        ],
    ),
    ("src/messenger/worker/loops.rs", 3, &["src/messenger/worker/writer.rs"]),
    (
        "src/messenger/worker/poller.rs",
        3,
        &["src/messenger/outcome.rs", "src/messenger/lifecycle.rs", "src/messenger/worker/writer.rs"],
    ),
    (
        "src/messenger/worker.rs",
        3,
        &["src/messenger/outcome.rs", "src/messenger/outbox.rs", "src/messenger/lifecycle.rs"],
    ),
    (
        "src/messenger/worker/model.rs",
        3,
        &[
            "src/messenger/options.rs",
            "src/messenger/outcome.rs",
            "src/messenger/lifecycle.rs",
            "src/messenger/worker.rs",
        ],
    ),
    (
        "src/messenger/handles.rs",
        3,
        &["src/messenger/outcome.rs", "src/messenger/lifecycle.rs", "src/messenger/worker.rs"],
    ),
    ("src/messenger.rs", 3, &[]),
    ("src/macro.rs", 3, &["src/messenger.rs"]),
    ("src/messi/", 3, &["src/messi/", "src/messenger/options.rs", "src/messenger.rs"]),
];

fn part_of(path: &str) -> Option<&'static (&'static str, u8, &'static [&'static str])> {
    PARTS.iter().find(|(part, ..)| path == *part || (part.ends_with('/') && path.starts_with(part)))
}

/// Every path in the code that begins at the crate or at a parent: the line and the segments from the crate on.
fn paths_of(file: &File) -> Vec<(usize, Vec<String>)> {
    let code: Vec<char> = code_of(&file.text).chars().collect();
    // The modules around the place: the file's own, then those written in it, with the depth of their braces.
    let own = module_of(&file.path);
    let mut inner: Vec<(String, usize)> = Vec::new();
    let (mut paths, mut depth, mut line, mut at) = (Vec::new(), 0_usize, 1, 0);
    let mut previous = String::new();
    while at < code.len() {
        let c = code[at];
        if is_word(c) && !(at > 0 && is_word(code[at - 1])) {
            let word: String = code[at..].iter().take_while(|&&c| is_word(c)).collect();
            let behind = at + word.chars().count();
            if matches!(word.as_str(), "crate" | "super")
                && starts_with(&code, behind, "::")
                && !is_qualified(&code, at)
            {
                let around: Vec<String> =
                    own.iter().cloned().chain(inner.iter().map(|(name, _)| name.clone())).collect();
                for path in expand(&code, at) {
                    paths.push((line, resolve(&path, &around)));
                }
            }
            if previous == "mod" && code[behind..].iter().find(|c| !c.is_whitespace()) == Some(&'{') {
                inner.push((word.clone(), depth));
            }
            previous = word;
            at = behind;
            continue;
        }
        match c {
            '\n' => line += 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                inner.retain(|&(_, at)| at < depth);
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

fn starts_with(code: &[char], at: usize, text: &str) -> bool {
    text.chars().enumerate().all(|(i, c)| code.get(at + i) == Some(&c))
}

/// Whether the word is a later part of a path, as in `self::super`, or of a visibility, as in `pub(super)`.
fn is_qualified(code: &[char], at: usize) -> bool {
    at >= 2 && code[at - 2..at] == [':', ':']
}

/// The paths of a use tree, or the one path, that begins at `at`.
fn expand(code: &[char], at: usize) -> Vec<Vec<String>> {
    let mut at = at;
    let mut segments = Vec::new();
    loop {
        while code.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        match code.get(at) {
            Some('{') => {
                let (mut paths, mut depth, mut from) = (Vec::new(), 0, at + 1);
                for end in at..code.len() {
                    match code[end] {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if (depth == 1 && code[end] == ',') || depth == 0 {
                        for rest in expand(&code[..end], from) {
                            paths.push(segments.iter().cloned().chain(rest).collect());
                        }
                        from = end + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
                return paths;
            }
            Some('*') => {
                segments.push("*".to_owned());
                return vec![segments];
            }
            Some(&c) if is_word(c) => {
                let word: String = code[at..].iter().take_while(|&&c| is_word(c) || c == '#').collect();
                at += word.chars().count();
                segments.push(word.trim_start_matches("r#").to_owned());
            }
            _ => return if segments.is_empty() { Vec::new() } else { vec![segments] },
        }
        if !starts_with(code, at, "::") {
            return vec![segments];
        }
        at += 2;
    }
}

fn module_of(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if inside == "lib" { Vec::new() } else { inside.split('/').map(str::to_owned).collect() }
}

/// The path from the crate on, for a path found in the module `around`.
fn resolve(path: &[String], around: &[String]) -> Vec<String> {
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    let base = if supers == 0 { &[] } else { &around[..around.len().saturating_sub(supers)] };
    base.iter().chain(&path[supers.max(1)..]).cloned().collect()
}

/// The file in which a path ends: the longest part of it that is a module. Names at the root are looked up in lib.rs.
fn target_of<'a>(path: &[String], files: &'a [File]) -> Option<&'a str> {
    let lib = || files.iter().find(|file| file.path == "src/lib.rs");
    for end in (1..=path.len()).rev() {
        let found = files.iter().find(|file| module_of(&file.path) == path[..end]);
        if let Some(file) = found {
            return Some(&file.path);
        }
    }
    // `crate::Name`, where lib.rs has `pub use module::Name`.
    let name = path.first()?;
    let code: Vec<char> = code_of(&lib()?.text).chars().collect();
    let text: String = code.iter().collect();
    let uses = text.match_indices("pub use ").map(|(at, found)| text[..at + found.len()].chars().count());
    uses.flat_map(|at| expand(&code, at))
        .find(|used| used.len() > 1 && used.last() == Some(name))
        .and_then(|used| target_of(&used, files))
}

fn rule_floors(files: &[File]) -> Complaints {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("src/") && file.path != "src/lib.rs") {
        let Some(&(part, floor, friends)) = part_of(&file.path) else {
            complaints.push(format!("{}: on no floor: give it a place in `PARTS`, tests/tidy.rs", file.path));
            continue;
        };
        for (line, path) in paths_of(file) {
            let Some(target) = target_of(&path, files) else { continue };
            let Some(&(target_part, target_floor, _)) = part_of(target) else { continue };
            if target == file.path || target_floor < floor || friends.contains(&target_part) {
                continue;
            }
            let verdict = if target_floor > floor { "goes up" } else { "goes to a neighbour that is no friend" };
            complaints.push(format!(
                "{}:{line}: `{}` {verdict}: {part} is on floor F{floor}, {target_part} on F{target_floor}. A file names \
                 what is on the floors below its own, and its friends: {friends:?}",
                file.path,
                path.join("::"),
            ));
        }
    }
    complaints
}

/// What single files must not know, beyond the floors.
fn rule_ignorance(file: &File) -> Complaints {
    let buses =
        ["CircularBus", "PersistentBus", "CondvarBus", "OneWriter", "ManyWriters", "RingOptions", "message_bus"];
    let codecs = ["serde", "postcard", "bincode", "prost", "zerocopy", "encoding"];
    match file.path.as_str() {
        "src/messenger/worker/model.rs" => Vec::new(),
        path if path == "src/messenger.rs" || path.starts_with("src/messenger/") => {
            ban(file, &buses, "runs on any bus, and names none")
        }
        path if path == "src/traits.rs" || path.starts_with("src/traits/") => {
            let mut complaints = ban(file, &buses, "the vocabulary names no bus");
            complaints.extend(ban(file, &["mmap", "memmap2", "Region"], "the vocabulary names no mapping"));
            complaints.extend(ban(file, &["thread"], "the vocabulary names no thread"));
            complaints.extend(ban(file, &codecs, "the vocabulary names no codec"));
            complaints
        }
        path if path.starts_with("src/mmap/") => {
            ban(file, &["Header", "Message", "Payload", "Space", "traits"], "mapped bytes know nothing of messages")
        }
        path if path.starts_with("src/encoding/") && path != "src/encoding/mod.rs" => {
            let own: &[&str] = match path.trim_start_matches("src/encoding/") {
                "postcard.rs" => &["postcard", "serde"],
                "bincode.rs" => &["bincode", "serde"],
                "prost.rs" => &["prost"],
                "zero_copy.rs" => &["zerocopy", "zero_copy"],
                _ => &[],
            };
            let others = ["serde", "postcard", "bincode", "prost", "zerocopy", "zero_copy"];
            let others: Vec<&str> = others.into_iter().filter(|name| !own.contains(name)).collect();
            ban(file, &others, "encodings don't know each other")
        }
        "src/messi/wire.rs" => {
            ban(file, &["std::io", "std::net", "polling"], "frames are bytes: no input or output here")
        }
        "src/messi/connection.rs" => ban(file, &["std::net", "TcpStream", "polling"], "the protocol knows no socket"),
        _ => Vec::new(),
    }
}

// -------------------------------------------------------------------------------------------------------------- habits

/// Views of mapped bytes, and where `polling` asks for it.
const UNSAFE: &[&str] = &["src/mmap/", "src/message_bus/ring/slot.rs", "src/messi/net.rs"];

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

fn rule_unsafe(file: &File) -> Complaints {
    let code = code_of(&file.text);
    let (code, lines): (Vec<&str>, Vec<&str>) = (code.lines().collect(), file.text.lines().collect());
    let mut complaints = Vec::new();
    for (number, line) in code.iter().enumerate().filter(|(_, line)| has_word(line, "unsafe")) {
        if !is_in(&file.path, UNSAFE) {
            let place = format!("{}:{}", file.path, number + 1);
            complaints.push(format!("{place}: `unsafe` lives in {UNSAFE:?}, nowhere else"));
        }
        let is_declared = line.contains("unsafe fn") || line.contains("unsafe trait") || line.contains("unsafe extern");
        // Up to the comment above the statement that this line belongs to.
        let mut above = number;
        while above > 0 && !lines[above].trim_start().starts_with("//") {
            let before = code[above - 1].trim_end();
            let ends_a_statement = before.ends_with([';', '{', '}']) && above != number + 1;
            if ends_a_statement && !lines[above - 1].contains("// SAFETY:") {
                break;
            }
            above -= 1;
        }
        let comment: Vec<&str> =
            lines[..=above].iter().rev().copied().take_while(|line| line.trim_start().starts_with("//")).collect();
        let is_proven = comment.iter().any(|line| line.contains("SAFETY:")) || lines[above].contains("SAFETY:");
        if !is_declared && !is_proven {
            let place = format!("{}:{}", file.path, number + 1);
            complaints.push(format!("{place}: `unsafe` without a `// SAFETY:` comment above it"));
        }
    }
    complaints
}

/// A feature adds a module or a name. It never takes away, and never changes what is there.
fn rule_features(file: &File) -> Complaints {
    let mut complaints = Vec::new();
    let lines: Vec<&str> = file.text.lines().collect();
    for (number, code) in code_of(&file.text).lines().enumerate() {
        if !["cfg", "cfg_attr"].iter().any(|word| has_word(code, word)) {
            continue;
        }
        // As it stands in the file: the name of a feature is a string.
        let line = lines[number].trim();
        let place = format!("{}:{}", file.path, number + 1);
        let squeezed: String = line.split_whitespace().collect();
        if squeezed.contains("not(feature")
            || squeezed.contains("not(any(feature")
            || squeezed.contains("not(all(feature")
        {
            complaints.push(format!("{place}: `cfg(not(feature ..))`: a feature adds, it never takes away"));
        } else if squeezed.contains("feature=") && file.path.starts_with("src/") {
            let next = lines[number + 1..].iter().map(|line| line.trim()).find(|line| !line.starts_with("#["));
            let adds = next.is_some_and(|line| {
                ["mod ", "pub mod ", "pub(crate) mod ", "pub use "].iter().any(|start| line.starts_with(start))
            });
            if !adds || line.starts_with("#!") {
                complaints.push(format!("{place}: a feature stands before `mod` and `pub use`, nowhere else"));
            }
        }
    }
    complaints
}

fn rule_one_door(file: &File) -> Complaints {
    let mut complaints = Vec::new();
    if file.path != "src/sync.rs" {
        let words = ["std::sync::atomic", "core::sync::atomic", "AtomicBool", "AtomicPtr"];
        complaints.extend(ban(file, &words, "atomics come from `crate::sync`, where loom can take their place"));
    }
    // A name is looked up on a thread of its own: the system's resolver waits.
    if !["src/sync.rs", "src/messenger.rs", "src/messenger/handles.rs", "src/messi/net.rs"]
        .contains(&file.path.as_str())
    {
        complaints.extend(ban(
            file,
            &["std::thread"],
            "threads come from `crate::sync`; only the messenger starts any",
        ));
    }
    if !is_in(&file.path, &["src/sync.rs", "src/messenger/lifecycle.rs", "src/message_bus/", "src/mmap/"]) {
        let words =
            ["Ordering::Relaxed", "Ordering::Acquire", "Ordering::Release", "Ordering::AcqRel", "Ordering::SeqCst"];
        complaints.extend(ban(
            file,
            &words,
            "memory orderings are chosen in sync.rs, messenger/lifecycle.rs, message_bus/ and mmap/",
        ));
    }
    complaints
}

fn rule_no_leftovers(file: &File) -> Complaints {
    let code = code_of(&file.text);
    let mut complaints = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for name in ["todo", "unimplemented", "dbg", "println", "print", "eprintln", "eprint"] {
            if has_word(line, name) && line.contains(&format!("{name}!")) {
                let place = format!("{}:{}", file.path, number + 1);
                complaints.push(format!("{place}: `{name}!` is for while one works; a library prints nothing"));
            }
        }
    }
    complaints
}

/// Where time itself is what is tested, and not what is waited for.
const SLEEPERS: &[(&str, &str)] = &[
    ("tests/support/mod.rs", "`wait_until` itself"),
    ("src/messi/net.rs", "a poller that always fails must not make a hot loop"),
    ("tests/idle.rs", "measures what a messenger uses while nothing happens"),
    ("tests/messi_idle.rs", "measures what a bridge uses while nothing happens"),
    ("tests/messi_net.rs", "peers that take their time are part of the plan"),
    ("tests/bus_contract.rs", "measures what a reader uses while nothing happens"),
    ("tests/flood.rs", "a handler that takes its time is part of the plan"),
    ("tests/messenger.rs", "a handler that takes its time is part of the plan"),
];

fn rule_no_sleep(file: &File) -> Complaints {
    if SLEEPERS.iter().any(|(path, _)| file.path == *path) {
        return Vec::new();
    }
    ban(file, &["thread::sleep", "sleep_ms"], "wait for what is to happen, with a deadline: `support::wait_until`")
}

/// At most 120 columns, not counting the insides of strings, which rustfmt does not break either, nor addresses.
fn rule_columns(file: &File) -> Complaints {
    let code = code_of(&file.text);
    let mut complaints = Vec::new();
    for (number, (line, code)) in file.text.lines().zip(code.lines().chain(iter::repeat(""))).enumerate() {
        let is_comment = line.trim_start().starts_with("//");
        let columns = if is_comment { line.chars().count() } else { code.chars().count() };
        if columns > 120 && !(is_comment && line.contains("://")) {
            complaints.push(format!("{}:{}: {columns} columns; 120 are the limit", file.path, number + 1));
        }
    }
    complaints
}

fn rule_says_what_it_is(file: &File) -> Complaints {
    // A crate's page is its README.
    let is_fine = file.text.starts_with("//!") || ["src/lib.rs", "messi/src/lib.rs"].contains(&&*file.path);
    let complaint = || format!("{}:1: begin with `//!` and what the file is for", file.path);
    if is_fine { Vec::new() } else { vec![complaint()] }
}

fn rule_short_examples(file: &File) -> Complaints {
    let lines = file.text.lines().count();
    let complaint = || format!("{}: {lines} lines; a file of an example has less than 150", file.path);
    if lines < 150 { Vec::new() } else { vec![complaint()] }
}

/// Where a test is about text that is not ASCII.
const BEYOND_ASCII: &[&str] =
    &["tests/bus_contract.rs", "messi/tests/c_messages.rs", "messi/tests/command.rs", "messi/tests/random/wire.rs"];

fn rule_ascii(file: &File) -> Complaints {
    if BEYOND_ASCII.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate().filter(|(_, line)| !line.is_ascii());
    lines.map(|(number, _)| format!("{}:{}: not ASCII, on purpose?", file.path, number + 1)).collect()
}

// ---------------------------------------------------------------------------------------------------------- the house

/// How a file begins that was generated, and is as it is.
const GENERATED: &str = "// Made by `messi ";

/// All Rust files below a directory of the repository that somebody wrote.
fn files_in(directory: &str) -> Vec<File> {
    fn walk(directory: &Path, root: &Path, files: &mut Vec<File>) {
        let mut entries: Vec<_> =
            directory.read_dir().expect("a directory").map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, root, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                let text = fs::read_to_string(&path).unwrap();
                if !text.starts_with(GENERATED) {
                    files.push(File { path: name, text });
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join(directory), root, &mut files);
    assert!(!files.is_empty(), "nothing in {directory}: a rule would hold for lack of files");
    files
}

#[track_caller]
fn holds(complaints: Complaints) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn all(directories: &[&str], rule: fn(&File) -> Complaints) -> Complaints {
    directories.iter().flat_map(|directory| files_in(directory)).flat_map(|file| rule(&file)).collect()
}

#[test]
fn nothing_goes_up() {
    holds(rule_floors(&files_in("src")));
}

#[test]
fn nobody_knows_more_than_it_must() {
    holds(all(&["src"], rule_ignorance));
}

#[test]
fn unsafe_stays_where_it_belongs_and_is_proven() {
    holds(all(&["src", "tools", "messi"], rule_unsafe));
}

#[test]
fn features_only_add() {
    holds(all(&["src", "tests", "examples", "tools", "messi"], rule_features));
}

#[test]
fn atomics_and_threads_have_one_door() {
    holds(all(&["src"], rule_one_door));
}

#[test]
fn nothing_is_left_over() {
    holds(all(&["src", "tools", "messi/src"], rule_no_leftovers));
}

#[test]
fn nobody_sleeps() {
    holds(all(&["src", "tests", "tools", "messi"], rule_no_sleep));
}

#[test]
fn lines_are_short() {
    holds(all(&["src", "tests", "examples", "tools", "messi"], rule_columns));
}

#[test]
fn files_say_what_they_are() {
    holds(all(&["src", "tests", "examples", "tools", "messi"], rule_says_what_it_is));
}

#[test]
fn examples_are_short() {
    holds(all(&["examples"], rule_short_examples));
}

#[test]
fn code_is_ascii() {
    holds(all(&["src", "tests", "examples", "tools", "messi"], rule_ascii));
}

/// Scripts that CI does not run by themselves: others call them, they take hours, or they measure.
const NO_CHECKS: &[&str] = &["bench_compare", "bench_messi", "cargo_tools", "nightly", "soak", "tools"];

/// A script that CI forgets, or that ends well before it has looked, is a check that nobody misses.
#[test]
fn scripts_are_run_and_skip_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [run, contributing] = [".ci/run", "CONTRIBUTING.md"].map(|path| fs::read_to_string(root.join(path)).unwrap());
    let list =
        run.split_once("for script in ").and_then(|(_, rest)| rest.split_once(';')).expect("a list of scripts").0;
    let checks: Vec<&str> = list.split(' ').collect();
    let mut complaints = Vec::new();
    for entry in root.join("ci").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_none_or(|extension| extension != "sh") {
            continue;
        }
        if checks.contains(&name) == NO_CHECKS.contains(&name) {
            complaints.push(format!("ci/{name}.sh: .ci/run runs it, or NO_CHECKS names it"));
        }
        if fs::read_to_string(&path).unwrap().contains("exit 0") {
            complaints.push(format!("ci/{name}.sh: ends well without having looked"));
        }
        if !contributing.contains(&format!("`ci/{name}.sh")) {
            complaints.push(format!("ci/{name}.sh: CONTRIBUTING.md does not know it"));
        }
    }
    holds(complaints);
}

// ------------------------------------------------------------------------------------------------ rules can be broken

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

/// That a rule says each of `expected` about a file, in this order, and nothing else.
#[track_caller]
fn breaks(rule: fn(&File) -> Complaints, path: &str, text: &str, expected: &[&str]) {
    let complaints = rule(&file(path, text));
    let is_said = complaints.len() == expected.len()
        && complaints.iter().zip(expected).all(|(complaint, part)| complaint.contains(part));
    assert!(is_said, "{complaints:#?}\n is not {expected:#?}");
}

#[test]
fn reading_leaves_out_comments_and_literals() {
    let text = "a // b\n/* c /* d */ e */ f \"g // \\\" h\" 'i' '\\'' 'j r#\"k \" l\"# br\"m\" r#n";
    let words: Vec<String> =
        code_of(text).split(|c| !is_word(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    assert_eq!(words, ["a", "f", "j", "b", "r", "n"]);
    assert_eq!(code_of(text).lines().count(), text.lines().count());
}

/// A small house with one mistake in it.
fn house(path: &str, text: &str) -> Complaints {
    let mut files = vec![
        file("src/lib.rs", "pub use message_bus::{CircularBus, OneWriter};\npub use traits::{\n    Message,\n};"),
        file("src/sync.rs", ""),
        file("src/traits.rs", ""),
        file("src/mmap/mod.rs", ""),
        file("src/encoding/mod.rs", ""),
        file("src/encoding/bincode.rs", ""),
        file("src/encoding/prost.rs", ""),
        file("src/message_bus/mod.rs", ""),
        file("src/message_bus/slot.rs", ""),
        file("src/routing.rs", ""),
        file("src/messenger/worker.rs", ""),
        file("src/messenger/lifecycle.rs", ""),
        file("src/messenger.rs", ""),
    ];
    files.retain(|file| file.path != path);
    files.push(file(path, text));
    rule_floors(&files)
}

#[test]
fn an_edge_that_goes_up_is_found() {
    let one = |path: &str, text: &str, expected: &str| {
        let complaints = house(path, text);
        assert!(complaints.len() == 1 && complaints[0].contains(expected), "{complaints:#?}\n is not {expected}");
    };
    one("src/traits.rs", "\nuse crate::message_bus::slot::Ring;", "src/traits.rs:2: `message_bus::slot::Ring` goes up");
    one("src/traits.rs", "use crate::{sync::fence, message_bus::{slot}};", "`message_bus::slot` goes up");
    one("src/traits.rs", "fn f(x: &crate::routing::Table) {}", "F1, src/routing.rs on F2");
    one("src/traits.rs", "use crate::CircularBus;", "`CircularBus` goes up");
    one("src/sync.rs", "mod door { use super::super::traits::Header; }", "`traits::Header` goes up");
    one("src/message_bus/slot.rs", "use super::super::messenger;", "`messenger` goes up");
    one("src/mmap/mod.rs", "use crate::traits::Header;", "a neighbour that is no friend");
    one("src/encoding/prost.rs", "use super::bincode::size;", "a neighbour that is no friend");
    one("src/encoding/prost.rs", "macro_rules! m { () => { $crate::messenger::new() } }", "`messenger::new` goes up");
    one("src/attic.rs", "", "src/attic.rs: on no floor");
}

#[test]
fn edges_that_go_down_or_stay_among_friends_are_fine() {
    let fine = |path: &str, text: &str| holds(house(path, text));
    fine("src/messenger/worker.rs", "use crate::messenger::lifecycle::Phase; use crate::{traits, sync::lock};");
    fine("src/message_bus/slot.rs", "use super::gate::Gate; use crate::mmap::Region; mod a { use super::Ring; }");
    fine("src/encoding/prost.rs", "use super::write_into; use crate::Message;");
    fine(
        "src/traits.rs",
        "// crate::messenger\n/// [`b`](crate::messenger::Messenger)\nconst A: &str = \"crate::messenger\";",
    );
    fine("src/traits.rs", "mod a { mod b {} use super::c; } pub(crate) fn d() {} use std::super_thing;");
}

#[test]
fn knowing_too_much_is_found() {
    breaks(rule_ignorance, "src/messenger.rs", "fn a() { CircularBus::new() }", &["runs on any bus"]);
    breaks(rule_ignorance, "src/traits.rs", "use std::thread;\nfn a(b: Region) {}", &["no mapping", "no thread"]);
    breaks(rule_ignorance, "src/traits.rs", "fn a<T: serde::Serialize>() {}", &["no codec"]);
    breaks(rule_ignorance, "src/mmap/mod.rs", "fn a(header: Header) {}", &["nothing of messages"]);
    breaks(rule_ignorance, "src/encoding/prost.rs", "use ::bincode::Options;", &["don't know each other"]);
    breaks(rule_ignorance, "src/encoding/bincode.rs", "use ::bincode::Options; use ::serde::Serialize;", &[]);
    breaks(rule_ignorance, "src/messi/wire.rs", "use std::io::Read;", &["no input or output"]);
    breaks(rule_ignorance, "src/messi/connection.rs", "use std::net::TcpStream;", &["no socket", "no socket"]);
}

#[test]
fn unproven_and_misplaced_unsafe_is_found() {
    breaks(rule_unsafe, "src/messenger/worker.rs", "// SAFETY: so.\nunsafe { a() }", &["lives in"]);
    breaks(rule_unsafe, "src/mmap/mod.rs", "fn a() {\n    unsafe { b() }\n}", &["mod.rs:2: `unsafe` without"]);
    breaks(rule_unsafe, "src/mmap/mod.rs", "// SAFETY: so.\nlet a = 1;\nlet b = unsafe { c() };", &["without"]);
    breaks(rule_unsafe, "src/mmap/mod.rs", "unsafe impl Send for A {}", &["without"]);
    let proven =
        "// SAFETY: of two\n// lines.\n#[inline]\nlet a =\n    unsafe { b() };\n// unsafe\n#![deny(unsafe_code)]";
    breaks(rule_unsafe, "src/mmap/mod.rs", proven, &[]);
    breaks(rule_unsafe, "src/message_bus/ring/slot.rs", "/// # Safety\npub unsafe fn a() {}", &[]);
}

#[test]
fn subtracting_features_are_found() {
    breaks(rule_features, "src/a.rs", "#[cfg(not(feature = \"x\"))]\nmod a;", &["never takes away"]);
    breaks(rule_features, "tests/a.rs", "#![cfg(not( feature = \"x\"))]", &["never takes away"]);
    breaks(rule_features, "src/a.rs", "#[cfg(feature = \"x\")]\nfn a() {}", &["a.rs:1: a feature stands before"]);
    breaks(rule_features, "src/a.rs", "if cfg!(feature = \"x\") {}", &["a feature stands before"]);
    breaks(rule_features, "src/a.rs", "#[cfg(feature = \"x\")]\n#[doc(hidden)]\npub mod a;\n// cfg(feature =", &[]);
    breaks(rule_features, "tests/a.rs", "#[cfg(feature = \"x\")]\nfn a() {}", &[]);
}

#[test]
fn back_doors_are_found() {
    breaks(rule_one_door, "src/messenger/worker.rs", "use std::sync::atomic::AtomicU8;", &["atomics come from"]);
    breaks(rule_one_door, "src/messenger/worker.rs", "std::thread::yield_now();", &["threads come from"]);
    breaks(rule_one_door, "src/messenger/worker.rs", "a.load(Ordering::Acquire);", &["memory orderings"]);
    breaks(rule_one_door, "src/messenger/worker.rs", "a.cmp(&b) == Ordering::Less // Ordering::Acquire", &[]);
    breaks(rule_one_door, "src/message_bus/gate.rs", "a.load(Ordering::Acquire);", &[]);
    breaks(rule_one_door, "src/messenger.rs", "use std::thread;", &[]);
}

#[test]
fn leftovers_are_found() {
    breaks(rule_no_leftovers, "src/a.rs", "todo!();\ndbg!(a);\nprintln!();", &["a.rs:1", "a.rs:2", "a.rs:3"]);
    breaks(rule_no_leftovers, "src/a.rs", "// todo!()\n/// println!()\nlet print = \"dbg!\"; a.print();", &[]);
}

#[test]
fn sleeping_is_found() {
    breaks(rule_no_sleep, "tests/a.rs", "std::thread::sleep(a);", &["wait for what is to happen"]);
    breaks(rule_no_sleep, "tests/a.rs", "// thread::sleep\nlet sleep = 1;", &[]);
}

#[test]
fn long_lines_are_found() {
    breaks(rule_columns, "src/a.rs", &format!("a\n{}", "x".repeat(121)), &["a.rs:2: 121 columns"]);
    breaks(rule_columns, "src/a.rs", &format!("// {}", "x".repeat(120)), &["123 columns"]);
    breaks(rule_columns, "src/a.rs", &format!("// <https://a/{}>\nf(\"{0}\")", "x".repeat(120)), &[]);
}

#[test]
fn silent_files_long_examples_and_odd_letters_are_found() {
    breaks(rule_says_what_it_is, "src/a.rs", "// A.\n//! B.", &["begin with `//!`"]);
    breaks(rule_says_what_it_is, "src/a.rs", "//! A.", &[]);
    breaks(rule_short_examples, "examples/a.rs", &"a\n".repeat(150), &["150 lines"]);
    breaks(rule_short_examples, "examples/a.rs", &"a\n".repeat(149), &[]);
    breaks(rule_ascii, "src/a.rs", "a\n\u{e4}", &["a.rs:2: not ASCII"]);
}
