//! Lists the public items of the library, from the JSON that rustdoc writes, in the form of cargo-public-api; counts
//! them; and finds those that nobody can name, and those without an example.
//!
//! `public_api FILE MOST`: the listing is the output. More than MOST items fail, and so does a type in a signature to
//! which no public path leads; so does a trait, a macro, or a type that users make, whose documentation shows no code.

use public_api::tokens::Token;
use public_api::{Builder, PublicApi, PublicItem};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

/// What a reader of the documentation meets: what stands directly in a module.
const KINDS: [&str; 9] = ["struct", "enum", "union", "trait", "macro", "fn", "type", "static", "const"];

/// Traits that only bounds name, with their paths in `__private`: expansions implement the one, and tests without sockets
/// the other.
const PRIVATE: [&str; 2] = ["rust_messenger::routing::roster::Topology", "rust_messenger::messi::net::Net"];

fn main() -> ExitCode {
    match run() {
        Ok(said) => eprintln!("{said}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run() -> Result<String, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, most] = &arguments[..] else { return Err("usage: public_api FILE MOST".into()) };
    let most: usize = most.parse()?;
    let api = Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let mut out = io::stdout().lock();
    for item in api.items() {
        writeln!(out, "{item}")?;
    }
    let hidden = unnameable(&api);
    if !hidden.is_empty() {
        let hidden = Vec::from_iter(hidden).join("\n");
        return Err(format!("these stand in public signatures, and no public path leads to them:\n{hidden}").into());
    }
    let bare = without_example(&api, &serde_json::from_str(&fs::read_to_string(file)?)?);
    if !bare.is_empty() {
        let bare = Vec::from_iter(bare).join("\n");
        return Err(format!("these are made or implemented by users, and show no example:\n{bare}").into());
    }
    let (items, paths) = count(&api);
    if items > most {
        return Err(format!("{items} items, and {most} are enough: what does nobody name?").into());
    }
    Ok(format!("{items} items of at most {most}, at {paths} paths"))
}

/// How many items there are, and at how many paths: one that the crate root re-exports has two.
fn count(api: &PublicApi) -> (usize, usize) {
    let modules: BTreeSet<u32> = api.items().filter(|item| kind(item) == Some("mod")).map(|item| item.id().0).collect();
    let is_free = |item: &&PublicItem| {
        item.parent_id().is_some_and(|parent| modules.contains(&parent.0))
            && kind(item).is_some_and(|kind| KINDS.contains(&kind))
    };
    let mut paths_of: BTreeMap<u32, usize> = BTreeMap::new();
    for item in api.items().filter(is_free) {
        *paths_of.entry(item.id().0).or_default() += 1;
    }
    (paths_of.len(), paths_of.values().sum())
}

/// Traits, macros, and types that users make, whose documentation has no block of code. Users make what has a function
/// that makes it, or a default value to change.
fn without_example(api: &PublicApi, rustdoc: &Value) -> BTreeSet<String> {
    let item_of = |id: &Value| &rustdoc["index"][id.to_string()];
    let is_made = |kind: &str, item: &Value| {
        let implementations = item["inner"][kind]["impls"].as_array().into_iter().flatten();
        implementations.map(|id| &item_of(id)["inner"]["impl"]).any(|implementation| {
            if implementation["trait"].is_null() {
                let mut functions = implementation["items"].as_array().into_iter().flatten().map(item_of);
                functions.any(|function| {
                    let inputs = &function["inner"]["function"]["sig"]["inputs"];
                    function["visibility"] == "public" && inputs.is_array() && inputs[0][0] != "self"
                })
            } else {
                let is_ours_alone = kind == "struct" && item["attrs"].to_string().contains("non_exhaustive");
                implementation["trait"]["path"] == "Default" && !is_ours_alone
            }
        })
    };
    // What stands behind the colon has no public path: nobody else implements it.
    let is_sealed = |item: &Value| {
        let bounds = item["inner"]["trait"]["bounds"].to_string();
        bounds.contains("sealed::") || bounds.contains("Store\"")
    };
    let mut bare = BTreeSet::new();
    for listed in api.items() {
        let item = &rustdoc["index"][listed.id().0.to_string()];
        let wants = match kind(listed) {
            Some("macro") => true,
            Some("trait") => !is_sealed(item),
            Some(kind @ ("struct" | "enum")) => is_made(kind, item),
            _ => false,
        };
        if wants && !item["docs"].as_str().is_some_and(|docs| docs.contains("```")) {
            bare.insert(listed.to_string());
        }
    }
    bare
}

/// The first keyword that says what an item is. `pub const fn` is a function.
fn kind(item: &PublicItem) -> Option<&str> {
    let kinds = || item.tokens().filter(|token| matches!(token, Token::Kind(_))).map(Token::text);
    kinds().find(|kind| *kind == "fn").or_else(|| kinds().next())
}

/// The paths in signatures that no user can write. What stands behind the colon of a trait may be such a path, and so
/// may what its one `impl` for all types asks: it seals the trait.
fn unnameable(api: &PublicApi) -> BTreeSet<String> {
    let (mut listed, mut named) = (BTreeSet::new(), BTreeSet::new());
    for item in api.items() {
        let line = item.to_string();
        let line = without_attributes(&line);
        if is_for_all_types(line) {
            continue;
        }
        let mut signature = line;
        if kind(item) == Some("trait") {
            signature = line.split_once(": ").map_or(line, |(before, _)| before);
        }
        let mut found = paths(signature);
        if line.starts_with("pub ") {
            listed.extend(found.next().map(str::to_owned));
        }
        named.extend(found.map(str::to_owned));
    }
    named.retain(|path| !listed.contains(path) && !PRIVATE.contains(&path.as_str()));
    named
}

fn without_attributes(line: &str) -> &str {
    match line.strip_prefix("#[").and_then(|rest| rest.split_once("] ")) {
        Some((_, rest)) => without_attributes(rest),
        None => line,
    }
}

/// Whether this is `impl<T: ..> Trait for T`.
fn is_for_all_types(line: &str) -> bool {
    line.starts_with("impl<") && line.rsplit_once(" for ").is_some_and(|(_, of)| of.len() == 1)
}

/// The paths into this crate that stand in `text`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .map(|path| path.trim_end_matches(':'))
        .filter(|path| path.starts_with("rust_messenger::"))
}
