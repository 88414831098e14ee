//! A failure in words: what happened, by the names of the tables.

use super::case::Case;
use super::faults::Kind;
use super::node::Node;
use super::trace::{Event, Trace, What};
use super::world::Place;
use crate::routing::short;
use std::fmt::Write;

/// Who knows the names.
pub(super) struct Teller<'a, B> {
    pub(super) nodes: &'a [Node<B>],
    pub(super) places: &'a [Place],
}

/// What a journal has recorded of it otherwise than it was.
fn recorded(event: &Event) -> String {
    let Some(recorded) = event.recorded else { return String::new() };
    let cause = recorded.cause.unwrap_or(0);
    if (recorded.time, cause) == (event.time, event.cause) {
        return String::new();
    }
    format!(" (recorded at {} ns, on {cause})", recorded.time.as_nanos())
}

/// So many events are told.
const TOLD: usize = 24;

impl<B> Teller<'_, B> {
    fn source(&self, id: u16) -> String {
        let name = self.nodes.iter().find_map(|node| node.rows.source_name(id));
        name.map_or_else(|| format!("source {id}"), short)
    }

    fn message(&self, id: u16) -> String {
        let name = self.nodes.iter().find_map(|node| node.rows.message_name(id));
        name.map_or_else(|| format!("message {id}"), short)
    }

    fn worker(&self, place: u16) -> &'static str {
        self.places.get(usize::from(place)).map_or("outside", |place| place.name)
    }

    /// What happened, in a line.
    pub(super) fn event(&self, event: &Event) -> String {
        let header = &event.header;
        let message =
            || format!("{} of {} at {}", self.message(header.message), self.source(header.source), header.position);
        let cause = || if event.cause == 0 { String::new() } else { format!(", on {}", event.cause) };
        let worker = self.worker(event.place);
        let what = match event.what {
            What::Began => format!("{worker:<12} begins at {}", header.position),
            What::Begun => format!("{worker:<12} -> {}, but does not come to its end", message()),
            What::Handled if event.replayed => format!("{worker:<12} -> {} (replayed)", message()),
            What::Handled => format!("{worker:<12} -> {}", message()),
            What::Spoilt => format!("{worker:<12} -> {}, undecodable", message()),
            What::Written => format!("{worker:<12} <- {}{}{}", message(), cause(), recorded(event)),
            What::Fault(kind) => {
                let who = match kind {
                    Kind::Crash | Kind::Blackout | Kind::Stop => {
                        let node = self.nodes.get(usize::from(event.place)).map_or("", |node| node.name);
                        format!("node {node}")
                    }
                    _ => worker.to_owned(),
                };
                format!("{who:<12} !! {}", kind.name())
            }
        };
        let nanos = event.time.as_nanos();
        format!("{:>6} {:>4}.{:09} {what}", event.step, nanos / 1_000_000_000, nanos % 1_000_000_000)
    }

    pub(super) fn event_or_end(&self, trace: &Trace, place: usize) -> String {
        trace.events.get(place).map_or_else(|| "nothing more".to_owned(), |event| self.event(event))
    }

    /// Who does not do the same twice: who sent what differs, or else in which worker it is.
    pub(super) fn who(&self, traces: [&Trace; 2], place: usize) -> String {
        let events = || traces.iter().filter_map(|trace| trace.events.get(place));
        let written = events().find(|event| event.what == What::Written);
        let handler = |event: &Event| format!("handler {}", self.source(event.header.source));
        let worker = |event: &Event| {
            let place = self.places.get(usize::from(event.place))?;
            let table = self.nodes.get(usize::from(place.node))?.rows.table;
            let listed = table.workers.iter().find(|worker| worker.name == place.name)?;
            let handlers: Vec<_> = listed.handlers.iter().map(|handler| short(handler.type_name)).collect();
            Some(format!("worker {} ({})", place.name, handlers.join(", ")))
        };
        written.map(handler).or_else(|| events().find_map(worker)).unwrap_or_else(|| "somebody".to_owned())
    }

    /// How little is enough.
    pub(super) fn needed(&self, text: &mut String, least: &Case, all: (usize, usize), found: &str) {
        let Some(only) = &least.only else { return };
        let (faults, inputs) = (only.faults.len(), only.inputs.len());
        let _ = writeln!(text, "{faults} of {} faults and {inputs} of {} inputs are enough: {}", all.0, all.1, found);
    }

    /// The last steps.
    pub(super) fn steps(&self, text: &mut String, trace: &Trace, step: u32) {
        let first = trace.events.len().saturating_sub(TOLD);
        let _ = writeln!(
            text,
            "the last of its {} events, to step {step} (-> is handled, <- is written):",
            trace.events.len()
        );
        for event in &trace.events[first..] {
            let _ = writeln!(text, "{}", self.event(event));
        }
    }
}
