//! `rmsg journal info`, `cat`, `verify` and `cursors`: a journal as it is now.

use crate::args::{CatArgs, FileArgs, Format};
use crate::entry::{Printer, utc};
use crate::failure::Failure;
use crate::json::{Object, quote};
use crate::meter::Meter;
use crate::names::{clean, plain};
use crate::opened::Opened;
use crate::output::{Ink, Outcome, Output, warn};
use crate::scan::{Selection, is_damage, scan, span_of};
use rust_messenger::message_bus::{Cursor, Entry, HeaderDamage, Info, JournalTable, MessageRecord, Span};
use std::io;

pub fn info(args: &FileArgs) -> Result<Outcome, Failure> {
    let Opened { info, .. } = Opened::new(&args.file)?;
    let mut output = Output::new();
    match args.format {
        Format::Text => info_text(&mut output, &info)?,
        Format::Json => output.line(&info_json(&info))?,
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
    field("created", &utc(u64::try_from(info.created.as_nanos()).unwrap_or(u64::MAX)))?;
    field("file", &format!("{} bytes, {capacity}", info.file_len))?;
    field("first slot", &format!("at {}", info.first))?;
    field("retained from", &info.retained_from.to_string())?;
    field("largest payload", &format!("{} bytes", info.max_payload))?;
    match &info.table {
        None => field("table", "none: opened without one")?,
        Some(JournalTable { name, messages, handlers, workers, .. }) => {
            field("table", &clean(name))?;
            for message in messages {
                field("message", &message_text(message))?;
            }
            for handler in handlers {
                field("handler", &format!("{} = {}", clean(&handler.name), handler.id))?;
            }
            for worker in workers {
                let members: Vec<String> =
                    worker.members.iter().map(|(name, id)| format!("{} = {id}", plain(name))).collect();
                field("worker", &format!("{}: {}", plain(&worker.name), members.join(", ")))?;
            }
        }
    }
    for damage in damages(info) {
        let line = output.paint(Ink::Alarm, &format!("{:<16}  {damage}", "damaged"));
        output.line(&line)?;
    }
    Ok(())
}

fn message_text(message: &MessageRecord) -> String {
    clean(&message.to_string())
}

/// What the header has lost, in words.
fn damages(info: &Info) -> Vec<String> {
    let mut lines: Vec<String> = info.damage.iter().map(|damage| clean(&format!("in the header: {damage}"))).collect();
    if info.missing != 0 {
        lines.push(format!("{} bytes are missing at the end: the file was cut off", info.missing));
    }
    lines
}

fn info_json(info: &Info) -> String {
    let object = Object::new("info")
        .number("version", info.version)
        .truth("crc", info.crc)
        .text("created", &utc(u64::try_from(info.created.as_nanos()).unwrap_or(u64::MAX)))
        .number("file_length", info.file_len)
        .maybe("capacity", Some(info.capacity).filter(|&capacity| capacity != 0))
        .number("first", info.first)
        .number("retained_from", info.retained_from)
        .number("max_payload", info.max_payload);
    let object = match &info.table {
        None => object.maybe::<u64>("table", None),
        Some(table) => object.raw("table", &table_json(table)),
    };
    object.list("damage", damages(info).iter().map(|damage| quote(damage))).end()
}

fn table_json(table: &JournalTable) -> String {
    let messages = table.messages.iter().map(|message| {
        let object = Object::new("message").number("id", u64::from(message.id)).text("name", &message.name);
        let size = Some(message.size).filter(|&size| size != 0);
        object.text("encoding", &message.encoding).maybe("size", size).end()
    });
    let handlers = table
        .handlers
        .iter()
        .map(|handler| Object::new("handler").number("id", u64::from(handler.id)).text("name", &handler.name).end());
    let workers = table.workers.iter().map(|worker| {
        let members = worker
            .members
            .iter()
            .map(|(name, id)| Object::new("member").text("name", &plain(name)).number("id", u64::from(*id)).end());
        let routes = worker.routes.iter().map(|route| {
            let object = Object::new("route").number("source", u64::from(route.source));
            let receivers = route.receivers.iter().map(|receiver| quote(&plain(receiver)));
            object.number("message", u64::from(route.message)).list("receivers", receivers).end()
        });
        Object::new("worker").text("name", &plain(&worker.name)).list("members", members).list("routes", routes).end()
    });
    let object = Object::new("table").text("name", &table.name).list("messages", messages);
    object.list("handlers", handlers).list("workers", workers).end()
}

pub fn cat(args: &CatArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    let mut outcome = opened.warn(&args.file);
    let Opened { journal, info, mut names } = opened;
    let mut selection = Selection::new(&args.chosen, &names)?;
    let mut printer = Printer::new(args.format, args.payload, &names);
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
}

pub fn verify(args: &FileArgs) -> Result<Outcome, Failure> {
    let Opened { journal, info, names } = Opened::new(&args.file)?;
    // Before the entries: a running writer's cursors go on, but never past what is there already.
    let cursors = journal.cursors()?;
    let mut printer = Printer::new(args.format, false, &names);
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
        // As they are found: there may be any number of them.
        meter.clear();
        printer.entry(&entry, &names)?;
    }
    meter.clear();
    let end = entries.position();
    found.torn = entries.torn()?;
    drop(meter);
    if found.torn != 0 {
        printer.torn(Span { position: end, len: found.torn })?;
    }
    let is_damaged = found.damaged != 0 || is_damaged(&info);
    let ahead = cursors.iter().filter(|cursor| cursor.position.is_some_and(|position| position > end));
    let ahead = ahead.map(|cursor| format!("the cursor {} stands behind the end", clean(&cursor.name)));
    let notes: Vec<String> = damages(&info).into_iter().chain(ahead).collect();
    let output = &mut printer.output;
    match args.format {
        Format::Text => {
            for note in &notes {
                output.line(&output.paint(Ink::Alarm, note))?;
            }
            let Findings { messages, sealed, holes, damaged, damaged_bytes, torn } = found;
            output.line(&format!(
                "{messages} messages from {} to {end}; sealed: {sealed}, holes: {holes}, damaged: {damaged} \
                 ({damaged_bytes} bytes), torn: {torn} bytes",
                info.retained_from
            ))?;
            if !info.crc {
                output.line("without checksums: what is in the messages cannot be checked")?;
            }
            let verdict = if is_damaged { output.paint(Ink::Alarm, "damaged") } else { "not damaged".to_owned() };
            output.line(&verdict)?;
        }
        Format::Json => {
            let object = Object::new("verified")
                .truth("is_damaged", is_damaged)
                .truth("crc", info.crc)
                .number("from", info.retained_from)
                .number("to", end)
                .number("messages", found.messages)
                .number("sealed", found.sealed)
                .number("holes", found.holes)
                .number("damaged", found.damaged)
                .number("damaged_bytes", found.damaged_bytes)
                .number("torn_bytes", found.torn)
                .number("missing", info.missing)
                .list("notes", notes.iter().map(|note| quote(note)));
            output.line(&object.end())?;
        }
    }
    output.flush()?;
    Ok(Outcome::damaged_if(is_damaged))
}

pub fn cursors(args: &FileArgs) -> Result<Outcome, Failure> {
    let Opened { journal, info, .. } = Opened::new(&args.file)?;
    let cursors = journal.cursors()?;
    let mut output = Output::new();
    let width = cursors.iter().map(|cursor| clean(&cursor.name).chars().count()).max().unwrap_or(0);
    for Cursor { name, position, .. } in &cursors {
        let line = match (args.format, position) {
            (Format::Json, _) => Object::new("cursor").text("name", name).maybe("position", *position).end(),
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
    Ok(Outcome::damaged_if(is_unnamed || cursors.iter().any(|cursor| cursor.position.is_none())))
}
