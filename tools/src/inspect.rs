//! `rmsg journal info`, `cat`, `verify` and `cursors`: a journal as it is now.

use crate::args::{CatArgs, FileArgs, Format};
use crate::contents::Contents;
use crate::entry::{Printer, utc};
use crate::failure::Failure;
use crate::json;
use crate::meter::Meter;
use crate::names::{Names, clean, plain};
use crate::opened::Opened;
use crate::output::{Ink, Outcome, Output, warn};
use crate::scan::{Selection, is_damage, scan, span_of};
use rust_messenger::message_bus::{Entry, HeaderDamage, Info, Journal, JournalTable, MessageRecord, Span};
use rust_messenger::routing::TableWorker;
use std::io;

pub fn info(args: &FileArgs) -> Result<Outcome, Failure> {
    let Opened { info, .. } = Opened::new(&args.file)?;
    let mut output = Output::new();
    match args.format {
        Format::Text => info_text(&mut output, &info)?,
        Format::Json => output.line(&json::line(&info_object(&info))?)?,
    }
    output.flush()?;
    Ok(Outcome::damaged_if(is_damaged(&info)))
}

/// Whether the header is not what was written. A cursor that stands behind the end is no damage of the journal.
fn is_damaged(info: &Info) -> bool {
    info.missing != 0 || info.damage.iter().any(|damage| !matches!(damage, HeaderDamage::CursorAhead(_)))
}

fn info_text(output: &mut Output, info: &Info) -> io::Result<()> {
    let checksums = if info.crc { "every slot has a checksum" } else { "without checksums" };
    let capacity = match info.capacity {
        0 => "may grow to (damaged)".to_owned(),
        capacity => format!("may grow to {capacity}"),
    };
    let mut field = |name: &str, value: &str| {
        let name = output.paint(Ink::Faint, &format!("{name:<16}"));
        output.line(&format!("{name}  {value}"))
    };
    field("format", &format!("version {}, {checksums}", info.version))?;
    field("created", &created(info))?;
    field("file", &format!("{} bytes, {capacity}", info.file_len))?;
    field("first slot", &format!("at {}", info.first))?;
    field("retained from", &info.retained_from.to_string())?;
    field("largest payload", &format!("{} bytes", info.max_payload))?;
    match &info.table {
        None => field("table", "none: opened without one")?,
        Some(table) => {
            field("table", &clean(table.name()))?;
            for message in table.messages() {
                field("message", &message_text(message))?;
                if let Some(shape) = table.shape(message.id) {
                    field("shape", &clean(&shape))?;
                }
            }
            for (id, name) in table.handlers() {
                field("handler", &format!("{} = {id}", clean(name)))?;
            }
            table.with(|table| table.workers.iter().try_for_each(|worker| field("worker", &worker_text(worker))))?;
        }
    }
    for damage in damages(info) {
        let line = output.paint(Ink::Alarm, &format!("{:<16}  {damage}", "damaged"));
        output.line(&line)?;
    }
    Ok(())
}

fn created(info: &Info) -> String {
    utc(u64::try_from(info.created.as_nanos()).unwrap_or(u64::MAX))
}

fn message_text(message: &MessageRecord) -> String {
    clean(&message.to_string())
}

fn worker_text(worker: &TableWorker<'_>) -> String {
    let members = worker.handlers.iter().map(|handler| format!("{} = {}", plain(handler.name), handler.id));
    format!("{}: {}", plain(worker.name), members.collect::<Vec<_>>().join(", "))
}

/// What the header has lost, in words.
fn damages(info: &Info) -> Vec<String> {
    let mut lines: Vec<String> = info.damage.iter().map(|damage| clean(&format!("in the header: {damage}"))).collect();
    if info.missing != 0 {
        lines.push(format!("{} bytes are missing at the end: the file was cut off", info.missing));
    }
    lines
}

fn info_object(info: &Info) -> json::Info<'_> {
    json::Info {
        version: info.version,
        crc: info.crc,
        created: created(info),
        file_length: info.file_len,
        capacity: Some(info.capacity).filter(|&capacity| capacity != 0),
        first: info.first,
        retained_from: info.retained_from,
        max_payload: info.max_payload,
        table: info.table.as_ref().map(table_object),
        damage: damages(info),
    }
}

fn table_object(table: &JournalTable) -> json::Table<'_> {
    let messages = table.messages().iter().map(|message| json::TableMessage {
        id: message.id,
        name: &message.name,
        encoding: &message.encoding,
        size: Some(message.size).filter(|&size| size != 0),
        shape: table.shape(message.id),
    });
    json::Table {
        name: table.name(),
        messages: messages.collect(),
        handlers: table.handlers().map(|(id, name)| json::TableHandler { id, name }).collect(),
        workers: table.with(|table| table.workers.iter().map(worker_object).collect()),
    }
}

fn worker_object(worker: &TableWorker<'_>) -> json::TableWorker {
    let members = worker.handlers.iter();
    let members = members.map(|handler| json::TableMember { name: plain(handler.name), id: handler.id });
    let routes = worker.routes.iter().map(|route| json::TableRoute {
        source: route.source_id,
        message: route.message_id,
        receivers: route.receivers.iter().map(|receiver| plain(receiver)).collect(),
    });
    json::TableWorker { name: plain(worker.name), members: members.collect(), routes: routes.collect() }
}

pub fn cat(args: &CatArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    let mut outcome = opened.warn(&args.file);
    let Opened { journal, info, mut names } = opened;
    let mut selection = Selection::new(&args.chosen, &names)?;
    let contents = Contents::new(args.proto.as_deref(), &args.chosen, &names)?;
    let mut printer = Printer::new(args.format, args.payload, &names, contents);
    let mut meter = Meter::printing_work(info.retained_from, info.file_len);
    scan(&journal, &mut selection, &mut meter, |entry| {
        if is_damage(entry) {
            outcome = Outcome::Damaged;
        }
        if let Entry::Message { header, .. } = entry {
            names.refresh(&journal, header.source, header.message)?;
        }
        Ok(printer.entry(entry, &names)?)
    })?;
    printer.output.flush()?;
    Ok(outcome)
}

/// What a check found.
#[derive(Debug, Default)]
struct Findings {
    messages: u64,
    sealed: u64,
    holes: u64,
    damaged: u64,
    damaged_bytes: u64,
    torn: u64,
    /// Where the last entry ends.
    end: u64,
}

pub fn verify(args: &FileArgs) -> Result<Outcome, Failure> {
    let Opened { journal, info, names } = Opened::new(&args.file)?;
    // Before the entries: a running writer's cursors go on, but never past what is there already.
    let cursors = journal.cursors()?;
    let mut printer = Printer::new(args.format, false, &names, Contents::default());
    let found = check_entries(&journal, &info, &names, &mut printer)?;
    let is_damaged = found.damaged != 0 || is_damaged(&info);
    let ahead = cursors.iter().filter(|(_, position)| position.is_some_and(|position| position > found.end));
    let ahead = ahead.map(|(name, _)| format!("the cursor {} stands behind the end", clean(name)));
    let notes: Vec<String> = damages(&info).into_iter().chain(ahead).collect();
    let output = &mut printer.output;
    match args.format {
        Format::Text => verdict_text(output, &info, &found, &notes, is_damaged)?,
        Format::Json => output.line(&json::line(&verdict_object(&info, &found, notes, is_damaged))?)?,
    }
    output.flush()?;
    Ok(Outcome::damaged_if(is_damaged))
}

/// Counts the entries, and prints those that are no messages as they are found: there may be any number of them.
fn check_entries(journal: &Journal, info: &Info, names: &Names, printer: &mut Printer) -> Result<Findings, Failure> {
    let mut meter = Meter::silent_work(info.retained_from, info.file_len);
    let mut found = Findings::default();
    let mut entries = journal.entries();
    while let Some(entry) = entries.next()? {
        meter.at(span_of(&entry).position);
        match entry {
            Entry::Message { .. } => {
                found.messages += 1;
                continue;
            }
            Entry::Sealed(_) => found.sealed += 1,
            Entry::Hole(_) => found.holes += 1,
            Entry::Damaged(span) => {
                found.damaged += 1;
                found.damaged_bytes += span.len;
            }
            _ => {}
        }
        meter.clear();
        printer.entry(&entry, names)?;
    }
    meter.clear();
    found.end = entries.position();
    found.torn = entries.torn()?;
    drop(meter);
    if found.torn != 0 {
        printer.torn(Span { position: found.end, len: found.torn })?;
    }
    Ok(found)
}

fn verdict_text(
    output: &mut Output,
    info: &Info,
    found: &Findings,
    notes: &[String],
    is_damaged: bool,
) -> io::Result<()> {
    for note in notes {
        output.line(&output.paint(Ink::Alarm, note))?;
    }
    let Findings { messages, sealed, holes, damaged, damaged_bytes, torn, end } = found;
    output.line(&format!(
        "{messages} messages from {} to {end}; sealed: {sealed}, holes: {holes}, damaged: {damaged} ({damaged_bytes} \
         bytes), torn: {torn} bytes",
        info.retained_from
    ))?;
    if !info.crc {
        output.line("without checksums: what is in the messages cannot be checked")?;
    }
    let verdict = if is_damaged { output.paint(Ink::Alarm, "damaged") } else { "not damaged".to_owned() };
    output.line(&verdict)
}

fn verdict_object(info: &Info, found: &Findings, notes: Vec<String>, is_damaged: bool) -> json::Verified {
    json::Verified {
        is_damaged,
        crc: info.crc,
        from: info.retained_from,
        to: found.end,
        messages: found.messages,
        sealed: found.sealed,
        holes: found.holes,
        damaged: found.damaged,
        damaged_bytes: found.damaged_bytes,
        torn_bytes: found.torn,
        missing: info.missing,
        notes,
    }
}

pub fn cursors(args: &FileArgs) -> Result<Outcome, Failure> {
    let Opened { journal, info, .. } = Opened::new(&args.file)?;
    let cursors = journal.cursors()?;
    let mut output = Output::new();
    let width = cursors.keys().map(|name| clean(name).chars().count()).max().unwrap_or(0);
    for (name, position) in &cursors {
        let line = match (args.format, position) {
            (Format::Json, _) => json::line(&json::Cursor { name, position: *position })?,
            (Format::Text, Some(position)) => format!("{:<width$}  {position:>12}", clean(name)),
            (Format::Text, None) => format!("{:<width$}  {}", clean(name), output.paint(Ink::Alarm, "     damaged")),
        };
        output.line(&line)?;
    }
    let is_unnamed = info.damage.contains(&HeaderDamage::CursorName);
    if is_unnamed {
        warn(&format!("{}: the name of a cursor is damaged: it is not in the list", args.file.display()));
    }
    output.flush()?;
    Ok(Outcome::damaged_if(is_unnamed || cursors.values().any(Option::is_none)))
}
