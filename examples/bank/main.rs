//! Both sides of a bank over the network, as handlers: the interoperability scenario of `tests/interop/README.md`,
//! which Messi's C and Python programs play, too.
//!
//! The server is a Messi server and a teller, the client is two customers with a Messi client each. Their messages
//! cross three buses and the network; each answer is checked. The README beside this says what is where.
//!
//! ```sh
//! cargo run --example bank --features messi                          # both sides, against each other
//! cargo run --example bank --features messi server 4000              # one side, in one terminal
//! cargo run --example bank --features messi client 4000              # the other side, in another one
//! ```
//!
//! With `--journal FILE` the bus of the server is a journal, and what clients and teller said stays in the file.
//! `--wire v2|v1b|v1a` is the generation of the framing. With `--any` the server serves any traffic until somebody says
//! `close_req`, and the client is alice alone: opens an account, answers audits, connects again, until it is killed.

mod account;
mod bank;
mod client;
mod customer;
mod journal;
mod ledger;
mod scene;
mod script;
mod server;
mod teller;

use rust_messenger::messi::Wire;
use rust_messenger::traits::Report;
use server::Service;
use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

const USAGE: &str = "usage: bank [server PORT | client PORT] [--wire v2|v1b|v1a] [--any] [--journal FILE]";

/// Which side to play, at which port.
enum Side {
    Server(u16),
    Client(u16),
    Both,
}

struct Arguments {
    side: Side,
    wire: Wire,
    any: bool,
    journal: Option<String>,
}

fn arguments() -> Option<Arguments> {
    let (mut wire, mut any, mut journal, mut rest) = (Wire::default(), false, None, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--any" => any = true,
            "--journal" => journal = Some(words.next()?),
            "--wire" => {
                wire = match words.next()?.as_str() {
                    "v2" => Wire::V2,
                    "v1b" => Wire::V1b,
                    "v1a" => Wire::V1a,
                    _ => return None,
                }
            }
            _ => rest.push(word),
        }
    }
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let side = match rest[..] {
        [] if !any => Side::Both,
        ["server", port] => Side::Server(port.parse().ok()?),
        ["client", port] if journal.is_none() => Side::Client(port.parse().ok()?),
        _ => return None,
    };
    Some(Arguments { side, wire, any, journal })
}

type Outcome = Result<(), Box<dyn Error>>;

/// Serves, and once the server listens does something else in the meantime.
fn serve(port: u16, service: Service, meanwhile: impl FnOnce(u16) -> Outcome) -> Outcome {
    let (ready, listens) = mpsc::channel();
    thread::scope(|scope| {
        let server = scope.spawn(move || server::serve(port, service, ready).map_err(|error| error.to_string()));
        // If it never does, it says why.
        let done = listens.recv().map_or(Ok(()), meanwhile);
        let served = server.join().map_err(|_| "the server panicked")?;
        done?;
        Ok(served?)
    })
}

fn say_ready(port: u16) -> Outcome {
    println!("READY {port}");
    Ok(())
}

/// What goes wrong on the way without ending anything, such as a server that is not there yet.
fn to_stderr(report: &Report) {
    eprintln!("{report}");
}

fn main() -> ExitCode {
    let Some(Arguments { side, wire, any, journal }) = arguments() else {
        eprintln!("{USAGE}");
        println!("FAIL bank: no such arguments");
        return ExitCode::FAILURE;
    };
    let (name, outcome) = match side {
        Side::Server(port) => ("bank server", serve(port, Service { wire, any, journal }, say_ready)),
        Side::Client(port) if any => ("bank client", client::stay(port, wire)),
        Side::Client(port) => ("bank client", client::play(port, wire)),
        Side::Both => {
            let service = Service { wire, any: false, journal };
            ("bank", serve(0, service, |port| client::play(port, wire)))
        }
    };
    match outcome {
        Ok(()) => {
            println!("PASS {name}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("FAIL {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
