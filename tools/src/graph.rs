//! `rmsg graph`: the routing table of the header as a picture.

use crate::args::{GraphArgs, Picture};
use crate::failure::Failure;
use crate::names::clean;
use crate::opened::Opened;
use crate::output::{Outcome, Output};
use crate::svg;
use rust_messenger::message_bus::{HandlerRecord, HeaderDamage, JournalTable, MessageRecord, RouteRecord};
use rust_messenger::routing::{Graph, Table, TableHandler, TableRoute, TableWorker};
use rust_messenger::traits::Layout;

pub fn graph(args: &GraphArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    opened.warn(&args.file);
    let table = opened.info.table.as_ref().ok_or_else(|| Failure::no_table(&args.file))?;
    let picture = with_table(&readable(table), |table| match args.format {
        Picture::Mermaid => Graph::of(table).to_mermaid(),
        Picture::Dot => Graph::of(table).to_dot(),
        Picture::Svg => svg::draw(table),
    });
    let mut output = Output::new();
    output.text(&picture)?;
    output.flush()?;
    // What the messages are like is not in the picture.
    Ok(Outcome::damaged_if(opened.info.damage.contains(&HeaderDamage::Table)))
}

/// The table with names that can stand in a picture: identifiers, and a type for every id.
fn readable(table: &JournalTable) -> JournalTable {
    let mut readable = table.clone();
    readable.name = identifier(&table.name);
    readable.handlers.iter_mut().for_each(|handler| handler.name = clean(&handler.name));
    readable.messages.iter_mut().for_each(|message| message.name = clean(&message.name));
    for worker in &mut readable.workers {
        worker.name = identifier(&worker.name);
        worker.members.iter_mut().for_each(|(name, _)| *name = identifier(name));
        let receivers = worker.routes.iter_mut().flat_map(|route| &mut route.receivers);
        receivers.for_each(|receiver| *receiver = identifier(receiver));
    }
    let routes = || table.workers.iter().flat_map(|worker| &worker.routes);
    let members = table.workers.iter().flat_map(|worker| &worker.members).map(|(_, id)| *id);
    for id in members.chain(routes().map(|route| route.source)) {
        if readable.handler(id).is_none() {
            readable.handlers.push(HandlerRecord { id, name: format!("#{id}") });
        }
    }
    for id in routes().map(|route| route.message) {
        if readable.message(id).is_none() {
            let (name, encoding) = (format!("#{id}"), String::new());
            readable.messages.push(MessageRecord { id, name, encoding, size: 0, align: 0 });
        }
    }
    readable
}

/// Lends a readable table as the library's graph wants it.
fn with_table<R>(table: &JournalTable, draw: impl FnOnce(&Table<'_>) -> R) -> R {
    let mut parts = Vec::new();
    for worker in &table.workers {
        let handlers = worker.members.iter().map(|(name, id)| handler_of(table, name, *id));
        let receivers = worker.routes.iter().map(|route| route.receivers.iter().map(String::as_str).collect());
        parts.push((handlers.collect::<Vec<_>>(), receivers.collect::<Vec<Vec<&str>>>()));
    }
    let routes = table.workers.iter().zip(&parts).map(|(worker, (_, receivers))| {
        let routes = worker.routes.iter().zip(receivers);
        routes.map(|(route, receivers)| route_of(table, route, receivers)).collect()
    });
    let routes: Vec<Vec<TableRoute<'_>>> = routes.collect();
    let workers = table.workers.iter().zip(&parts).zip(&routes);
    let workers = workers.map(|((worker, (handlers, _)), routes)| TableWorker { name: &worker.name, handlers, routes });
    draw(&Table { name: &table.name, workers: &workers.collect::<Vec<_>>() })
}

fn handler_of<'a>(table: &'a JournalTable, name: &'a str, id: u16) -> TableHandler<'a> {
    TableHandler { name, type_name: table.handler(id).unwrap_or_default(), id, allow_unrouted: false }
}

fn route_of<'a>(table: &'a JournalTable, route: &RouteRecord, receivers: &'a [&'a str]) -> TableRoute<'a> {
    TableRoute {
        source: table.handler(route.source).unwrap_or_default(),
        source_id: route.source,
        message: table.message(route.message).unwrap_or_default(),
        message_id: route.message,
        layout: Layout::UNKNOWN,
        receivers,
    }
}

/// In a journal that the library has made these are identifiers already, and as such they stand in the picture.
fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    name.trim_start_matches("r#").chars().map(plain).collect()
}
