//! The scripts of `ci/`: each is run, looks, and is known to those who read.

use crate::house::{holds, root};
use std::fs;

/// Scripts that CI does not run by themselves: others call them, they take hours, or they measure.
const NO_CHECKS: &[&str] = &[
    "bench_compare",
    "bench_compile",
    "bench_messi",
    "bench_nats",
    "cargo_tools",
    "corpus",
    "nightly",
    "obtain",
    "soak",
    "tools",
];

/// A script that CI forgets, or that ends well before it has looked, is a check that nobody misses.
#[test]
fn scripts_are_run_and_skip_nothing() {
    let root = root();
    let [run, contributing, workflow] = [".ci/run", "CONTRIBUTING.md", ".github/workflows/ci.yml"]
        .map(|path| fs::read_to_string(root.join(path)).unwrap());
    let list =
        run.split_once("for script in ").and_then(|(_, rest)| rest.split_once(';')).expect("a list of scripts").0;
    let checks: Vec<&str> = list.split(' ').collect();
    let mut complaints = Vec::new();
    if !workflow.contains(&format!("script: [{}]\n", checks.join(", "))) {
        complaints.push(".github/workflows/ci.yml: does not run what .ci/run runs".to_owned());
    }
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
