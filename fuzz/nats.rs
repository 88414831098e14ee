//! What the fuzzer of a stream's headers does with any bytes; `cargo test` in `nats/` does it with those that were kept.

use super::protocol::{Arrival, Arrivals, Catalog, Entry, Names, Subject};
use rust_messenger::routing::{Table, TableRoute, TableWorker};
use rust_messenger::traits::Layout;
use std::collections::HashMap;

/// Parts messages of one another in the input.
const BETWEEN: &str = "\n\n";

/// Reads the input as messages of a stream: a line with the subject, then a line with each header. Whatever they are,
/// what is read is written as it was, and what is written to the bus grows within its incarnation, of which no other one
/// comes in between.
pub fn headers(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let layout = Layout::variable("number");
    let routes = [TableRoute { source: "A", source_id: 1, message: "B", message_id: 2, layout, receivers: &["c"] }];
    let workers = [TableWorker { name: "here", handlers: &[], routes: &routes }];
    let catalog = Catalog::of(&Table { name: "T", workers: &workers }, |_| true);
    let Ok(names) = Names::new("shop", "till") else { return };
    let mut arrivals = Arrivals::new(names, 0, None);
    let (mut written, mut current) = (HashMap::new(), None);
    for (message, sequence) in text.split(BETWEEN).zip(1..) {
        let mut lines = message.split('\n');
        let subject = lines.next().unwrap_or_default();
        if let Ok(parsed) = Subject::parse(subject) {
            assert_eq!(parsed.to_string(), subject);
        }
        let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
        let entry = Entry::from_headers(headers.iter().copied());
        if let Ok(entry) = &entry {
            let (name, value) = entry.to_header();
            assert!(headers.contains(&(name, value.as_str())), "{entry:?} is written as {value}");
        }
        if let Arrival::Write(head) = arrivals.take(sequence, subject, headers, &catalog) {
            assert_eq!((head.source, head.message, head.layout.codec.as_str()), (1, 2, "number"));
            let incarnation = head.origin.incarnation;
            let last = written.insert(incarnation, head.position);
            assert!(last < Some(head.position), "{last:?} came before {head:?}");
            let is_new = current.replace(incarnation) != Some(incarnation);
            assert!(!is_new || last.is_none(), "{head:?} comes back to what was over");
        }
    }
}
