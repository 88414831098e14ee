//! A named ring as tables: what `rmsg stat`, `rmsg top` and `rmsg heal` show of it.
//!
//! Knows neither terminals nor colours: a cell says what it is, and whoever prints it chooses.

use crate::names::{clean, plain};
use crate::output::Ink;
use rust_messenger::message_bus::{AttachmentStats, NamedReaderStats, NamedStats, NamedWriterStats};
use std::time::Duration;

/// A piece of text, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub ink: Option<Ink>,
}

/// How a column is aligned, and how wide it is at least.
#[derive(Clone, Copy, Debug)]
enum Column {
    Left(usize),
    Right(usize),
}

/// How fast a ring goes: what two looks differ by.
#[derive(Debug)]
pub struct Rates {
    pub messages: f64,
    pub bytes: f64,
    /// For each reader of the second look; `None` if it was not there at the first one.
    pub readers: Vec<Option<f64>>,
    /// For each writer, likewise.
    pub writers: Vec<Option<f64>>,
}

impl Rates {
    /// By which `now` differs from `before`, which was so much earlier.
    pub fn between(before: &NamedStats, now: &NamedStats, time: Duration) -> Rates {
        let seconds = time.as_secs_f64().max(1e-6);
        // What is counted by others may be anything.
        let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds;
        let is_of =
            |reader: &NamedReaderStats, stats: &NamedStats| (pid_of(stats, reader.attachment), reader.name.clone());
        let readers = matched(&now.readers, &before.readers, |it| is_of(it, now), |it| is_of(it, before));
        let of = |writer: &NamedWriterStats, stats: &NamedStats| (pid_of(stats, writer.attachment), writer.worker);
        let writers = matched(&now.writers, &before.writers, |it| of(it, now), |it| of(it, before));
        Rates {
            messages: rate(before.messages, now.messages),
            bytes: rate(before.bytes, now.bytes),
            readers: readers.map(|(now, before)| before.map(|before| rate(before.handled, now.handled))).collect(),
            writers: writers.map(|(now, before)| before.map(|before| rate(before.messages, now.messages))).collect(),
        }
    }
}

/// Each of `now` with the one of `before` that is called the same: of several the first with the first, and so on.
fn matched<'a, T, K: PartialEq>(
    now: &'a [T],
    before: &'a [T],
    key_now: impl Fn(&T) -> K,
    key_before: impl Fn(&T) -> K,
) -> impl Iterator<Item = (&'a T, Option<&'a T>)> {
    let mut left: Vec<_> = before.iter().map(|it| (key_before(it), it)).collect();
    now.iter().map(move |it| {
        let key = key_now(it);
        let place = left.iter().position(|(other, _)| *other == key);
        (it, place.map(|place| left.remove(place).1))
    })
}

/// All that there is to say, line by line.
pub fn lines(stats: &NamedStats, rates: Option<&Rates>) -> Vec<Vec<Cell>> {
    let mut lines = summary(stats, rates);
    let tables = [processes(stats), readers(stats, rates), writers(stats, rates)];
    for (head, columns, rows) in tables.into_iter().filter(|(_, _, rows)| !rows.is_empty()) {
        lines.push(Vec::new());
        lines.extend(table(&head, &columns, rows));
    }
    lines
}

fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ink: None }
}

fn inked(ink: Ink, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ink: Some(ink) }
}

fn summary(stats: &NamedStats, rates: Option<&Rates>) -> Vec<Vec<Cell>> {
    let field = |name: &str, value: Cell| vec![inked(Ink::Faint, format!("{name:<10}")), value];
    let writers = if stats.one_writer { "one writer" } else { "many writers" };
    let used = stats.tail.wrapping_sub(stats.gate);
    let speed = |rate: Option<f64>| rate.map(|rate| format!("  {}/s", number(rate))).unwrap_or_default();
    let mut lines = vec![
        field("ring", cell(format!("{} bytes, for {writers}", stats.capacity))),
        field("tail", cell(format!("{}, {} in use", stats.tail, bar(used, stats.capacity)))),
        field("gate", cell(stats.gate.to_string())),
        field("messages", cell(format!("{}{}", stats.messages, speed(rates.map(|rates| rates.messages))))),
        field("bytes", cell(format!("{}{}", stats.bytes, speed(rates.map(|rates| rates.bytes))))),
        field("full", cell(stats.full.to_string())),
        field("sealed", cell(stats.sealed.to_string())),
        field("lock", lock(stats)),
    ];
    let named = |names: &[(u16, String)]| {
        names.iter().map(|(id, name)| format!("{} = {id}", plain(name))).collect::<Vec<_>>().join(", ")
    };
    for (name, names) in [("handlers", &stats.handler_names), ("messages", &stats.message_names)] {
        if !names.is_empty() {
            lines.push(field(name, cell(named(names))));
        }
    }
    lines
}

fn lock(stats: &NamedStats) -> Cell {
    let Some(holder) = stats.lock.and_then(|holder| stats.attachments.get(holder)) else { return cell("free") };
    let Cell { text, ink } = state(holder);
    let held = format!("held by {}, {text}", called(holder));
    Cell { text: held, ink }
}

/// A process, as one says it in a sentence.
pub fn called(attachment: &AttachmentStats) -> String {
    match attachment.pid {
        Some(pid) => format!("process {pid} ({})", clean(&attachment.program)),
        None => "a process that is gone".to_owned(),
    }
}

fn state(attachment: &AttachmentStats) -> Cell {
    match attachment {
        AttachmentStats { alive: false, .. } => inked(Ink::Alarm, "dead"),
        AttachmentStats { paused: true, .. } => inked(Ink::Notice, "paused"),
        _ => cell("alive"),
    }
}

/// How much of `whole` that is.
fn bar(part: u64, whole: u64) -> String {
    const WIDTH: u64 = 10;
    let (part, whole) = (part.min(whole), whole.max(1));
    let of = |all: u64| u128::from(part) * u128::from(all);
    // What is there at all is seen.
    let filled = (of(WIDTH) + u128::from(whole / 2)) / u128::from(whole);
    let filled = filled.max(u128::from(part != 0)) as usize;
    let percent = of(100) / u128::from(whole);
    format!("{}{} {percent:>3} %", "\u{2588}".repeat(filled), "\u{2591}".repeat(WIDTH as usize - filled))
}

/// Of a rate what matters.
fn number(rate: f64) -> String {
    match rate {
        rate if rate >= 1e9 => format!("{:.1}G", rate / 1e9),
        rate if rate >= 1e6 => format!("{:.1}M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.1}k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

fn pid_of(stats: &NamedStats, attachment: usize) -> Option<u32> {
    stats.attachments.get(attachment).and_then(|attachment| attachment.pid)
}

fn pid_cell(stats: &NamedStats, attachment: usize) -> Cell {
    let Some(attachment) = stats.attachments.get(attachment) else { return cell("-") };
    let Cell { ink, .. } = state(attachment);
    Cell { text: attachment.pid.map_or("-".to_owned(), |pid| pid.to_string()), ink }
}

type Table = (Vec<&'static str>, Vec<Column>, Vec<Vec<Cell>>);

/// As wide as a pid gets.
const PID: Column = Column::Right(7);

fn processes(stats: &NamedStats) -> Table {
    let rows = stats.attachments.iter().enumerate().map(|(place, it)| {
        let holds = |whose: &dyn Fn() -> usize, what: &str| match whose() {
            0 => None,
            1 => Some(format!("1 {what}")),
            many => Some(format!("{many} {what}s")),
        };
        let readers = holds(&|| stats.readers.iter().filter(|it| it.attachment == place).count(), "reader");
        let writers = holds(&|| stats.writers.iter().filter(|it| it.attachment == place).count(), "writer");
        let lock = (stats.lock == Some(place)).then(|| "the lock".to_owned());
        let all = [readers, writers, lock].into_iter().flatten().collect::<Vec<_>>();
        vec![pid_cell(stats, place), state(it), cell(clean(&it.program)), cell(all.join(", "))]
    });
    let columns = vec![PID, Column::Left(6), Column::Left(16), Column::Left(0)];
    (vec!["PROCESS", "STATE", "PROGRAM", "HOLDS"], columns, rows.collect())
}

fn readers(stats: &NamedStats, rates: Option<&Rates>) -> Table {
    let mut head = vec!["READER", "PROCESS", "POSITION", "BEHIND", "BYTES", "MESSAGES", "HANDLED"];
    let mut columns = vec![Column::Left(12), PID, Column::Right(10), Column::Left(16)];
    columns.extend([Column::Right(9), Column::Right(9), Column::Right(9)]);
    if rates.is_some() {
        head.push("/S");
        columns.push(Column::Right(7));
    }
    head.extend(["OUTBOX", "AT MOST", "IS"]);
    columns.extend([Column::Right(7), Column::Right(7), Column::Left(0)]);
    let rows = stats.readers.iter().enumerate().map(|(place, it)| {
        let lag = bar(it.lag, stats.capacity);
        // A reader that is to be moved on holds nobody up.
        let is_late = !it.evictable && it.lag > stats.capacity / 2;
        let mut row = vec![
            inked(Ink::Strong, clean(&it.name)),
            pid_cell(stats, it.attachment),
            cell(it.position.to_string()),
            Cell { text: lag, ink: is_late.then_some(Ink::Notice) },
            cell(it.lag.to_string()),
            cell(it.lag_messages.to_string()),
            cell(it.handled.to_string()),
        ];
        if let Some(rates) = rates {
            row.push(rate_cell(rates.readers.get(place)));
        }
        row.extend([cell(it.outbox.to_string()), cell(it.outbox_high_water.to_string()), cell(is(it))]);
        row
    });
    (head, columns, rows.collect())
}

fn is(reader: &NamedReaderStats) -> String {
    let lost = (reader.losses != 0).then(|| format!("lost {}", reader.losses));
    let words = [(reader.asleep, "asleep"), (reader.evictable, "evictable"), (reader.held, "held")];
    let words = words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word.to_owned());
    words.chain(lost).collect::<Vec<_>>().join(", ")
}

fn rate_cell(rate: Option<&Option<f64>>) -> Cell {
    cell(rate.copied().flatten().map_or("-".to_owned(), number))
}

fn writers(stats: &NamedStats, rates: Option<&Rates>) -> Table {
    let mut head = vec!["WRITER", "PROCESS", "MESSAGES", "BYTES"];
    let mut columns = vec![Column::Left(12), PID, Column::Right(10), Column::Right(12)];
    if rates.is_some() {
        head.push("/S");
        columns.push(Column::Right(7));
    }
    let rows = stats.writers.iter().enumerate().map(|(place, it)| {
        let kind = if it.worker { "worker" } else { "outside" };
        let mut row = vec![
            inked(Ink::Strong, kind),
            pid_cell(stats, it.attachment),
            cell(it.messages.to_string()),
            cell(it.bytes.to_string()),
        ];
        if let Some(rates) = rates {
            row.push(rate_cell(rates.writers.get(place)));
        }
        row
    });
    (head, columns, rows.collect())
}

/// The lines of a table, each column as wide as what is in it.
fn table(head: &[&str], columns: &[Column], rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let head = head.iter().map(|text| inked(Ink::Faint, *text)).collect();
    let rows: Vec<Vec<Cell>> = [vec![head], rows].concat();
    let width = |column: usize| rows.iter().map(|row| row[column].text.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let last = columns.len() - 1;
    let line = |row: Vec<Cell>| {
        let mut line = Vec::new();
        for (place, Cell { text, ink }) in row.into_iter().enumerate() {
            if place > 0 {
                line.push(cell("  "));
            }
            let text = match columns[place] {
                Column::Right(least) => format!("{text:>0$}", least.max(widths[place])),
                Column::Left(_) if place == last => text,
                Column::Left(least) => format!("{text:<0$}", least.max(widths[place])),
            };
            line.push(Cell { text, ink });
        }
        line
    };
    rows.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_whatever_there_is_and_no_more_than_all() {
        for (part, whole, expected) in [
            (0, 4096, "..........   0 %"),
            (1, 4096, "#.........   0 %"),
            (2048, 4096, "#####.....  50 %"),
            (4095, 4096, "##########  99 %"),
            (4096, 4096, "########## 100 %"),
            (u64::MAX, 4096, "########## 100 %"),
            (u64::MAX, u64::MAX, "########## 100 %"),
            (0, 0, "..........   0 %"),
        ] {
            let plain = bar(part, whole).replace('\u{2588}', "#").replace('\u{2591}', ".");
            assert_eq!(plain, expected, "{part} of {whole}");
        }
    }

    #[test]
    fn rates_are_short() {
        for (rate, expected) in [(0.0, "0"), (9999.4, "9999"), (12_345.0, "12.3k"), (4.56e6, "4.6M"), (7.89e9, "7.9G")]
        {
            assert_eq!(number(rate), expected);
        }
    }

    /// Whoever comes and goes in between is compared with nobody, and of two of one name each with its own.
    #[test]
    fn who_was_there_before_is_compared_with_itself() {
        let (before, now) = ([('a', 1), ('b', 2), ('a', 3)], [('b', 4), ('a', 5), ('c', 6), ('a', 7), ('a', 8)]);
        let found = matched(&now, &before, |it| it.0, |it| it.0);
        let found: Vec<_> = found.map(|(now, before)| (now.1, before.map(|before| before.1))).collect();
        assert_eq!(found, [(4, Some(2)), (5, Some(1)), (6, None), (7, Some(3)), (8, None)]);
    }
}
