//! The command line.

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Looks into the journals of rust_messenger, and draws the routing tables in them. Reads only, and may be used while
/// the journal is being written.
#[derive(Debug, Parser)]
#[command(
    name = "rmsg",
    version,
    after_help = "\
Exit codes: 0 fine; 1 damage was found, or the file is no journal or cannot be read; 2 wrong usage.

Examples:
  rmsg journal info bank.journal
  rmsg journal cat --message Deposit bank.journal
  rmsg graph --format svg bank.journal > bank.svg"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is in a journal.
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Draw the routing table that a journal was opened with last: who sends what to whom.
    #[command(after_help = "\
Examples:
  rmsg graph bank.journal                             Mermaid, for documents
  rmsg graph --format dot bank.journal | dot -Tpng    for Graphviz
  rmsg graph --format svg bank.journal > bank.svg     for browsers")]
    Graph(GraphArgs),
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Show what the header says: format, sizes, names.
    #[command(after_help = "\
Examples:
  rmsg journal info bank.journal
  rmsg journal info --format json bank.journal")]
    Info(FileArgs),
    /// Print messages, and what is between them: holes, sealed slots, damaged parts.
    #[command(after_help = "\
Examples:
  rmsg journal cat bank.journal
  rmsg journal cat --source Counter --message Total --payload bank.journal
  rmsg journal cat --from 69632 --limit 10 --format json bank.journal")]
    Cat(CatArgs),
    /// Print new messages as they are committed, until Ctrl-C or --limit. With --from, older ones first.
    #[command(after_help = "\
Examples:
  rmsg journal follow bank.journal
  rmsg journal follow --message Total --limit 1 bank.journal
  rmsg journal follow --from 0 --format json bank.journal")]
    Follow(CatArgs),
    /// Check everything, and print what is damaged. Ends with 1 if anything is.
    #[command(after_help = "\
Examples:
  rmsg journal verify bank.journal
  rmsg journal verify --format json bank.journal")]
    Verify(FileArgs),
    /// Print the named cursors: how far each reader has come.
    #[command(after_help = "\
Examples:
  rmsg journal cursors bank.journal
  rmsg journal cursors --format json bank.journal")]
    Cursors(FileArgs),
    /// Draw who sent what to whom, as a Mermaid sequence diagram. Receivers are those of the routing table in the
    /// header. Mermaid draws some hundred arrows: choose them with --from and --limit.
    #[command(after_help = "\
Examples:
  rmsg journal sequence --limit 20 bank.journal
  rmsg journal sequence --from 69632 --to 73728 bank.journal
  rmsg journal sequence --message Deposit --message Total bank.journal")]
    Sequence(SequenceArgs),
}

#[derive(Arguments, Debug)]
pub struct FileArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// The journal.
    pub file: PathBuf,
}

#[derive(Arguments, Debug)]
pub struct CatArgs {
    #[command(flatten)]
    pub chosen: Chosen,
    /// Show payloads: in text the first 64 bytes in hex and ASCII, in JSON all of it in hex.
    #[arg(long)]
    pub payload: bool,
    /// How to print it; JSON is one object in a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// The journal.
    pub file: PathBuf,
}

#[derive(Arguments, Debug)]
pub struct SequenceArgs {
    #[command(flatten)]
    pub chosen: Chosen,
    /// The journal.
    pub file: PathBuf,
}

#[derive(Arguments, Debug)]
pub struct GraphArgs {
    /// The language to draw it in.
    #[arg(long, value_enum, default_value_t = Picture::Mermaid)]
    pub format: Picture,
    /// The journal.
    pub file: PathBuf,
}

/// Which messages. What is damaged or unfinished is shown wherever it lies in the range: it may have been one of them.
#[derive(Arguments, Debug)]
pub struct Chosen {
    /// Only what this handler sent, by name or number. May be given more than once.
    #[arg(long, value_name = "NAME|ID")]
    pub source: Vec<String>,
    /// Only this message, by name or number. May be given more than once.
    #[arg(long, value_name = "NAME|ID")]
    pub message: Vec<String>,
    /// From this position on.
    #[arg(long, value_name = "POSITION")]
    pub from: Option<u64>,
    /// Before this position.
    #[arg(long, value_name = "POSITION")]
    pub to: Option<u64>,
    /// No more than so many messages.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Picture {
    Mermaid,
    Dot,
    Svg,
}
