//! Habits: where `unsafe`, features, atomics and threads may be, and how a file looks.

use crate::house::{Complaints, EVERYWHERE, File, all, breaks, holds};
use crate::text::{ban, has_word};
use std::iter;

/// Views of mapped bytes, and where `polling` asks for it.
const UNSAFE: &[&str] = &["src/mmap/", "src/message_bus/ring/", "src/message_bus/journal/", "src/messi/net/hub.rs"];

fn rule_unsafe(file: &File) -> Complaints {
    let (code, lines): (Vec<&str>, Vec<&str>) = (file.code.lines().collect(), file.text.lines().collect());
    let mut complaints = Vec::new();
    for (number, line) in code.iter().enumerate().filter(|(_, line)| has_word(line, "unsafe")) {
        if !file.is_in(UNSAFE) {
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

#[test]
fn unsafe_stays_where_it_belongs_and_is_proven() {
    holds(all(&["src/", "tools/", "messi/"], rule_unsafe));
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

/// A feature adds a module or a name. It never takes away, and never changes what is there.
fn rule_features(file: &File) -> Complaints {
    let mut complaints = Vec::new();
    let lines: Vec<&str> = file.text.lines().collect();
    for (number, code) in file.code.lines().enumerate() {
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

#[test]
fn features_only_add() {
    holds(all(EVERYWHERE, rule_features));
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

fn rule_one_door(file: &File) -> Complaints {
    let mut complaints = Vec::new();
    if file.path != "src/sync.rs" {
        let words = ["std::sync::atomic", "core::sync::atomic", "AtomicBool", "AtomicPtr"];
        complaints.extend(ban(file, &words, "atomics come from `crate::sync`, where loom can take their place"));
    }
    // A name is looked up on a thread of its own: the system's resolver waits. A poller that fails sleeps.
    if !file.is_in(&["src/sync.rs", "src/messenger.rs", "src/messenger/handles.rs", "src/messi/net/"]) {
        complaints.extend(ban(
            file,
            &["std::thread"],
            "threads come from `crate::sync`; only the messenger starts any",
        ));
    }
    if !file.is_in(&["src/sync.rs", "src/messenger/lifecycle.rs", "src/message_bus/", "src/mmap/"]) {
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

#[test]
fn atomics_and_threads_have_one_door() {
    holds(all(&["src/"], rule_one_door));
}

#[test]
fn back_doors_are_found() {
    breaks(rule_one_door, "src/messenger/worker.rs", "use std::sync::atomic::AtomicU8;", &["atomics come from"]);
    breaks(rule_one_door, "src/messenger/worker.rs", "std::thread::yield_now();", &["threads come from"]);
    breaks(rule_one_door, "src/messenger/worker.rs", "a.load(Ordering::Acquire);", &["memory orderings"]);
    breaks(rule_one_door, "src/messenger/worker.rs", "a.cmp(&b) == Ordering::Less // Ordering::Acquire", &[]);
    breaks(rule_one_door, "src/message_bus/ring/gate.rs", "a.load(Ordering::Acquire);", &[]);
    breaks(rule_one_door, "src/messenger.rs", "use std::thread;", &[]);
}

/// At most 120 columns, not counting the insides of strings, which rustfmt does not break either, nor addresses.
fn rule_columns(file: &File) -> Complaints {
    let mut complaints = Vec::new();
    for (number, (line, code)) in file.text.lines().zip(file.code.lines().chain(iter::repeat(""))).enumerate() {
        let is_comment = line.trim_start().starts_with("//");
        let columns = if is_comment { line.chars().count() } else { code.chars().count() };
        if columns > 120 && !(is_comment && line.contains("://")) {
            complaints.push(format!("{}:{}: {columns} columns; 120 are the limit", file.path, number + 1));
        }
    }
    complaints
}

#[test]
fn lines_are_short() {
    holds(all(EVERYWHERE, rule_columns));
}

#[test]
fn long_lines_are_found() {
    breaks(rule_columns, "src/a.rs", &format!("a\n{}", "x".repeat(121)), &["a.rs:2: 121 columns"]);
    breaks(rule_columns, "src/a.rs", &format!("// {}", "x".repeat(120)), &["123 columns"]);
    breaks(rule_columns, "src/a.rs", &format!("// <https://a/{}>\nf(\"{0}\")", "x".repeat(120)), &[]);
}

fn rule_says_what_it_is(file: &File) -> Complaints {
    // A crate's page is its README.
    let is_fine = file.text.starts_with("//!") || ["src/lib.rs", "messi/src/lib.rs"].contains(&&*file.path);
    let complaint = || format!("{}:1: begin with `//!` and what the file is for", file.path);
    if is_fine { Vec::new() } else { vec![complaint()] }
}

#[test]
fn files_say_what_they_are() {
    holds(all(EVERYWHERE, rule_says_what_it_is));
}

fn rule_short_examples(file: &File) -> Complaints {
    let lines = file.text.lines().count();
    let complaint = || format!("{}: {lines} lines; a file of an example has less than 150", file.path);
    if lines < 150 { Vec::new() } else { vec![complaint()] }
}

#[test]
fn examples_are_short() {
    holds(all(&["examples/"], rule_short_examples));
}

/// Where a test is about text that is not ASCII.
const BEYOND_ASCII: &[&str] =
    &["tests/bus_contract.rs", "messi/tests/c_messages.rs", "messi/tests/command.rs", "messi/tests/random/wire.rs"];

/// Whoever fills options in reads what holds otherwise where the field is described.
fn rule_defaults(file: &File) -> Complaints {
    // `new` asks for these.
    const GIVEN: &[&str] = &["uri"];
    let mut complaints = Vec::new();
    let (mut described, mut is_options) = (String::new(), false);
    for (number, line) in file.text.lines().enumerate() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            is_options = name.ends_with("Options") || ["Budget", "Retention", "Settings"].contains(&name);
        } else if line.starts_with('}') {
            is_options = false;
        }
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            described.push_str(text);
        } else if !line.starts_with("#[") {
            let field = line.strip_prefix("pub ").and_then(|line| line.split_once(": ")).map(|(name, _)| name);
            let is_said = described.contains("Default: ") || described.contains("(the default)");
            if let Some(field) = field.filter(|field| is_options && !is_said && !GIVEN.contains(field)) {
                complaints.push(format!("{}:{}: the default of `{field}` is not said", file.path, number + 1));
            }
            described.clear();
        }
    }
    complaints
}

#[test]
fn options_say_their_defaults() {
    holds(all(&["src/", "messi/"], rule_defaults));
}

#[test]
fn options_without_defaults_are_found() {
    let bare = "/// Default: none.\npub struct PipeOptions {\n    /// How many.\n    pub many: usize,\n}";
    breaks(rule_defaults, "src/a.rs", bare, &["a.rs:4: the default of `many`"]);
    let other = "pub struct Pipe {\n    /// How many.\n    pub many: usize,\n}";
    breaks(rule_defaults, "src/a.rs", other, &[]);
    let said = "pub struct PipeOptions<P> {\n    /// Where.\n    pub uri: String,\n    /// How many. Default: 7.\n    \
                #[doc(alias = \"count\")]\n    pub many: usize,\n    /// `None` (the default): all.\n    pub some: u8,\n}";
    breaks(rule_defaults, "src/a.rs", said, &[]);
}

fn rule_ascii(file: &File) -> Complaints {
    if BEYOND_ASCII.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate().filter(|(_, line)| !line.is_ascii());
    lines.map(|(number, _)| format!("{}:{}: not ASCII, on purpose?", file.path, number + 1)).collect()
}

#[test]
fn code_is_ascii() {
    holds(all(EVERYWHERE, rule_ascii));
}

#[test]
fn silent_files_long_examples_and_odd_letters_are_found() {
    breaks(rule_says_what_it_is, "src/a.rs", "// A.\n//! B.", &["begin with `//!`"]);
    breaks(rule_says_what_it_is, "src/a.rs", "//! A.", &[]);
    breaks(rule_short_examples, "examples/a.rs", &"a\n".repeat(150), &["150 lines"]);
    breaks(rule_short_examples, "examples/a.rs", &"a\n".repeat(149), &[]);
    breaks(rule_ascii, "src/a.rs", "a\n\u{e4}", &["a.rs:2: not ASCII"]);
}
