//! Who keeps count, and who writes it down.

use crate::messages::{Done, Garbled, HandlerId, Morning, Order, Reading, Refused, Summary};
use rust_messenger::prelude::*;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Counts, and says how the day was when everything that was said has come to its end.
#[derive(Default)]
pub struct Tally {
    lines: u64,
    seen: Summary,
}
handler!(Tally, HandlerId::Tally, default);

impl Tally {
    /// Each reading leads to one order, and each order is done or refused.
    fn count<W: Writer>(&mut self, count: impl FnOnce(&mut Summary), writer: &W) {
        count(&mut self.seen);
        let Summary { readings, garbled, orders, refused, done } = self.seen;
        if readings + garbled == self.lines && orders == readings && refused + done == orders {
            Self::send(&self.seen, writer);
        }
    }
}

impl Handle<Morning> for Tally {
    fn handle<W: Writer>(&mut self, morning: &Morning, writer: &W) {
        *self = Tally { lines: morning.lines.len() as u64, ..Tally::default() };
        self.count(|_| (), writer);
    }
}

impl Handle<Reading> for Tally {
    fn handle<W: Writer>(&mut self, _: &Reading, writer: &W) {
        self.count(|seen| seen.readings += 1, writer);
    }
}

impl Handle<Garbled> for Tally {
    fn handle<W: Writer>(&mut self, _: &Garbled, writer: &W) {
        self.count(|seen| seen.garbled += 1, writer);
    }
}

impl Handle<Order> for Tally {
    fn handle<W: Writer>(&mut self, _: &Order, writer: &W) {
        self.count(|seen| seen.orders += 1, writer);
    }
}

impl Handle<Refused> for Tally {
    fn handle<W: Writer>(&mut self, _: &Refused, writer: &W) {
        self.count(|seen| seen.refused += 1, writer);
    }
}

impl Handle<Done> for Tally {
    fn handle<W: Writer>(&mut self, _: &Done, writer: &W) {
        self.count(|seen| seen.done += 1, writer);
    }
}

/// Writes into a file, or shows, what did not go as planned, and how the day was. Its file may be missing or full, so
/// it may fail when it is made and when it handles: that ends the greenhouse with an error that says so.
pub struct Diary {
    page: Box<dyn Write>,
}
handler!(Diary, HandlerId::Diary);

impl Diary {
    pub fn open(path: Option<&Path>) -> io::Result<Diary> {
        Ok(match path {
            Some(path) => Diary::on(File::create(path)?),
            None => Diary::on(io::stdout()),
        })
    }

    pub fn on(page: impl Write + 'static) -> Diary {
        Diary { page: Box::new(page) }
    }
}

impl TryHandle<Garbled> for Diary {
    type Error = io::Error;

    fn try_handle<W: Writer>(&mut self, garbled: &Garbled, _: &W) -> io::Result<()> {
        writeln!(self.page, "not understood: {:?}: {}", garbled.text, garbled.reason)
    }
}

impl TryHandle<Refused> for Diary {
    type Error = io::Error;

    fn try_handle<W: Writer>(&mut self, refused: &Refused, _: &W) -> io::Result<()> {
        writeln!(self.page, "order {} refused: {}", refused.number, refused.reason)
    }
}

impl TryHandle<Summary> for Diary {
    type Error = io::Error;

    fn try_handle<W: Writer>(&mut self, summary: &Summary, writer: &W) -> io::Result<()> {
        let Summary { readings, garbled, orders, refused, done } = summary;
        writeln!(self.page, "{readings} readings, {garbled} garbled; {orders} orders, {refused} refused, {done} done")?;
        self.page.flush()?;
        writer.stop();
        Ok(())
    }
}
