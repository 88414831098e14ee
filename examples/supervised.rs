//! A message that breaks its handler: the worker is restarted, comes back with what it knew, and goes on behind that
//! message. When what was missing is there, the message comes again.
//!
//! A cashier adds up payments. One in a currency whose rate it does not know makes it panic, each time. So that one is
//! dead, and a clerk gets a letter about it. Then the rate comes, and the payment is handled after all.
//!
//! Run with `cargo run --example supervised`. On Unix.

use rust_messenger::message_bus::Start;
use rust_messenger::messenger::{Budget, OnPanic};
use rust_messenger::prelude::*;
use rust_messenger::traits::{DeadLetter, RequeueError::AlreadyRequeued, Supervisor};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::mpsc::{Receiver, SendError, Sender, channel};

type Done = Result<(), Box<dyn Error>>;

#[derive(serde::Serialize, serde::Deserialize)]
struct Payment {
    amount: u64,
    currency: String,
}
serde_message!(Payment, 1);

/// What one euro is in this currency.
#[derive(serde::Serialize, serde::Deserialize)]
struct Rate {
    currency: String,
    per_euro: u64,
}
serde_message!(Rate, 2);

#[derive(serde::Serialize, serde::Deserialize)]
struct Total {
    euros: u64,
}
serde_message!(Total, 3);

/// Who hears where the dead messages stand, and the total at which to stop.
#[derive(Clone)]
struct Config {
    dead: Sender<u64>,
    until: u64,
}

/// Payments and rates come from outside of the messenger, in its name.
struct Market;
handler!(Market, 1);

/// Keeps the total and the rates in memory, and nowhere else.
#[derive(Default)]
struct Cashier {
    rates: BTreeMap<String, u64>,
    euros: u64,
}
handler!(Cashier, 2, default);

impl Handle<Payment> for Cashier {
    fn handle<W: Writer>(&mut self, payment: &Payment, writer: &W) {
        let Some(per_euro) = self.rates.get(&payment.currency) else {
            panic!("no rate for {}", payment.currency);
        };
        self.euros += payment.amount / per_euro;
        Self::send(&Total { euros: self.euros }, writer);
    }
}

impl Handle<Rate> for Cashier {
    fn handle<W: Writer>(&mut self, rate: &Rate, _: &W) {
        self.rates.insert(rate.currency.clone(), rate.per_euro);
    }
}

/// Says what comes in, and hands on where the dead stand.
struct Clerk(Config);
handler!(Clerk, 3);

impl Handle<Total> for Clerk {
    fn handle<W: Writer>(&mut self, total: &Total, writer: &W) {
        println!("total {} EUR", total.euros);
        if total.euros >= self.0.until {
            writer.stop();
        }
    }
}

impl TryHandle<DeadLetter> for Clerk {
    type Error = SendError<u64>;

    fn try_handle<W: Writer>(&mut self, letter: &DeadLetter, _: &W) -> Result<(), Self::Error> {
        println!("dead: {} failed {} times: {}", letter.handler, letter.attempts, letter.text);
        self.0.dead.send(letter.position)
    }
}

Messenger! {
    Config,
    Till:
        handlers: [ cashier: Cashier ]
        routes: [ Market, Payment: [ cashier ], Market, Rate: [ cashier ] ]
    Office:
        handlers: [ clerk: Clerk = |config| Clerk(config.clone()) ]
        routes: [ Cashier, Total: [ clerk ], Supervisor, DeadLetter: [ clerk ] ]
}

fn pay<W: Writer>(amount: u64, currency: &str, writer: &W) {
    Market::send(&Payment { amount, currency: currency.to_owned() }, writer);
}

fn quote<W: Writer>(currency: &str, per_euro: u64, writer: &W) {
    Market::send(&Rate { currency: currency.to_owned(), per_euro }, writer);
}

/// Runs until the total is reached. The till comes back to where it was when its process begins, and when it panics.
fn run(path: &Path, until: u64, work: impl FnOnce(&Messenger<PersistentBus>, &Receiver<u64>) -> Done) -> Done {
    let journal = PersistentOptions::default().table(Messenger::table()).start_reader("Till", Start::Rebuild);
    let options = Options { on_panic_of: vec![("Till", OnPanic::Restart(Budget::default()))], ..Options::default() };
    let messenger = Messenger::with_options(PersistentBus::open(path, journal)?.0, options);
    let (dead, letters) = channel();
    let handles = messenger.run(&Config { dead, until });
    work(&messenger, &letters)?;
    let summary = handles.join()?;
    println!("{} restarts, {} dead", summary.restarts, summary.dead);
    Ok(())
}

fn main() -> Done {
    let path = std::env::temp_dir().join(format!("supervised-{}.journal", std::process::id()));
    let mut position = 0;
    run(&path, 160, |messenger, letters| {
        let writer = messenger.writer()?;
        quote("EUR", 1, &writer);
        pay(100, "EUR", &writer);
        pay(110, "SEK", &writer);
        pay(50, "EUR", &writer);
        position = letters.recv()?;
        quote("SEK", 11, &writer);
        Ok(messenger.requeue(position)?)
    })?;
    println!("the next process:");
    run(&path, 162, |messenger, _| {
        println!("requeued before: {}", matches!(messenger.requeue(position), Err(AlreadyRequeued { .. })));
        pay(22, "SEK", &messenger.writer()?);
        Ok(())
    })?;
    Ok(std::fs::remove_file(&path)?)
}
