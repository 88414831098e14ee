//! `rmsg graph`: the routing table of the header as a picture.

use crate::args::{GraphArgs, Picture};
use crate::failure::Failure;
use crate::names::clean;
use crate::opened::Opened;
use crate::output::{Outcome, Output};
use crate::svg;
use rust_messenger::message_bus::{HeaderDamage, JournalTable};
use rust_messenger::routing::{Graph, Table, TableHandler, TableRoute, TableWorker};
use rust_messenger::traits::Layout;

pub fn graph(args: &GraphArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    opened.warn(&args.file);
    let table = opened.info.table.as_ref().ok_or_else(|| Failure::no_table(&args.file))?;
    let table = kept(table);
    let picture = match args.format {
        Picture::Mermaid => Graph::of(table).to_mermaid(),
        Picture::Dot => Graph::of(table).to_dot(),
        Picture::Svg => svg::draw(table),
    };
    let mut output = Output::new();
    output.text(&picture)?;
    output.flush()?;
    // What the messages are like is not in the picture.
    Ok(Outcome::damaged_if(opened.info.damage.contains(&HeaderDamage::Table)))
}

/// The table as the library's graph wants it: alive for as long as the program. It is made once, so nothing is lost by
/// never giving it back.
fn kept(table: &JournalTable) -> &'static Table {
    let handler = |id: u16| table.handler(id).map_or_else(|| format!("#{id}"), clean);
    let message = |id: u16| table.message(id).map_or_else(|| format!("#{id}"), clean);
    let workers = table.workers.iter().map(|worker| TableWorker {
        name: text(identifier(&worker.name)),
        handlers: list(worker.members.iter().map(|(name, id)| TableHandler {
            name: text(identifier(name)),
            type_name: text(handler(*id)),
            id: *id,
            allow_unrouted: false,
        })),
        routes: list(worker.routes.iter().map(|route| TableRoute {
            source: text(handler(route.source)),
            source_id: route.source,
            message: text(message(route.message)),
            message_id: route.message,
            layout: Layout::UNKNOWN,
            receivers: list(route.receivers.iter().map(|receiver| text(identifier(receiver)))),
        })),
    });
    Box::leak(Box::new(Table { name: text(identifier(&table.name)), workers: list(workers) }))
}

fn text(text: String) -> &'static str {
    text.leak()
}

fn list<T>(items: impl Iterator<Item = T>) -> &'static [T] {
    items.collect::<Vec<T>>().leak()
}

/// In a journal that the library has made these are identifiers already, and as such they stand in the picture.
fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    name.trim_start_matches("r#").chars().map(plain).collect()
}
