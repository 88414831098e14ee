//! A routing table as a picture.

use super::table::{Table, TableHandler, TableRoute, TableWorker, plain, short};
use std::fmt;

/// An arrow of a graph: from a node to a receiver, labelled with the message.
struct Arrow<'a> {
    from: String,
    to: String,
    message: &'a str,
}

/// The table as a picture: of its handlers, by worker, and of the messages between them.
impl<'a> Table<'a> {
    /// The picture in Mermaid's flowchart language (<https://mermaid.js.org/syntax/flowchart.html>).
    pub fn to_mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for worker in self.workers {
            text += &format!("    subgraph {}\n", plain(worker.name));
            for handler in worker.handlers {
                let (node, label) = (node(worker, handler.name), mermaid_label(&handler.label()));
                text += &format!("        {node}[\"{label}\"]\n");
            }
            text += "    end\n";
        }
        for source in self.outside() {
            text += &format!("    {}([\"{}\"])\n", outside_node(source), mermaid_label(&short(source)));
        }
        for Arrow { from, to, message } in self.arrows() {
            text += &format!("    {from} -- \"{}\" --> {to}\n", mermaid_label(&short(message)));
        }
        text
    }

    /// The picture in Graphviz's language (<https://graphviz.org/doc/info/lang.html>).
    pub fn to_dot(&self) -> String {
        // Quoted, because `Graph` is a keyword there, in any case of letters.
        let mut text = format!("digraph \"{}\" {{\n    rankdir=LR;\n", plain(self.name));
        for worker in self.workers {
            text += &format!("    subgraph cluster_{0} {{\n        label=\"{0}\";\n", plain(worker.name));
            for handler in worker.handlers {
                let (node, label) = (node(worker, handler.name), dot_label(&handler.label()));
                text += &format!("        {node} [label=\"{label}\", shape=box];\n");
            }
            text += "    }\n";
        }
        for source in self.outside() {
            text += &format!("    {} [label=\"{}\"];\n", outside_node(source), dot_label(&short(source)));
        }
        for Arrow { from, to, message } in self.arrows() {
            text += &format!("    {from} -> {to} [label=\"{}\"];\n", dot_label(&short(message)));
        }
        text + "}\n"
    }

    /// Sources that are no handler of the table: outside threads write in their name.
    fn outside(&self) -> Vec<&'a str> {
        let mut outside = Vec::new();
        for route in self.workers.iter().flat_map(|worker| worker.routes) {
            if self.senders(route).is_empty() && !outside.contains(&route.source) {
                outside.push(route.source);
            }
        }
        outside
    }

    fn senders(&self, route: &TableRoute<'_>) -> Vec<String> {
        let of = |worker: &'a TableWorker<'a>| {
            worker
                .handlers
                .iter()
                .filter(|handler| handler.id == route.source_id)
                .map(|handler| node(worker, handler.name))
        };
        self.workers.iter().flat_map(of).collect()
    }

    fn arrows(&self) -> Vec<Arrow<'a>> {
        let mut arrows = Vec::new();
        for worker in self.workers {
            for route in worker.routes {
                let mut senders = self.senders(route);
                if senders.is_empty() {
                    senders.push(outside_node(route.source));
                }
                for from in senders {
                    for receiver in route.receivers {
                        arrows.push(Arrow { from: from.clone(), to: node(worker, receiver), message: route.message });
                    }
                }
            }
        }
        arrows
    }
}

/// Mermaid, as [`Table::to_mermaid`].
impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_mermaid())
    }
}

impl TableHandler<'_> {
    fn label(&self) -> String {
        format!("{}: {}", plain(self.name), short(self.type_name))
    }
}

fn node(worker: &TableWorker<'_>, handler: &str) -> String {
    format!("{}_{}", plain(worker.name), plain(handler))
}

fn outside_node(source: &str) -> String {
    let plain: String = source.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    format!("outside_{plain}")
}

/// Mermaid takes `<` for HTML and `#` for the start of an entity.
fn mermaid_label(text: &str) -> String {
    let escaped = |c| match c {
        '#' => "#35;".to_owned(),
        '"' => "#quot;".to_owned(),
        '<' => "#lt;".to_owned(),
        '>' => "#gt;".to_owned(),
        other => String::from(other),
    };
    text.chars().map(escaped).collect()
}

fn dot_label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
