//! Which types this node takes from a stream, and since when: its consumer there keeps it.
//!
//! A consumer's floor says what was acknowledged, and not what became of it: what no worker here receives is
//! acknowledged, too, and is on no journal. So a table that receives more than the one before it would miss what that one
//! passed by.

use crate::protocol::{Catalog, escape};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The name of the consumer's metadata.
pub(super) const TAKES: &str = "Rm-Takes";
/// Its first field.
const VERSION: &str = "1";

/// The types that are taken, each as the two tokens of its subjects, with the sequence behind which all of it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Takes(BTreeMap<String, u64>);

impl Takes {
    /// What a consumer keeps. Of what cannot be read nothing is known.
    pub(super) fn read(text: &str) -> Takes {
        Takes::parse(text).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Takes> {
        let mut fields = text.split(' ');
        fields.next().filter(|version| *version == VERSION)?;
        let mut takes = Takes::default();
        while let Some(of) = fields.next() {
            takes.0.insert(of.to_owned(), fields.next()?.parse().ok()?);
        }
        Some(takes)
    }

    /// What a node takes by `catalog` whose consumer has kept this so far, and which goes on behind `floor`.
    pub(super) fn and(&self, catalog: &Catalog, floor: u64) -> Takes {
        let of = |handler: &str, message: &str| {
            let key = key(handler, message);
            // The floor is earlier where the stream was set back: what follows it comes again.
            let since = self.0.get(&key).map_or(floor, |since| floor.min(*since));
            (key, since)
        };
        Takes(catalog.rows().iter().map(|row| of(&row.handler, &row.message)).collect())
    }

    /// Whether a message of those types was taken that the stream has as `sequence`.
    pub(super) fn has(&self, handler: &str, message: &str, sequence: u64) -> bool {
        self.0.get(&key(handler, message)).is_some_and(|since| sequence > *since)
    }

    /// As the consumer keeps it, in so many bytes: of a type that finds no room nothing is known later.
    pub(super) fn text(&self, most: usize) -> String {
        let mut text = VERSION.to_owned();
        for (of, since) in &self.0 {
            let end = text.len();
            // Writing to a string does not fail.
            let _ = write!(text, " {of} {since}");
            if text.len() > most {
                text.truncate(end);
                break;
            }
        }
        text
    }
}

fn key(handler: &str, message: &str) -> String {
    format!("{}.{}", escape(handler), escape(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_messenger::routing::{Table, TableRoute, TableWorker};
    use rust_messenger::traits::Layout;

    /// The handler `A<B>` sends these.
    fn catalog(messages: &[&str]) -> Catalog {
        let route = |(id, message): (usize, &&'static str)| TableRoute {
            source: "A<B>",
            source_id: 1,
            message,
            message_id: id as u16,
            layout: Layout::variable("number"),
            receivers: &["c"],
        };
        let messages: Vec<&'static str> = messages.iter().map(|message| message.to_string().leak() as &str).collect();
        let routes: Vec<TableRoute<'_>> = messages.iter().enumerate().map(route).collect();
        let workers = [TableWorker { name: "elsewhere", handlers: &[], routes: &routes }];
        Catalog::of(&Table { name: "T", workers: &workers }, |_| true)
    }

    #[test]
    fn a_type_is_taken_since_the_first_of_the_tables_in_a_row_that_receive_it() {
        let first = Takes::default().and(&catalog(&["C"]), 7);
        assert_eq!(first.text(1000), "1 A=3CB=3E.C 7");
        let second = Takes::read(&first.text(1000)).and(&catalog(&["D", "C"]), 20);
        assert_eq!(second.text(1000), "1 A=3CB=3E.C 7 A=3CB=3E.D 20");
        let is_taken = |message, sequence| second.has("A<B>", message, sequence);
        assert_eq!(
            [("C", 7), ("C", 8), ("D", 20), ("D", 21), ("E", 21)].map(|(of, at)| is_taken(of, at)),
            [false, true, false, true, false]
        );
        // Nothing is behind the floor there that was passed by.
        assert_eq!(second.and(&catalog(&["D"]), 12).text(1000), "1 A=3CB=3E.D 12");
    }

    #[test]
    fn what_cannot_be_read_or_finds_no_room_is_not_known() {
        for text in ["", "1 A.B", "1 A.B x", "1 A.B 1 ", "2 A.B 1", "A.B 1"] {
            assert_eq!(Takes::read(text), Takes::default(), "{text:?}");
        }
        let takes = Takes::read("1 A.B 1 A.C 2");
        assert!(takes.has("A", "B", 2) && takes.has("A", "C", 3));
        assert_eq!([13, 12, 1].map(|most| takes.text(most)), ["1 A.B 1 A.C 2", "1 A.B 1", "1"]);
    }
}
