//! `rmsg`: looks into the journals and named rings of `rust_messenger`, and draws routing tables.
//!
//! Opens files for reading only and takes no lock, but for `heal`, so it may be used beside a running writer. Knows
//! journals and rings by the library's read-only side, and nothing of their bytes.

#![deny(clippy::print_stdout, clippy::print_stderr)]

#[cfg(unix)]
mod args;
#[cfg(unix)]
mod check;
#[cfg(unix)]
mod contents;
#[cfg(unix)]
mod dead;
#[cfg(unix)]
mod entry;
#[cfg(unix)]
mod failure;
#[cfg(unix)]
mod follow;
#[cfg(unix)]
mod graph;
#[cfg(unix)]
mod heal;
#[cfg(unix)]
mod inspect;
#[cfg(unix)]
mod json;
#[cfg(unix)]
mod meter;
#[cfg(unix)]
mod names;
#[cfg(unix)]
mod opened;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod picture;
#[cfg(unix)]
mod ring;
#[cfg(unix)]
mod scan;
#[cfg(unix)]
mod sequence;
#[cfg(unix)]
mod stat;
#[cfg(unix)]
mod svg;
#[cfg(unix)]
mod top;

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    use clap::Parser;
    use std::io::Write;

    // Ends by itself with 2 if it is called in a wrong way, and with 0 for help.
    let args = args::Args::parse();
    match run(&args) {
        Ok(output::Outcome::Fine) => ExitCode::SUCCESS,
        Ok(output::Outcome::Damaged | output::Outcome::Contradicted | output::Outcome::Left) => ExitCode::from(1),
        // Whoever read the output has seen enough: `rmsg .. | head`.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if that fails.
            let _ = writeln!(std::io::stderr(), "rmsg: error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

#[cfg(unix)]
fn run(args: &args::Args) -> Result<output::Outcome, failure::Failure> {
    use args::{Command, JournalCommand};
    match &args.command {
        Command::Graph(args) => graph::graph(args),
        Command::Stat(args) => stat::stat(args),
        Command::Top(args) => top::top(args),
        Command::Heal(args) => heal::heal(args),
        Command::Journal { command } => match command {
            JournalCommand::Info(args) => inspect::info(args),
            JournalCommand::Cat(args) => inspect::cat(args),
            JournalCommand::Follow(args) => follow::follow(args),
            JournalCommand::Verify(args) => inspect::verify(args),
            JournalCommand::Check(args) => check::check(args),
            JournalCommand::Cursors(args) => inspect::cursors(args),
            JournalCommand::Dead(args) => dead::dead(args),
            JournalCommand::Sequence(args) => sequence::sequence(args),
        },
    }
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    use std::io::Write;

    // Nobody is left to tell if that fails.
    let _ =
        writeln!(std::io::stderr(), "rmsg: error: journals and named rings are for Unix systems only; run it on one");
    ExitCode::from(1)
}
