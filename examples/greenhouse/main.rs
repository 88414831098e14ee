//! A greenhouse for a day: nine handlers on four workers, messages in each of the four ways, time, a queue, errors, a
//! journal, and a test of each handler alone and of all of them on one thread.
//!
//! ```sh
//! cargo run --example greenhouse --all-features                           # on a ring; ends by itself
//! cargo run --example greenhouse --all-features -- --journal day.journal  # and keeps what was said
//! cargo test --example greenhouse --all-features                          # the tests
//! ```
//!
//! `--diary FILE` writes the diary to a file. `rmsg graph` draws the table of such a journal, `rmsg journal cat` prints
//! what was said.

mod climate;
mod devices;
mod field;
mod messages;
mod office;
#[cfg(all(test, feature = "testing"))]
mod tests;

use climate::{Heating, Watering};
use devices::{Device, Gateway, Guard};
use field::{Parser, Station};
use messages::{Approved, Done, Garbled, HandlerId, Line, Morning, Order, Reading, Refused, Summary};
use office::{Diary, Tally};
use rust_messenger::prelude::*;
use rust_messenger::traits::MessageBus;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Clone, Default)]
pub struct Config {
    /// Where the diary is written; `None` shows it.
    diary: Option<PathBuf>,
}

/// Who says good morning, from outside.
pub struct Gardener;
handler!(Gardener, HandlerId::Gardener);

Messenger! {
    type Greenhouse;
    Config,
    Field:
        handlers: [ station: Station, parser: Parser ]
        routes: [
            Gardener, Morning: [ station ],
            Station, Due: [ station ],
            Station, Line: [ parser ],
        ]
    Climate:
        handlers: [ heating: Heating, watering: Watering ]
        routes: [ Parser, Reading: [ heating, watering ] ]
    Devices:
        handlers: [ guard: Guard, gateway: Gateway, device: Device ]
        routes: [
            Gardener, Morning: [ guard ],
            Heating, Order: [ guard ],
            Watering, Order: [ guard ],
            Guard, Approved: [ gateway ],
            Gateway, Order: [ device ],
            Device, Done: [ gateway ],
        ]
    Office:
        handlers: [ tally: Tally, diary: Diary = |config| Diary::open(config.diary.as_deref())? ]
        routes: [
            Gardener, Morning: [ tally ],
            Parser, Reading: [ tally ],
            Parser, Garbled: [ tally, diary ],
            Heating, Order: [ tally ],
            Watering, Order: [ tally ],
            Guard, Refused: [ tally, diary ],
            Device, Done: [ tally ],
            Tally, Summary: [ diary ],
        ]
}

/// A day of readings every half an hour, a cold night among them, and a sensor with a loose contact.
pub fn morning() -> Morning {
    let line = |number: i32| match number {
        17 => "t -?".to_owned(),
        number if number % 2 == 0 => format!("t {}", 8 + (number - 48).abs() / 4),
        number => format!("m {}", 20 + number % 30),
    };
    Morning { lines: (0..96).map(line).collect(), limit: 80 }
}

/// Lives a day on `bus`.
///
/// # Errors
///
/// What kept a handler from being made, or from going on.
pub fn day<B: MessageBus>(bus: B, config: &Config) -> Result<(), Box<dyn Error>> {
    let greenhouse = Greenhouse::new(bus);
    let handles = greenhouse.try_run(config)?;
    Gardener::send(&morning(), &greenhouse.writer()?);
    handles.join()?;
    Ok(())
}

#[cfg(unix)]
fn on_journal(path: &str, config: &Config) -> Result<(), Box<dyn Error>> {
    let (bus, recovered) = PersistentBus::open(path, PersistentOptions::default().table(Greenhouse::table()))?;
    eprintln!("{recovered}");
    day(bus, config)
}

#[cfg(not(unix))]
fn on_journal(_: &str, _: &Config) -> Result<(), Box<dyn Error>> {
    Err("journals want Unix".into())
}

fn play() -> Result<(), Box<dyn Error>> {
    let (mut journal, mut config, mut words) = (None, Config::default(), std::env::args().skip(1));
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--journal", Some(path)) => journal = Some(path),
            ("--diary", Some(path)) => config.diary = Some(path.into()),
            _ => return Err("usage: greenhouse [--journal FILE] [--diary FILE]".into()),
        }
    }
    match journal {
        Some(path) => on_journal(&path, &config),
        None => day(CircularBus::new(64 * 1024)?, &config),
    }
}

fn main() -> ExitCode {
    match play() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
