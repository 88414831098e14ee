//! The command `messi`: .proto files to C, Python and Rust.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

use clap::{Args, Parser, Subcommand, ValueEnum};
use messi::{Error, Generated, Model, Side, c, output, python, rust};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Generates C, Python and Rust that talk Messi of .proto files.
#[derive(Debug, Parser)]
#[command(name = "messi", version, after_help = EXAMPLES)]
struct Command {
    /// Tell which files are written and, of an error, all that is known.
    #[arg(short, long, global = true)]
    debug: bool,
    #[command(subcommand)]
    language: Language,
}

const EXAMPLES: &str = "\
Examples:
  messi generate_c_source chat.proto
  messi generate_py_source -s client -o generated chat.proto
  messi generate_rust_source --check -o src chat.proto

Exit codes: 0 done, 1 an error or, with --check, files that differ, 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Language {
    /// C99 on nanopb: PROTO.pb.[ch], PROTO_client.[ch], PROTO_server.[ch] and their runtime.
    #[command(name = "generate_c_source", alias = "generate-c-source")]
    C {
        /// What it runs on.
        #[arg(short, long, value_enum, default_value = "linux")]
        platform: Platform,
        #[command(flatten)]
        sided: Sided,
        #[command(flatten)]
        files: Files,
    },
    /// Python 3.9 and later with asyncio: PROTO_pb2.py, PROTO_client.py and PROTO_server.py.
    #[command(name = "generate_py_source", alias = "generate-py-source")]
    Python {
        #[command(flatten)]
        sided: Sided,
        #[command(flatten)]
        files: Files,
    },
    /// Rust for rust_messenger: PROTO.rs.
    #[command(name = "generate_rust_source", alias = "generate-rust-source")]
    Rust {
        /// The handler id of the protocol's server.
        #[arg(long, value_name = "ID", value_parser = id, default_value_t = rust::Options::default().server)]
        server: u16,
        /// The handler id of the protocol's client.
        #[arg(long, value_name = "ID", value_parser = id, default_value_t = rust::Options::default().client)]
        client: u16,
        /// Where the ids of the protocol's messages begin: four for each field number.
        #[arg(long, value_name = "ID", value_parser = id, default_value_t = rust::Options::default().messages)]
        messages: u16,
        #[command(flatten)]
        files: Files,
    },
}

#[derive(Debug, Args)]
struct Sided {
    /// What is generated.
    #[arg(short, long, value_enum)]
    side: Option<SideArgument>,
}

#[derive(Debug, Args)]
struct Files {
    /// Where imports are looked for, repeatable [default: the directories of the files, and the current one].
    #[arg(short = 'I', long = "import-path", value_name = "PATH")]
    import_paths: Vec<PathBuf>,
    /// Where the files are written; made if it is missing.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output_directory: PathBuf,
    /// Write nothing, and fail if what is there is not what would be written.
    #[arg(long)]
    check: bool,
    /// .proto files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Platform {
    Linux,
    Async,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SideArgument {
    Both,
    Client,
    Server,
}

impl Sided {
    /// What was asked for, or what there is.
    fn side(&self, default: Side) -> Side {
        match self.side {
            None => default,
            Some(SideArgument::Both) => Side::Both,
            Some(SideArgument::Client) => Side::Client,
            Some(SideArgument::Server) => Side::Server,
        }
    }
}

/// A number as Rust writes it.
fn id(text: &str) -> Result<u16, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

fn main() -> ExitCode {
    let command = Command::parse();
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is there to be told that this fails.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            if command.debug {
                let _ = writeln!(std::io::stderr(), "{error:#?}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Error> {
    let generate = |files: &Files, generate: &dyn Fn(&Model) -> Result<Vec<Generated>, Error>| {
        let generated = generate(&Model::read(&files.files, &files.import_paths)?)?;
        if files.check {
            return output::check(&generated, &files.output_directory);
        }
        let written = output::write(&generated, &files.output_directory)?;
        if command.debug {
            for path in written {
                let _ = writeln!(std::io::stderr(), "wrote {}", path.display());
            }
        }
        Ok(())
    };
    match &command.language {
        Language::C { platform, sided, files } => {
            let platform = match platform {
                Platform::Linux => c::Platform::Linux,
                Platform::Async => c::Platform::Async,
            };
            let options = c::Options { platform, side: sided.side(platform.default_side()) };
            generate(files, &|model| c::generate(model, &options))
        }
        Language::Python { sided, files } => {
            let options = python::Options { side: sided.side(Side::Both) };
            generate(files, &|model| python::generate(model, &options))
        }
        Language::Rust { server, client, messages, files } => {
            let options = rust::Options { server: *server, client: *client, messages: *messages };
            generate(files, &|model| rust::generate(model, &options))
        }
    }
}
