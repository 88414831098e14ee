//! `rmsg stat`: a named ring as it is now.

use crate::args::{Format, StatArgs};
use crate::failure::Failure;
use crate::json;
use crate::output::{Outcome, Output};
use crate::ring::{self, Cell, Rates};
use rust_messenger::message_bus::NamedStats;
use std::io;

pub fn stat(args: &StatArgs) -> Result<Outcome, Failure> {
    let stats = NamedStats::read(&args.file)?;
    let mut output = Output::new();
    match args.format {
        Format::Text => print(&mut output, &stats, None)?,
        Format::Json => output.line(&json::line(&object(&stats, None))?)?,
    }
    output.flush()?;
    Ok(Outcome::Fine)
}

/// All of it as text.
pub fn print(output: &mut Output, stats: &NamedStats, rates: Option<&Rates>) -> io::Result<()> {
    for line in ring::lines(stats, rates) {
        let painted = |Cell { text, ink }: &Cell| match ink {
            Some(ink) => output.paint(*ink, text),
            None => text.clone(),
        };
        let line: String = line.iter().map(painted).collect();
        output.line(line.trim_end())?;
    }
    Ok(())
}

/// All of it as an object.
pub fn object<'a>(stats: &'a NamedStats, rates: Option<&Rates>) -> json::Ring<'a> {
    let handlers = stats.handler_names.iter().map(|(id, name)| json::TableHandler { id: *id, name });
    let messages = stats.message_names.iter().map(|(id, name)| json::RingMessage { id: *id, name });
    let rate = |rates: Option<&Vec<Option<f64>>>, place: usize| rates.and_then(|rates| *rates.get(place)?);
    let processes = stats.attachments.iter().map(|it| json::RingProcess {
        pid: it.pid,
        program: &it.program,
        alive: it.alive,
        paused: it.paused,
    });
    let readers = stats.readers.iter().enumerate().map(|(place, it)| json::RingReader {
        name: &it.name,
        process: it.attachment,
        position: it.position,
        lag: it.lag,
        lag_messages: it.lag_messages,
        handled: it.handled,
        per_second: rate(rates.map(|rates| &rates.readers), place),
        losses: it.losses,
        asleep: it.asleep,
        evictable: it.evictable,
        held: it.held,
        outbox: it.outbox,
        outbox_high_water: it.outbox_high_water,
    });
    let writers = stats.writers.iter().enumerate().map(|(place, it)| json::RingWriter {
        process: it.attachment,
        worker: it.worker,
        messages: it.messages,
        bytes: it.bytes,
        per_second: rate(rates.map(|rates| &rates.writers), place),
    });
    json::Ring {
        capacity: stats.capacity,
        one_writer: stats.one_writer,
        tail: stats.tail,
        gate: stats.gate,
        messages: stats.messages,
        bytes: stats.bytes,
        messages_per_second: rates.map(|rates| rates.messages),
        bytes_per_second: rates.map(|rates| rates.bytes),
        full: stats.full,
        sealed: stats.sealed,
        lock: stats.lock,
        processes: processes.collect(),
        readers: readers.collect(),
        writers: writers.collect(),
        handlers: handlers.collect(),
        message_names: messages.collect(),
    }
}
