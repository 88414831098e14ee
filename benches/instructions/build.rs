//! Writes the routes of long tables, which nobody wants to read.

use std::fmt::Write;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let mut tables = String::new();
    for count in [1, 64, 1000] {
        write!(
            tables,
            "rust_messenger::Messenger! {{ type Routes{count}; Seen, Only: handlers: [ sink: Sink ] routes: ["
        )
        .expect("room");
        for source in 1..=count {
            write!(tables, "Source<{source}>, Tick: [ sink ],").expect("room");
        }
        writeln!(tables, "] }}").expect("room");
    }
    let directory = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo's"));
    std::fs::write(directory.join("routes.rs"), tables).expect("a file");
}
