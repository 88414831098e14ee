//! A routing table meets that of a journal: what is added, what has another name, and what is refused.

use super::table::{HandlerRecord, JournalTable, MessageRecord};
use crate::encoding::shape::Difference;
use crate::routing;
use std::fmt;

/// Why a routing table does not fit a journal. A name must keep the meaning with which messages were written under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TableChange {
    /// A message has another id, name, encoding, size or alignment than in the journal.
    Message {
        /// The journal's.
        journal: MessageRecord,
        /// The table's.
        table: MessageRecord,
    },
    /// A handler has another id or name than in the journal.
    Handler {
        /// The journal's.
        journal: HandlerRecord,
        /// The table's.
        table: HandlerRecord,
    },
    /// The bytes of a message mean something else than in the journal.
    Shape {
        /// The message.
        message: MessageRecord,
        /// The journal's shape.
        journal: String,
        /// The table's.
        table: String,
        /// Where they first differ.
        difference: Difference,
    },
    /// What is said to be renamed is not.
    Renamed {
        /// The name it had.
        old: String,
        /// The name it has.
        new: String,
        /// What is wrong with that.
        problem: &'static str,
    },
}

/// What to say of a change that may be of the name alone.
fn cure(f: &mut fmt::Formatter<'_>, what: &str, old: &str, new: Option<&str>) -> fmt::Result {
    write!(f, "; give a changed {what} another id and another name")?;
    match new {
        Some(new) => write!(f, ", or, if nothing but its name has changed, open with `.renamed(\"{old}\", \"{new}\")`"),
        None => Ok(()),
    }
}

impl fmt::Display for TableChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableChange::Message { journal, table } => {
                write!(f, "message {journal} of the journal is {table} in the routing table")?;
                let is_renamed = MessageRecord { name: table.name.clone(), ..journal.clone() } == *table;
                cure(f, "message", &journal.name, Some(table.name.as_str()).filter(|_| is_renamed))
            }
            TableChange::Handler { journal, table } => {
                let (HandlerRecord { id: a, name: old }, HandlerRecord { id: b, name: new }) = (journal, table);
                write!(f, "handler {old} = {a} of the journal is {new} = {b} in the routing table")?;
                cure(f, "handler", old, Some(new.as_str()).filter(|_| a == b))
            }
            TableChange::Shape { message, journal, table, difference: Difference { at, written, read } } => {
                let MessageRecord { name, id, .. } = message;
                write_shapes(f, name, *id, journal, table, (at, written, read))
            }
            TableChange::Renamed { old, new, problem } => write!(f, "`.renamed(\"{old}\", \"{new}\")`: {problem}"),
        }
    }
}

/// Says that a message has changed: in the journal, and in the table.
pub(crate) fn write_shapes(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    id: u16,
    journal: &str,
    table: &str,
    (at, written, read): (&str, &str, &str),
) -> fmt::Result {
    write!(f, "message {name} = {id} has changed")?;
    if !at.is_empty() {
        write!(f, " at `{at}`, from `{written}` to `{read}`")?;
    }
    write!(
        f,
        ".\n  in the journal:        {journal}\n  in the routing table:  {table}\nGive the changed message another name and \
         another id, keep {name} = {id} as it was in the routing table, and let its handler convert it"
    )
}

impl JournalTable {
    /// What opening this journal with `table` would be refused for, in words; the names on the left of `renamed` are
    /// those that messages and handlers had before, as in
    /// [`PersistentOptions::renamed`](crate::message_bus::PersistentOptions::renamed). Empty: the journal opens.
    ///
    /// ```
    /// use rust_messenger::message_bus::JournalTable;
    ///
    /// let journal = "message\t7\tTick\tpostcard\t0\t0\nshape\t7\t{price: u32}\n";
    /// let changed = JournalTable::parse(&journal.replace("u32", "i32")).expect("a table");
    /// let journal = JournalTable::parse(journal).expect("a table");
    ///
    /// assert_eq!(journal.check(&journal, &[]), [""; 0]);
    /// let said = journal.check(&changed, &[]);
    /// assert!(said[0].starts_with("message Tick = 7 has changed at `price`, from `u32` to `i32`"));
    /// ```
    pub fn check(&self, table: &JournalTable, renamed: &[(&str, &str)]) -> Vec<String> {
        let (_, changes) = table.clone().merged(self, renamed);
        changes.iter().map(TableChange::to_string).collect()
    }

    /// This table, with what only `older` has added to it; refused if the two disagree.
    pub(crate) fn merge(
        self,
        older: &JournalTable,
        renamed: &[(&str, &str)],
    ) -> Result<JournalTable, Box<TableChange>> {
        let (merged, changes) = self.merged(older, renamed);
        changes.into_iter().next().map_or(Ok(merged), |change| Err(Box::new(change)))
    }

    /// The same, with everything in which they disagree.
    fn merged(mut self, older: &JournalTable, renamed: &[(&str, &str)]) -> (JournalTable, Vec<TableChange>) {
        let (older, mut changes) = older.rename(renamed, &self);
        let mut added = Vec::new();
        for old in &older.messages {
            match other_with(&self.messages, &older.messages, old, |record| (record.id, &record.name)) {
                None => added.push(old.clone()),
                Some(new) if is_same_message(old, new) => {
                    // Once nobody said how it is encoded; what is said now cannot be compared.
                    let is_known = old.encoding == new.encoding;
                    let changed =
                        self.shapes.adopt(old.id, older.shapes.get(old.id).filter(|_| is_known), &old.encoding);
                    changes.extend(changed.err().map(|(journal, table, difference)| TableChange::Shape {
                        message: new.clone(),
                        journal,
                        table,
                        difference,
                    }));
                }
                Some(new) => changes.push(TableChange::Message { journal: old.clone(), table: new.clone() }),
            }
        }
        for old in &added {
            self.shapes.extend(older.shapes.get(old.id).map(|kept| (old.id, kept.clone())));
        }
        self.messages.extend(added);
        let mut added = Vec::new();
        for old in &older.handlers {
            match other_with(&self.handlers, &older.handlers, old, |record| (record.id, &record.name)) {
                None => added.push(old.clone()),
                Some(new) if new.id == old.id && is_same_name(&new.name, &old.name) => {}
                Some(new) => changes.push(TableChange::Handler { journal: old.clone(), table: new.clone() }),
            }
        }
        self.handlers.extend(added);
        (self, changes)
    }

    /// This table with the names that `newer` has for its messages and handlers, and what is wrong with them.
    fn rename(&self, renamed: &[(&str, &str)], newer: &JournalTable) -> (JournalTable, Vec<TableChange>) {
        let (mut table, mut changes) = (self.clone(), Vec::new());
        for (place, &(old, new)) in renamed.iter().enumerate() {
            let messages = rename_in(
                &mut table.messages,
                |record| &mut record.name,
                newer.messages.iter().map(|record| &record.name),
                (old, new),
            );
            let handlers = rename_in(
                &mut table.handlers,
                |record| &mut record.name,
                newer.handlers.iter().map(|record| &record.name),
                (old, new),
            );
            let is_said_before = renamed[..place].iter().any(|(said, _)| *said == old);
            let problem = if old == new {
                Some("both names are the same")
            } else if is_said_before {
                Some("the old name is renamed twice")
            } else {
                match (messages, handlers) {
                    (Err(Misnamed::NotThere), Err(Misnamed::NotThere)) => {
                        Some("the routing table has no message and no handler of the new name")
                    }
                    (Err(Misnamed::Both), _) | (_, Err(Misnamed::Both)) => Some("the journal has both names already"),
                    (Err(Misnamed::StillThere), _) | (_, Err(Misnamed::StillThere)) => {
                        Some("the routing table still has the old name")
                    }
                    _ => None,
                }
            };
            let change = |problem| TableChange::Renamed { old: old.to_owned(), new: new.to_owned(), problem };
            changes.extend(problem.map(change));
        }
        (table, changes)
    }
}

/// Whether two names may be those of one type: equal, or equal without the path that one of them has.
fn is_same_name(one: &str, other: &str) -> bool {
    let (a, b) = (routing::short(one), routing::short(other));
    one == other || a == b && (a == one || b == other)
}

fn is_same_message(old: &MessageRecord, new: &MessageRecord) -> bool {
    let encoded = |record: &MessageRecord| (record.encoding.clone(), record.size, record.align);
    old.id == new.id && is_same_name(&old.name, &new.name) && (encoded(old) == encoded(new) || old.encoding.is_empty())
}

/// The record of a new table that has the id of `old`, or else its name, unless that is another one's of the old table.
fn other_with<'a, R>(new: &'a [R], older: &[R], old: &R, key: impl Fn(&R) -> (u16, &String)) -> Option<&'a R> {
    let (id, name) = key(old);
    let is_known = |record: &R| {
        let (id, name) = key(record);
        older.iter().map(&key).any(|(known, its)| known == id && is_same_name(its, name))
    };
    let same_id = new.iter().find(|record| key(record).0 == id);
    same_id.or_else(|| new.iter().find(|record| is_same_name(key(record).1, name) && !is_known(record)))
}

/// Why something is not renamed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Misnamed {
    /// The table has nothing of the new name.
    NotThere,
    /// The table has something of the old name.
    StillThere,
    /// The journal has both names.
    Both,
}

/// Renames one kind of records, if the table has the new name in this kind.
fn rename_in<'a, R>(
    records: &mut [R],
    name: impl Fn(&mut R) -> &mut String,
    newer: impl Iterator<Item = &'a String> + Clone,
    (old, new): (&str, &str),
) -> Result<(), Misnamed> {
    let is_in_table = |asked: &str| newer.clone().any(|name| is_same_name(name, asked));
    if !is_in_table(new) {
        return Err(Misnamed::NotThere);
    }
    if is_in_table(old) {
        return Err(Misnamed::StillThere);
    }
    let mut place_of = |asked: &str| records.iter_mut().position(|record| is_same_name(name(record), asked));
    match (place_of(old), place_of(new)) {
        (Some(_), Some(_)) => Err(Misnamed::Both),
        (Some(place), None) => {
            *name(&mut records[place]) = new.to_owned();
            Ok(())
        }
        // It was renamed in an earlier opening, or was never there.
        (None, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u16, name: &str, size: u64) -> MessageRecord {
        MessageRecord { id, name: name.to_owned(), encoding: "plain".to_owned(), size, align: 8 }
    }

    fn table(messages: Vec<MessageRecord>, handlers: &[(u16, &str)]) -> JournalTable {
        let handlers = handlers.iter().map(|&(id, name)| HandlerRecord { id, name: name.to_owned() }).collect();
        let mut table = JournalTable::default();
        (table.messages, table.handlers) = (messages, handlers);
        table
    }

    #[test]
    fn additions_merge_and_changes_are_refused() {
        let old = table(vec![message(1, "Tick", 8), message(2, "Tock", 8)], &[(1, "A"), (2, "B")]);
        let new = table(vec![message(1, "Tick", 8), message(3, "New", 8)], &[(1, "A"), (3, "C")]);
        let merged = new.merge(&old, &[]).unwrap();
        assert_eq!(merged.messages.iter().map(|m| m.id).collect::<Vec<_>>(), [1, 3, 2]);
        assert_eq!(merged.handlers.iter().map(|h| h.id).collect::<Vec<_>>(), [1, 3, 2]);
        for changed in [message(1, "Tack", 8), message(1, "Tick", 16), message(9, "Tick", 8)] {
            let error = table(vec![changed.clone()], &[]).merge(&old, &[]).unwrap_err();
            assert_eq!(*error, TableChange::Message { journal: message(1, "Tick", 8), table: changed });
        }
        for changed in [(1, "X"), (9, "A")] {
            let error = table(vec![], &[changed]).merge(&old, &[]).unwrap_err();
            assert!(matches!(*error, TableChange::Handler { .. }), "{error}");
        }
    }

    /// Two types of one name in two modules, with an id each.
    #[test]
    fn types_of_one_name_are_told_apart() {
        let both = |first, second| table(vec![message(1, first, 8), message(2, second, 8)], &[(1, first), (2, second)]);
        let journal = both("buy::Order", "sell::Order");
        assert_eq!(journal.clone().merge(&journal, &[]), Ok(journal.clone()));
        // One that came later: before, there was no other, and it was without its path.
        let before = table(vec![message(1, "Order", 8)], &[(1, "Order")]);
        assert_eq!(journal.clone().merge(&before, &[]), Ok(journal.clone()));
        assert_eq!(before.clone().merge(&journal, &[]).unwrap().messages.len(), 2);
        // They have changed their ids, and so have their bytes.
        assert!(both("sell::Order", "buy::Order").merge(&journal, &[]).is_err());
        // A name that goes from one id to another is still refused.
        let other = table(vec![message(3, "Order", 8)], &[]);
        assert!(other.merge(&before, &[]).is_err());
    }

    #[test]
    fn what_is_renamed_keeps_its_id_and_nonsense_is_refused() {
        let journal = table(vec![message(1, "Tick", 8), message(2, "Tock", 8)], &[(1, "Clock"), (2, "Bell")]);
        let new = table(vec![message(1, "Beat", 8), message(2, "Tock", 8)], &[(1, "Watch"), (2, "Bell")]);
        let renamed = [("Tick", "Beat"), ("Clock", "Watch")];
        assert_eq!(new.clone().merge(&journal, &renamed), Ok(new.clone()));
        // Once more, and on a journal that has nothing yet.
        assert_eq!(new.clone().merge(&new, &renamed), Ok(new.clone()));
        assert_eq!(new.clone().merge(&JournalTable::default(), &renamed), Ok(new.clone()));
        // The cure is said.
        let error = new.clone().merge(&journal, &[]).unwrap_err().to_string();
        assert!(error.ends_with("open with `.renamed(\"Tick\", \"Beat\")`"), "{error}");
        let error = table(vec![message(1, "Beat", 9)], &[]).merge(&journal, &[]).unwrap_err().to_string();
        assert!(!error.contains("renamed"), "{error}");
        // Two that have become one, as long as one of them is there.
        let earlier = [("Tick", "Beat"), ("Pulse", "Beat"), ("Clock", "Watch")];
        assert_eq!(new.clone().merge(&journal, &earlier), Ok(new.clone()));
        // A rename is of the name alone.
        let moved = table(vec![message(9, "Beat", 8)], &[]);
        assert!(matches!(*moved.merge(&journal, &renamed[..1]).unwrap_err(), TableChange::Message { .. }));
        for (renamed, expected) in [
            (&[("Tick", "Tick")][..], "both names are the same"),
            (&[("Tick", "Beat"), ("Tick", "Tock")], "the old name is renamed twice"),
            (&[("Tick", "Baet")], "has no message and no handler of the new name"),
            (&[("Tock", "Beat")], "the routing table still has the old name"),
        ] {
            let said: Vec<String> = journal.check(&new, renamed);
            assert!(said.iter().any(|said| said.contains(expected)), "{renamed:?}: {said:?}");
        }
        let both = table(vec![message(1, "Beat", 8), message(3, "Tick", 8)], &[]);
        let said = both.check(&new, &renamed[..1]);
        assert!(said[0].ends_with("the journal has both names already"), "{said:?}");
    }
}
