//! An open day: the greenhouse of the example `greenhouse`, its handlers as they are, with a door to the network.
//! Visitors in C, Python and Rust bring what the sensors will say, and hear what comes of it.
//!
//! ```sh
//! cargo run --example open_day --all-features            # with three visitors of its own; ends by itself
//! cargo run --example open_day --all-features -- open tcp://127.0.0.1:6000 3 day.journal
//! cargo run --example open_day --all-features -- visit tcp://127.0.0.1:6000 ada    # what it brings is typed
//! ```

#[path = "../../greenhouse/climate.rs"]
mod climate;
mod desk;
#[path = "../../greenhouse/devices.rs"]
mod devices;
#[path = "../../greenhouse/field.rs"]
mod field;
#[path = "../../greenhouse/messages.rs"]
mod messages;
#[path = "../../greenhouse/office.rs"]
#[expect(dead_code, reason = "here nobody keeps a diary")]
mod office;
mod open_day;
mod visitor;

use climate::{Heating, Watering};
use desk::{Config, Desk};
use devices::{Device, Gateway, Guard};
use field::{Parser, Station};
use messages::{Approved, Done, Garbled, Line, Morning, Order, Reading, Refused, Summary};
use office::Tally;
use open_day::{Bring, Day, Denied, Measured, OpenDay};
use rust_messenger::JoinHandles;
use rust_messenger::messi::{ClientDisconnected, FromClient, Listening, Server, ServerOptions, ToClient};
use rust_messenger::prelude::*;
use rust_messenger::traits::MessageBus;
use std::error::Error;
use std::io::{BufRead, stdin};
use std::sync::mpsc;
use std::thread;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

Messenger! {
    type Greenhouse;
    Config,
    Door:
        handlers: [ door: Server<OpenDay>, desk: Desk ]
        routes: [
            Desk, ToClient<Measured>: [ door ],
            Desk, ToClient<Denied>: [ door ],
            Desk, ToClient<Day>: [ door ],
            Server<OpenDay>, Listening: [ desk ],
            Server<OpenDay>, FromClient<Bring>: [ desk ],
            Server<OpenDay>, ClientDisconnected: [ desk ],
            Parser, Reading: [ desk ],
            Guard, Refused: [ desk ],
            Tally, Summary: [ desk ],
        ]
    Field:
        handlers: [ station: Station, parser: Parser ]
        routes: [
            Desk, Morning: [ station ],
            Station, Due: [ station ],
            Station, Line: [ parser ],
        ]
    Climate:
        handlers: [ heating: Heating, watering: Watering ]
        routes: [ Parser, Reading: [ heating, watering ] ]
    Devices:
        handlers: [ guard: Guard, gateway: Gateway, device: Device ]
        routes: [
            Desk, Morning: [ guard ],
            Heating, Order: [ guard ],
            Watering, Order: [ guard ],
            Guard, Approved: [ gateway ],
            Gateway, Order: [ device ],
            Device, Done: [ gateway ],
        ]
    Office:
        handlers: [ tally: Tally ]
        routes: [
            Desk, Morning: [ tally ],
            Parser, Reading: [ tally ],
            Parser, Garbled: [ tally ],
            Heating, Order: [ tally ],
            Watering, Order: [ tally ],
            Guard, Refused: [ tally ],
            Device, Done: [ tally ],
        ]
}

/// Opens the door; says at which port.
fn open<B: MessageBus>(bus: B, uri: &str, visitors: usize) -> Outcome<(u16, JoinHandles)> {
    let (open, opened) = mpsc::channel();
    let greenhouse = Greenhouse::new(bus);
    let handles = greenhouse.try_run(&Config { server: ServerOptions::new(uri), open, visitors })?;
    match opened.recv() {
        Ok(port) => Ok((port, handles)),
        Err(_) => Err(handles.join().map_or_else(Into::into, |_| "the door was never open".into())),
    }
}

/// Three visitors, on threads of their own.
fn meet() -> Outcome<()> {
    let parts =
        [("ada", vec!["t 15", "m 20", "t -?"]), ("bob", vec!["t 21", "t 6"]), ("eve", vec!["m 45", "t 12", "m 29"])];
    let (port, handles) = open(CircularBus::new(64 * 1024)?, "tcp://127.0.0.1:0", parts.len())?;
    let visits = parts.map(|(name, lines)| {
        let (uri, lines) = (format!("tcp://127.0.0.1:{port}"), lines.into_iter().map(str::to_owned).collect());
        (name, thread::spawn(move || visitor::visit(&uri, name, lines)))
    });
    for (name, visit) in visits {
        println!("{name} | {}", visit.join().expect("visitors do not panic")?);
    }
    handles.join()?;
    Ok(())
}

#[cfg(unix)]
fn journal(path: &str) -> Outcome<PersistentBus> {
    Ok(PersistentBus::open(path, PersistentOptions::default().table(Greenhouse::table()))?.0)
}

#[cfg(not(unix))]
fn journal(_: &str) -> Outcome<CircularBus> {
    Err("journals want Unix".into())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => meet(),
        ["open", uri, visitors, path] => {
            let (port, handles) = open(journal(path)?, uri, visitors.parse()?)?;
            println!("the door is open at port {port}");
            handles.join()?;
            Ok(())
        }
        ["visit", uri, name] => {
            let lines = stdin().lock().lines().collect::<Result<_, _>>()?;
            println!("{name} | {}", visitor::visit(uri, name, lines)?);
            Ok(())
        }
        _ => Err("usage: open_day [open URI VISITORS JOURNAL | visit URI NAME]".into()),
    }
}
