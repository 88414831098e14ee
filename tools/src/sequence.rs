//! `rmsg journal sequence`: who sent what to whom, in Mermaid's language
//! (<https://mermaid.js.org/syntax/sequenceDiagram.html>).

use crate::args::SequenceArgs;
use crate::contents::Contents;
use crate::entry::{described, utc};
use crate::failure::Failure;
use crate::meter::Meter;
use crate::names::plain;
use crate::opened::Opened;
use crate::output::{Outcome, Output};
use crate::scan::{Selection, is_damage, scan};
use rust_messenger::message_bus::Entry;
use rust_messenger::routing::{Table, TableHandler};
use std::collections::{HashMap, HashSet};

pub fn sequence(args: &SequenceArgs) -> Result<Outcome, Failure> {
    let opened = Opened::new(&args.file)?;
    let mut outcome = opened.warn(&args.file);
    let Opened { journal, info, names } = opened;
    let table = info.table.as_ref().ok_or_else(|| Failure::no_table(&args.file))?;
    let mut selection = Selection::new(&args.chosen, &names)?;
    // Refuses a type, which nothing here is read by.
    Contents::new(None, &args.chosen, &names)?;
    let mut day = String::new();
    let mut output = Output::new();
    let mut cast = table.with(|last| Cast::of(table.handlers(), last));
    output.text(&cast.opening)?;
    let mut meter = Meter::printing_work(info.retained_from, info.file_len);
    scan(&journal, &mut selection, &mut meter, |entry| {
        if is_damage(entry) {
            outcome = Outcome::Damaged;
        }
        if let Entry::Message { header, time, requeued, .. } = entry {
            let from = header.source;
            if cast.known.insert(from) {
                output.line(&format!("    participant h{from} as {}", text(&names.source(from))))?;
                cast.everybody.push(from);
            }
            let moment = utc(time.as_nanos());
            let (date, time) = moment.split_once('T').unwrap_or(("", &moment));
            if day != date {
                date.clone_into(&mut day);
                output.line(&format!("    Note over {}: {date}, UTC", cast.all()))?;
            }
            let message = text(&names.message(header.message));
            let mut label = format!("{} {message} @{}", time.trim_end_matches('Z'), header.position);
            if let Some(position) = requeued {
                label += &format!(", requeued from @{position}");
            }
            match cast.receivers.get(&(from, header.message)) {
                Some(receivers) => {
                    for to in receivers {
                        output.line(&format!("    h{from}->>h{to}: {label}"))?;
                    }
                }
                None => output.line(&format!("    Note over h{from}: {label}, to nobody"))?,
            }
        } else if let Some((span, name, what)) = described(entry) {
            if cast.everybody.is_empty() {
                // A note needs somebody to stand over.
                cast.everybody.push(0);
                cast.known.insert(0);
                output.line("    participant h0 as #35;0")?;
            }
            let over = cast.all();
            output.line(&format!("    Note over {over}: {name} @{}, {} bytes, {what}", span.position, span.len))?;
        }
        Ok(())
    })?;
    output.flush()?;
    Ok(outcome)
}

/// Who may appear, and who gets what from whom.
struct Cast {
    /// The beginning of the diagram, which brings them on.
    opening: String,
    known: HashSet<u16>,
    /// In the order of the diagram.
    everybody: Vec<u16>,
    /// Of this message from this source.
    receivers: HashMap<(u16, u16), Vec<u16>>,
}

impl Cast {
    /// Of all handlers that the journal knows, and of the table.
    fn of<'a>(handlers: impl Iterator<Item = (u16, &'a str)>, table: &Table<'_>) -> Cast {
        let mut cast = Cast {
            opening: "sequenceDiagram\n".to_owned(),
            known: HashSet::new(),
            everybody: Vec::new(),
            receivers: HashMap::new(),
        };
        let members = || table.workers.iter().flat_map(|worker| worker.handlers);
        for (id, name) in handlers.filter(|(id, _)| members().all(|member| member.id != *id)) {
            cast.enter("    ", id, &text(name));
        }
        for worker in table.workers {
            // Without a colour a name like `Red` would be one.
            cast.opening += &format!("    box transparent {}\n", text(&plain(worker.name)));
            for TableHandler { name, type_name, id, .. } in worker.handlers {
                let name = if type_name.is_empty() { plain(name) } else { (*type_name).to_owned() };
                cast.enter("        ", *id, &text(&name));
            }
            cast.opening += "    end\n";
            for route in worker.routes {
                let receivers = cast.receivers.entry((route.source_id, route.message_id)).or_default();
                for receiver in route.receivers {
                    let member = worker.handlers.iter().find(|handler| handler.name == *receiver);
                    receivers.extend(member.map(|handler| handler.id).filter(|id| !receivers.contains(id)));
                }
            }
        }
        cast.receivers.retain(|_, receivers| !receivers.is_empty());
        cast
    }

    /// Everybody, from the first to the last.
    fn all(&self) -> String {
        match self.everybody[..] {
            [] => String::new(),
            [only] => format!("h{only}"),
            [first, .., last] => format!("h{first},h{last}"),
        }
    }

    fn enter(&mut self, indent: &str, id: u16, name: &str) {
        if self.known.insert(id) {
            self.everybody.push(id);
            self.opening += &format!("{indent}participant h{id} as {name}\n");
        }
    }
}

/// Mermaid takes `#` for the start of an entity, `;` for the end of a line, and `<` for HTML.
fn text(text: &str) -> String {
    let escaped = |c| match c {
        '#' | ';' | '<' | '>' | '"' | '&' | '%' => format!("#{};", u32::from(c)),
        other => String::from(other),
    };
    crate::names::clean(text).chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_messenger::routing::{TableRoute, TableWorker};
    use rust_messenger::traits::Layout;

    #[test]
    fn receivers_are_counted_once_and_none_is_nobody() {
        let handlers = [TableHandler { name: "log", type_name: "Log", id: 7, allow_unrouted: false }];
        let route = |message_id, receivers| TableRoute {
            source: "",
            source_id: 1,
            message: "",
            message_id,
            layout: Layout::UNKNOWN,
            receivers,
        };
        let routes = [route(1, &["log"]), route(2, &["gone"])];
        let workers = ["One", "Two"].map(|name| TableWorker { name, handlers: &handlers, routes: &routes });
        let cast = Cast::of([(7, "Log")].into_iter(), &Table { name: "T", workers: &workers });
        assert_eq!(cast.receivers, HashMap::from([((1, 1), vec![7])]));
        assert_eq!(cast.everybody, [7]);
        assert_eq!(cast.opening.matches("participant h7 as Log").count(), 1);
    }

    #[test]
    fn nothing_in_a_name_is_taken_for_mermaid() {
        assert_eq!(text("Tick<'a>;\n#"), "Tick#60;'a#62;#59;\\u{a}#35;");
    }
}
