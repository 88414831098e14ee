//! `rmsg graph`: the routing table of the header as a picture.

use crate::args::{GraphArgs, Picture};
use crate::failure::Failure;
use crate::names::clean;
use crate::opened::Opened;
use crate::output::{Outcome, Output};
use crate::svg;
use rust_messenger::message_bus::HeaderDamage;
use rust_messenger::routing::{Table, TableHandler, TableRoute, TableWorker};

pub fn graph(args: &GraphArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    opened.warn(&args.file);
    let table = opened.info.table.as_ref().ok_or_else(|| Failure::no_table(&args.file))?;
    let picture = table.with(|table| {
        readable(table, |table| match args.format {
            Picture::Mermaid => table.to_mermaid(),
            Picture::Dot => table.to_dot(),
            Picture::Svg => svg::draw(table),
        })
    });
    let mut output = Output::new();
    output.text(&picture)?;
    output.flush()?;
    // What the messages are like is not in the picture.
    Ok(Outcome::damaged_if(opened.info.damage.contains(&HeaderDamage::Table)))
}

/// Lends the table with names that can stand in a picture: identifiers, and a type for every id.
fn readable<R>(table: &Table<'_>, draw: impl FnOnce(&Table<'_>) -> R) -> R {
    let mended: Vec<Mended> = table.workers.iter().map(Mended::of).collect();
    let receivers: Vec<_> = mended.iter().map(Mended::receivers).collect();
    let mut parts = Vec::new();
    for ((worker, mended), receivers) in table.workers.iter().zip(&mended).zip(&receivers) {
        let handlers = worker.handlers.iter().zip(&mended.handlers);
        let handlers = handlers.map(|(handler, (name, type_name))| TableHandler { name, type_name, ..*handler });
        let routes = worker.routes.iter().zip(&mended.routes).zip(receivers);
        let routes = routes.map(|((route, (source, message, _)), receivers)| TableRoute {
            source,
            message,
            receivers,
            ..*route
        });
        parts.push((handlers.collect::<Vec<_>>(), routes.collect::<Vec<_>>()));
    }
    let workers = mended.iter().zip(&parts);
    let workers = workers.map(|(worker, (handlers, routes))| TableWorker { name: &worker.name, handlers, routes });
    draw(&Table { name: &identifier(table.name), workers: &workers.collect::<Vec<_>>() })
}

/// The names of a worker that can stand in a picture.
struct Mended {
    name: String,
    /// The name and the type of each handler.
    handlers: Vec<(String, String)>,
    /// The source, the message and the receivers of each route.
    routes: Vec<(String, String, Vec<String>)>,
}

impl Mended {
    fn of(worker: &TableWorker<'_>) -> Mended {
        let typed = |name: &str, id: u16| if name.is_empty() { format!("#{id}") } else { clean(name) };
        let handlers = worker.handlers.iter();
        let routes = worker.routes.iter().map(|route| {
            let receivers = route.receivers.iter().map(|receiver| identifier(receiver)).collect();
            (typed(route.source, route.source_id), typed(route.message, route.message_id), receivers)
        });
        Mended {
            name: identifier(worker.name),
            handlers: handlers.map(|it| (identifier(it.name), typed(it.type_name, it.id))).collect(),
            routes: routes.collect(),
        }
    }

    fn receivers(&self) -> Vec<Vec<&str>> {
        self.routes.iter().map(|(_, _, receivers)| receivers.iter().map(String::as_str).collect()).collect()
    }
}

/// In a journal that the library has made these are identifiers already, and as such they stand in the picture.
fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    name.trim_start_matches("r#").chars().map(plain).collect()
}
