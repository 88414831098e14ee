//! Who sends in a table, and what of that it routes: how what nobody receives is found.

use super::index::{Id, Index};
use super::table::{Table, TableWorker, row};
use crate::traits::{AFTER_EVENTS, FIRST_OF_LIBRARY, Header};

/// Who sends in a table, and what of that it routes. Sorted, because it is asked for every message that falls through
/// the routes of a worker.
#[derive(Debug)]
pub struct Rows {
    /// The table.
    pub table: &'static Table<'static>,
    /// The ids of handlers and sources, but of those that may send what nobody receives.
    pub sources: &'static [u32],
    /// The rows: source and message in one number.
    pub routed: &'static [u32],
}

impl Rows {
    /// Whether this is a message of one of the table's sources that no route of it carries.
    pub fn misses(&self, header: &Header) -> bool {
        self.routed.binary_search(&row(header.source, header.message)).is_err()
            && self.sources.binary_search(&header.source.into()).is_ok()
            && !(FIRST_OF_LIBRARY..AFTER_EVENTS).contains(&header.message)
    }

    /// The type of a source, as spelled in the table.
    pub fn source_name(&self, id: u16) -> Option<&'static str> {
        let workers = self.table.workers.iter();
        let handlers =
            workers.clone().flat_map(|worker| worker.handlers).map(|handler| (handler.id, handler.type_name));
        let sources = workers.flat_map(|worker| worker.routes).map(|route| (route.source_id, route.source));
        handlers.chain(sources).find(|(source, _)| *source == id).map(|(_, name)| name)
    }

    /// The type of a message, as spelled in the table.
    pub fn message_name(&self, id: u16) -> Option<&'static str> {
        let mut routes = self.table.workers.iter().flat_map(|worker| worker.routes);
        routes.find(|route| route.message_id == id).map(|route| route.message)
    }
}

/// How many rows a table has.
pub const fn routed_count(table: &Table<'_>) -> usize {
    let (mut count, mut w) = (0, 0);
    while w < table.workers.len() {
        count += table.workers[w].routes.len();
        w += 1;
    }
    count
}

/// The rows of a table, sorted.
pub const fn routed<const N: usize>(table: &Table<'_>) -> [u32; N] {
    let (mut rows, mut n, mut w) = ([0; N], 0, 0);
    while w < table.workers.len() {
        let routes = table.workers[w].routes;
        let mut i = 0;
        while i < routes.len() {
            rows[n] = row(routes[i].source_id, routes[i].message_id);
            (n, i) = (n + 1, i + 1);
        }
        w += 1;
    }
    sorted(rows)
}

/// The ids of a table's handlers and sources, sorted; more than any id in the place of those marked
/// `#[allow(unrouted)]`.
pub const fn sources<const N: usize>(index: &Index<'_, N>) -> [u32; N] {
    let (mut sources, mut n, mut w) = ([u32::MAX; N], 0, 0);
    while w < index.table.workers.len() {
        let TableWorker { handlers, routes, .. } = &index.table.workers[w];
        let mut i = 0;
        while i < handlers.len() + routes.len() {
            let id = if i < handlers.len() { handlers[i].id } else { routes[i - handlers.len()].source_id };
            if let Some(Id { may_be_unrouted: false, .. }) = index.sender_id(id) {
                sources[n] = id as u32;
            }
            (n, i) = (n + 1, i + 1);
        }
        w += 1;
    }
    sorted(sources)
}

/// Heap sort, because the compiler ends evaluations that take long: a table may have thousands of rows.
const fn sorted<const N: usize>(mut numbers: [u32; N]) -> [u32; N] {
    let (mut start, mut end) = (N / 2, N);
    while end > 1 {
        if start > 0 {
            start -= 1;
        } else {
            end -= 1;
            (numbers[0], numbers[end]) = (numbers[end], numbers[0]);
        }
        let mut parent = start;
        while 2 * parent + 1 < end {
            let mut child = 2 * parent + 1;
            if child + 1 < end && numbers[child] < numbers[child + 1] {
                child += 1;
            }
            if numbers[parent] >= numbers[child] {
                break;
            }
            (numbers[parent], numbers[child]) = (numbers[child], numbers[parent]);
            parent = child;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 8192;

    const fn backwards() -> [u32; COUNT] {
        let mut numbers = [0; COUNT];
        let mut i = 0;
        while i < COUNT {
            numbers[i] = (COUNT - i) as u32 / 2;
            i += 1;
        }
        numbers
    }

    /// In a constant: the compiler would refuse to go on with one that takes the square of this many steps.
    #[test]
    #[cfg_attr(miri, ignore = "a minute, and no memory but constants")]
    fn the_rows_of_a_large_table_are_sorted() {
        static SORTED: [u32; COUNT] = sorted(backwards());
        let mut expected = backwards();
        expected.sort();
        assert!(SORTED == expected);
        assert_eq!(sorted([]), [0; 0]);
        assert_eq!(sorted([3]), [3]);
        assert_eq!(sorted([3, 1, 2]), [1, 2, 3]);
    }
}
