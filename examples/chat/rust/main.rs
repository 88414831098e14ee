//! A chat over the network: a room that repeats what is said, and guests. Nothing but handlers; the bridges
//! `messi::Server` and `messi::Client` are handlers, too.
//!
//! Without arguments a room and two guests, each on a bus of its own, talk a little over TCP and end by themselves.
//!
//! ```sh
//! cargo run --example messi_chat --features messi
//! cargo run --example messi_chat --features messi -- --listen tcp://127.0.0.1:4000          # in one terminal
//! cargo run --example messi_chat --features messi -- --connect tcp://127.0.0.1:4000 ada     # in others
//! ```

mod chat;
mod guest;
mod room;

use guest::{Keyboard, Line, Reaction};
use rust_messenger::messi::{ClientOptions, ServerOptions};
use rust_messenger::traits::{Report, Sender};
use rust_messenger::{CircularBus, JoinHandles, Options};
use std::collections::VecDeque;
use std::error::Error;
use std::io::{BufRead, stdin};
use std::sync::{Arc, mpsc};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The bytes of a ring; the largest frame is what fits an eighth of it.
const RING: usize = 1 << 20;

fn options() -> Options {
    let on_report = |report: &Report| eprintln!("{report}");
    Options { on_report: Some(Arc::new(on_report)), ..Options::default() }
}

/// Opens a room; says at which port.
fn open(uri: &str, closes: bool) -> Outcome<(u16, JoinHandles)> {
    let (open, opened) = mpsc::channel();
    let messenger = room::Messenger::with_options(CircularBus::new(RING)?, options());
    let room = messenger.run(&room::Config { server: ServerOptions::new(uri), open, closes });
    match opened.recv() {
        Ok(port) => Ok((port, room)),
        Err(_) => Err(room.join().map_or_else(Into::into, |_| "the room was never open".into())),
    }
}

fn listen(uri: &str) -> Outcome<()> {
    let (port, room) = open(uri, false)?;
    println!("the room is open at port {port}; end it with Ctrl-C");
    room.join()?;
    Ok(())
}

/// Says what is typed, until the end of it.
fn connect(uri: &str, name: &str) -> Outcome<()> {
    let messenger = guest::Messenger::with_options(CircularBus::new(RING)?, options());
    let writer = messenger.writer()?;
    let client = ClientOptions::new(uri);
    let guest = messenger.run(&guest::Config { client, name: name.to_owned(), part: VecDeque::new() });
    for text in stdin().lock().lines() {
        Keyboard::send(&Line { text: text? }, &writer);
        if guest.is_finished() {
            break;
        }
    }
    messenger.stop();
    guest.join()?;
    Ok(())
}

fn meet() -> Outcome<()> {
    use Reaction::{Leave, Say};
    let ada = [
        ("bob is here", Say("Hello, Bob!")),
        ("bob: Hello, Ada! How did you get here?", Say("By bus, by socket, and by bus again.")),
        ("bob has left", Leave),
    ];
    let bob = [
        ("ada: Hello, Bob!", Say("Hello, Ada! How did you get here?")),
        ("ada: By bus, by socket, and by bus again.", Say("That is how I go home, too.")),
        ("bob: That is how I go home, too.", Leave),
    ];
    let (port, room) = open("tcp://127.0.0.1:0", true)?;
    let come = |name: &str, part: VecDeque<_>| {
        let messenger = guest::Messenger::with_options(CircularBus::new(RING)?, options());
        let client = ClientOptions::new(format!("tcp://127.0.0.1:{port}"));
        Ok::<_, Box<dyn Error>>(messenger.run(&guest::Config { client, name: name.to_owned(), part }))
    };
    for handles in [come("ada", ada.into())?, come("bob", bob.into())?, room] {
        handles.join()?;
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => meet(),
        ["--listen", uri] => listen(uri),
        ["--connect", uri, name] => connect(uri, name),
        _ => Err("usage: messi_chat [--listen URI | --connect URI NAME]".into()),
    }
}
