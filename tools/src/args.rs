//! The command line.

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Looks into the journals and the named rings of rust_messenger, and draws routing tables. But for `heal` it only
/// reads, and may be used while others write.
#[derive(Debug, Parser)]
#[command(
    name = "rmsg",
    version,
    after_help = "\
Exit codes: 0 fine; 1 damage was found, a table contradicts the journal, not all could be healed, or the file is not \
what it should be or cannot be read; 2 wrong usage.

Examples:
  rmsg journal info bank.journal
  rmsg journal cat --message Deposit bank.journal
  rmsg graph --format svg bank.journal > bank.svg
  rmsg top /dev/shm/orders.ring"
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
    /// Show a named ring as it is now: who is attached, how far each reader is behind, what each writer has written.
    /// Attaches nothing; those who use the ring do not notice.
    #[command(after_help = "\
Examples:
  rmsg stat /dev/shm/orders.ring
  rmsg stat --format json /dev/shm/orders.ring")]
    Stat(StatArgs),
    /// The same, live, with rates. Ends with q.
    #[command(after_help = "\
Examples:
  rmsg top /dev/shm/orders.ring
  rmsg top --every 0.1 /dev/shm/orders.ring
  rmsg top --once --format json /dev/shm/orders.ring    for scripts
  rmsg top --format json /dev/shm/orders.ring           a line a second, until Ctrl-C")]
    Top(TopArgs),
    /// Give back what dead processes held of a named ring: places of readers and writers, messages that they had not
    /// finished, the lock. Programs on the ring do this themselves when they need it. Ends with 1 if something is left.
    #[command(after_help = "\
Examples:
  rmsg heal /dev/shm/orders.ring
  rmsg heal --format json /dev/shm/orders.ring")]
    Heal(StatArgs),
}

#[derive(Arguments, Debug)]
pub struct StatArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// The ring.
    pub file: PathBuf,
}

#[derive(Arguments, Debug)]
pub struct TopArgs {
    /// Look twice, print what was seen, and end.
    #[arg(long)]
    pub once: bool,
    /// So many seconds between two looks: 0.01 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub every: Duration,
    /// How to print it; svg wants --once.
    #[arg(long, value_enum, default_value_t = TopFormat::Text)]
    pub format: TopFormat,
    /// The ring.
    pub file: PathBuf,
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or("a number from 0.01 to 3600 is expected")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopFormat {
    Text,
    Json,
    Svg,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Show what the header says: format, sizes, names.
    #[command(after_help = "\
Examples:
  rmsg journal info bank.journal
  rmsg journal info --format json bank.journal")]
    Info(FileArgs),
    /// Print messages, and what is between them: holes, sealed slots, damaged parts. What the journal knows of a
    /// message's fields is printed as JSON; those of prost need their .proto file.
    #[command(after_help = "\
Examples:
  rmsg journal cat bank.journal
  rmsg journal cat --source Counter --message Total --payload bank.journal
  rmsg journal cat --proto bank.proto --message Deposit=bank.v1.Deposit bank.journal
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
    /// Say before a deploy whether a program's routing table contradicts the journal, which would then refuse to open.
    /// Ends with 1 if it does.
    #[command(after_help = "\
The text of a table is what `Table::to_text()` returns. Have the program write it: `Messenger::table().to_text()`.

Examples:
  rmsg journal check bank.journal bank.table
  rmsg journal check --renamed Purchase=Order bank.journal bank.table")]
    Check(CheckArgs),
    /// Print the named cursors: how far each reader has come.
    #[command(after_help = "\
Examples:
  rmsg journal cursors bank.journal
  rmsg journal cursors --format json bank.journal")]
    Cursors(FileArgs),
    /// Print the messages that workers gave up, by their letters: why, whether they were requeued, and what is in them.
    /// The options choose among those messages.
    #[command(after_help = "\
Examples:
  rmsg journal dead bank.journal
  rmsg journal dead --message Deposit --payload bank.journal
  rmsg journal dead --format json bank.journal")]
    Dead(CatArgs),
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
    /// The .proto file of prost messages; it imports others from its own directory. A message is read by the type of
    /// its name, or by the one that --message NAME=TYPE gives it.
    #[arg(long, value_name = "FILE")]
    pub proto: Option<PathBuf>,
    /// How to print it; JSON is one object in a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// The journal.
    pub file: PathBuf,
}

#[derive(Arguments, Debug)]
pub struct CheckArgs {
    /// A message or handler that has another name now, as the program says with `PersistentOptions::renamed`. May be
    /// given more than once.
    #[arg(long, value_name = "OLD=NEW", value_parser = renamed)]
    pub renamed: Vec<(String, String)>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// The journal.
    pub file: PathBuf,
    /// The text of the routing table.
    pub table: PathBuf,
}

fn renamed(text: &str) -> Result<(String, String), &'static str> {
    let (old, new) = text.split_once('=').ok_or("two names are expected, OLD=NEW")?;
    Ok((old.to_owned(), new.to_owned()))
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
    /// Only this message, by name or number; with --proto also the type of its payload, as in Order=shop.v1.Order. May
    /// be given more than once.
    #[arg(long, value_name = "NAME|ID[=TYPE]")]
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
