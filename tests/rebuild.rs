//! Rebuilds: history handled again must come out as it did, and where the record ends the handlers go on.
//!
//! The workers are stepped by hand on journals in files, so that every stop is where the test wants it.

#![cfg(all(unix, not(miri), not(rust_messenger_loom)))]

#[path = "rebuild/check_snapshot.rs"]
mod check_snapshot;
#[cfg(feature = "serde")]
#[path = "../fuzz/corpus.rs"]
mod corpus;
#[path = "rebuild/killed.rs"]
mod killed;
#[cfg(feature = "serde")]
#[path = "../fuzz/fuzz_targets/snapshot_bytes.rs"]
mod snapshot_bytes;
mod support;

use rust_messenger::Messenger;
use rust_messenger::message_bus::{Entry, Journal, PersistentBus, PersistentOptions, Retention, Start};
use rust_messenger::messenger::Step;
use rust_messenger::messenger::{self, Cause, StartError};
use rust_messenger::testing::ManualClock;
use rust_messenger::traits::{
    BusWriter, CursorError, DecodeError, DeserializeFrom, Divergence, Due, ExtendedMessage, Handle, Handler, Message,
    MessageBus, New, Publish, Reader, Report, Sender, SubscribeError, Time, WriteError, Writer,
};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::within;

/// A message of one number, encoded by hand.
macro_rules! number_message {
    ($name:ident, $id:literal) => {
        #[derive(Debug, PartialEq)]
        struct $name(u64);

        impl Message for $name {
            type Id = u16;
            const ID: u16 = $id;
        }

        impl ExtendedMessage for $name {
            fn get_size(&self) -> usize {
                8
            }

            fn write_into(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.0.to_le_bytes());
            }
        }

        impl DeserializeFrom for $name {
            fn deserialize_from(buffer: &[u8]) -> Self {
                Self::try_deserialize_from(buffer).unwrap()
            }

            fn try_deserialize_from(buffer: &[u8]) -> Result<Self, DecodeError> {
                let bytes = buffer.try_into().map_err(|_| DecodeError::new("not eight bytes"))?;
                Ok($name(u64::from_le_bytes(bytes)))
            }
        }
    };
}

#[path = "rebuild/again.rs"]
mod again;
#[path = "rebuild/many.rs"]
mod many;
#[path = "rebuild/restarts.rs"]
mod restarts;
#[path = "rebuild/snapshots.rs"]
mod snapshots;

number_message!(Input, 1);
number_message!(Output, 2);
number_message!(Extra, 3);
number_message!(Hello, 4);

const OUTSIDE: u16 = 1;

struct Outside;

impl Handler for Outside {
    type Id = u16;
    const ID: u16 = OUTSIDE;
}

/// What a summing handler does.
#[derive(Clone, Default)]
struct Config {
    /// On which input it sends one message more.
    more_on: Option<u64>,
    /// On which input it sends nothing.
    less_on: Option<u64>,
    /// On which input it says that it cannot go on.
    fails_on: Option<u64>,
    /// On which input it fills a message that sends another one meanwhile.
    nested_on: Option<u64>,
    /// Whether it wants to be in its loop all the time.
    impatient: bool,
    /// What it has handled, and when it thought that was.
    handled: Arc<Mutex<Vec<(u64, Time)>>>,
    /// How often it was in its loop.
    loops: Arc<Mutex<u64>>,
}

struct Summer {
    sum: u64,
    config: Config,
}

impl Handler for Summer {
    type Id = u16;
    const ID: u16 = 2;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        Self::send(&Hello(0), writer);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.config.impatient.then_some(Time::default())
    }

    fn on_loop<W: Writer>(&mut self, _: &W) {
        *self.config.loops.lock().unwrap() += 1;
    }
}

impl New<Config> for Summer {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        Summer { sum: 0, config: config.clone() }
    }
}

impl Handle<Input> for Summer {
    fn handle<W: Writer>(&mut self, input: &Input, writer: &W) {
        self.config.handled.lock().unwrap().push((input.0, writer.now()));
        self.sum += input.0;
        if self.config.fails_on == Some(input.0) {
            return writer.fail("told to");
        }
        if self.config.less_on == Some(input.0) {
            return;
        }
        Self::send(&Output(self.sum), writer);
        if input.0.is_multiple_of(2) {
            // Filled in place, and with the time: exact all the same.
            let now = writer.now().as_nanos();
            writer
                .write(Self::ID, Extra::ID, 8, |bytes| bytes.copy_from_slice(&now.to_le_bytes()))
                .unwrap_or_else(|error| writer.report(Report::Unsent { source: Self::ID, message: Extra::ID, error }));
        }
        if self.config.nested_on == Some(input.0) {
            let fill = |bytes: &mut [u8]| {
                bytes.fill(1);
                Self::send(&Extra(78), writer);
            };
            writer.write(Self::ID, Extra::ID, 8, fill).unwrap();
            // One that gives up has sent nothing.
            let gives_up = |_: &mut [u8]| std::panic::resume_unwind(Box::new("no"));
            let written = std::panic::AssertUnwindSafe(|| writer.write(Self::ID, Extra::ID, 8, gives_up));
            assert!(std::panic::catch_unwind(written).is_err());
            Self::send(&Extra(79), writer);
        }
        if self.config.more_on == Some(input.0) {
            Self::send(&Extra(77), writer);
        }
    }
}

Messenger! {
    Config,
    Sums:
        handlers: [ summer: Summer ]
        routes: [ Outside, Input: [ summer ] ]
}

mod twice {
    use super::{Config, Input, Outside, Summer};

    rust_messenger::Messenger! {
        Config,
        Sums:
            handlers: [ summer: Summer ]
            routes: [ Outside, Input: [ summer ] ]
        Again:
            handlers: [ summer: Summer ]
            routes: [ Outside, Input: [ summer ] ]
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    (directory, path)
}

fn options(start: Start) -> PersistentOptions {
    PersistentOptions { step: 64 * 1024, start, ..PersistentOptions::default() }.table(Messenger::table())
}

/// Opens the journal, lets the worker do all that there is to do after these inputs came, and drops it as it is.
///
/// # Errors
///
/// What ended the worker.
fn run(path: &Path, config: &Config, start: Start, inputs: &[u64]) -> Result<(), Cause> {
    run_until(path, config, start, inputs, || ())
}

/// The same; looks at the end at what there is before the journal is closed.
fn run_until<R>(
    path: &Path,
    config: &Config,
    start: Start,
    inputs: &[u64],
    look: impl FnOnce() -> R,
) -> Result<R, Cause> {
    let (bus, recovered) = PersistentBus::open(path, options(start)).unwrap();
    assert!(!recovered.is_damaged());
    let messenger = Messenger::new(bus.clone());
    let mut workers = messenger.workers(config).unwrap();
    let outside = messenger.writer().unwrap();
    for input in inputs {
        Outside::try_send(&Input(*input), &outside).unwrap();
    }
    while workers.step() == Step::Worked {}
    drop(outside);
    let seen = look();
    match workers.conclude() {
        Ok(_) => Ok(seen),
        Err(mut error) => Err(error.failures.remove(0).cause),
    }
}

/// What is in the journal: source, message, number, and whether it has a cause.
fn content(path: &Path) -> Vec<(u16, u16, u64, bool)> {
    let journal = Journal::open(path).unwrap();
    let (mut entries, mut content) = (journal.entries(), Vec::new());
    while let Some(entry) = entries.next().unwrap() {
        let (header, payload, cause) = match entry {
            Entry::Message { header, payload, cause, .. } => (header, payload, cause),
            Entry::Sealed(_) => continue,
            other => panic!("{other:?}"),
        };
        assert!(cause < header.position);
        content.push((header.source, header.message, u64::from_le_bytes(payload.try_into().unwrap()), cause != 0));
    }
    content
}

/// The numbers of the outputs.
fn outputs(path: &Path) -> Vec<u64> {
    content(path).into_iter().filter(|(_, message, ..)| *message == Output::ID).map(|(_, _, sum, _)| sum).collect()
}

fn divergence(cause: &Cause) -> &Divergence {
    let Cause::Failed { handler: "summer", error } = cause else { panic!("{cause}") };
    match error.downcast_ref() {
        Some(WriteError::Diverged(divergence)) => divergence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_sent_names_its_cause() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Latest, &[1, 2]).unwrap();
    let journal = Journal::open(&path).unwrap();
    let (mut entries, mut seen, mut inputs) = (journal.entries(), Vec::new(), Vec::new());
    while let Some(Entry::Message { header, cause, .. }) = entries.next().unwrap() {
        if header.message == Input::ID {
            inputs.push(header.position);
        }
        seen.push((header.message, inputs.iter().position(|input| *input == cause)));
    }
    let expected = [
        (Input::ID, None),
        (Input::ID, None),
        (Hello::ID, None),
        (Output::ID, Some(0)),
        (Output::ID, Some(1)),
        (Extra::ID, Some(1)),
    ];
    assert_eq!(seen, expected);
    let table = journal.info().unwrap().table.unwrap();
    assert_eq!(
        (table.message(Input::ID), table.handler(2), table.message(Output::ID)),
        (Some("Input"), Some("Summer"), None)
    );
}

/// A worker sends in its loop and at its start, too: what it has handled before is no cause of that.
#[test]
fn what_is_sent_after_a_message_was_handled_names_no_cause() {
    let (_directory, path) = scratch();
    let (bus, _) = PersistentBus::open(&path, options(Start::Oldest)).unwrap();
    let outside = bus.writer().unwrap();
    let mut reader = bus.subscribe("Sums").unwrap();
    let writer = bus.worker_writer(&reader).unwrap();
    let write = || writer.write_bytes(Summer::ID, Output::ID, &7_u64.to_le_bytes()).unwrap();
    outside.write_bytes(OUTSIDE, Input::ID, &7_u64.to_le_bytes()).unwrap();
    write();
    let cause = reader.try_read(|header, _| {
        write();
        header.position
    });
    write();
    let journal = Journal::open(&path).unwrap();
    let (mut entries, mut causes) = (journal.entries(), Vec::new());
    while let Some(Entry::Message { cause, .. }) = entries.next().unwrap() {
        causes.push(cause);
    }
    assert_eq!(causes, [0, 0, cause.unwrap(), 0]);
}

/// The whole state comes back, at the times of the first run, nothing is written twice, and it goes on from there.
#[test]
fn a_rebuild_repeats_history_and_writes_none_of_it() {
    let (_directory, path) = scratch();
    let first = Config::default();
    run(&path, &first, Start::Rebuild, &[1, 2, 3, 4]).unwrap();
    let before = content(&path);
    for _ in 0..3 {
        let again = Config::default();
        run(&path, &again, Start::Rebuild, &[]).unwrap();
        assert_eq!(content(&path), before, "a rebuild wrote");
        assert_eq!(*again.handled.lock().unwrap(), *first.handled.lock().unwrap(), "not the same, or at other times");
    }
    run(&path, &Config::default(), Start::Rebuild, &[5]).unwrap();
    assert_eq!(outputs(&path), [1, 3, 6, 10, 15]);
}

/// What nobody receives was counted when it was new.
#[test]
fn what_is_replayed_is_not_counted_again() {
    let (_directory, path) = scratch();
    let unrouted = |start, inputs: &[u64]| {
        let (bus, _) = PersistentBus::open(&path, options(start)).unwrap();
        let messenger = Messenger::new(bus);
        let mut workers = messenger.workers(&Config::default()).unwrap();
        let outside = messenger.writer().unwrap();
        for input in inputs {
            Outside::try_send(&Input(*input), &outside).unwrap();
        }
        while workers.step() == Step::Worked {}
        messenger.stats().unrouted
    };
    // The greeting, and one output for each input: no route takes them.
    assert_eq!(unrouted(Start::Rebuild, &[1, 3, 5]), 4);
    assert_eq!(unrouted(Start::Rebuild, &[]), 0);
    assert_eq!(unrouted(Start::Rebuild, &[7]), 1);
    assert_eq!(unrouted(Start::Oldest, &[]), 5 + 5, "handled again in earnest, and answered again");
}

/// Timers and loops are not in the journal; until history is over there are none.
#[test]
fn there_are_no_loops_within_history() {
    let (_directory, path) = scratch();
    let inputs: Vec<u64> = (0..1000).collect();
    run(&path, &Config::default(), Start::Rebuild, &inputs).unwrap();
    let config = Config { impatient: true, ..Config::default() };
    let (bus, _) = PersistentBus::open(&path, options(Start::Rebuild)).unwrap();
    let messenger = Messenger::new(bus);
    let mut workers = messenger.workers(&config).unwrap();
    loop {
        let step = workers.step();
        let handled = config.handled.lock().unwrap().len();
        if step != Step::Worked {
            break;
        }
        assert!(*config.loops.lock().unwrap() == 0 || handled == 1000, "a loop after {handled} of 1000");
    }
    assert!(*config.loops.lock().unwrap() > 0);
}

/// The process may have died anywhere: between an input and what is sent on it, and between two of those. Each cut of
/// the record is a place.
#[test]
fn where_the_record_ends_the_handlers_go_on() {
    let (_directory, path) = scratch();
    // Of a journal that was closed all is whole, and an end that is missing is damage.
    let read = || std::fs::read(&path).unwrap();
    let bytes = run_until(&path, &Config::default(), Start::Rebuild, &[1, 2, 3, 4], read).unwrap();
    let whole = content(&path);
    let positions: Vec<usize> = {
        let journal = Journal::open(&path).unwrap();
        let (mut entries, mut positions) = (journal.entries(), Vec::new());
        while let Some(Entry::Message { header, .. }) = entries.next().unwrap() {
            positions.push(header.position as usize);
        }
        positions
    };
    // Behind the inputs and the greeting.
    for cut in 5..positions.len() {
        let mut left = bytes.clone();
        left[positions[cut]..].fill(0);
        std::fs::write(&path, left).unwrap();
        run(&path, &Config::default(), Start::Rebuild, &[]).unwrap();
        assert_eq!(content(&path), whole, "cut before {cut}");
        assert_eq!(outputs(&path), [1, 3, 6, 10]);
    }
}

/// How a message becomes bytes is the handlers' own, whatever it does.
#[test]
fn a_fill_that_sends_is_repeated() {
    within("a fill that sends", || {
        let (_directory, path) = scratch();
        let config = Config { nested_on: Some(3), ..Config::default() };
        run(&path, &config, Start::Rebuild, &[1, 2, 3, 4]).unwrap();
        let whole = content(&path);
        run(&path, &config, Start::Rebuild, &[]).unwrap();
        assert_eq!(content(&path), whole);
    });
}

#[test]
fn what_a_fill_makes_is_compared_whatever_its_size() {
    for size in [0, 1, 16, 127, 128, 129, 1000] {
        let (_directory, path) = scratch();
        let sends = |start, last: u8| {
            let (bus, _) = PersistentBus::open(&path, options(start)).unwrap();
            if start == Start::Oldest {
                bus.writer().unwrap().write_bytes(OUTSIDE, Input::ID, &[0; 8]).unwrap();
            }
            let mut reader = bus.subscribe("Sums").unwrap();
            let writer = bus.worker_writer(&reader).unwrap();
            let fill = |bytes: &mut [u8]| {
                assert_eq!(bytes.as_ptr().align_offset(16), 0, "as in a journal");
                bytes.fill(7);
                bytes.iter_mut().rev().take(1).for_each(|byte| *byte = last);
            };
            reader.try_read(|_, _| writer.try_write(Summer::ID, Extra::ID, size, fill)).unwrap()
        };
        sends(Start::Oldest, 1).unwrap();
        assert_eq!(sends(Start::Rebuild, 1), Ok(()), "{size}");
        let other = sends(Start::Rebuild, 2);
        assert_eq!(matches!(other, Err(WriteError::Diverged(_))), size > 0, "{size}: {other:?}");
    }
}

/// They share what is to come next, whichever of them has looked for it.
#[test]
fn the_writers_of_a_worker_repeat_what_they_sent_in_turn() {
    let (_directory, path) = scratch();
    let numbers = [1u64, 2, 3, 4];
    let sends = |start, numbers: &[u64]| {
        let (bus, _) = PersistentBus::open(&path, options(start)).unwrap();
        if start == Start::Oldest {
            bus.writer().unwrap().write_bytes(OUTSIDE, Input::ID, &[0; 8]).unwrap();
        }
        let mut reader = bus.subscribe("Sums").unwrap();
        let one = bus.worker_writer(&reader).unwrap();
        let another = one.clone();
        let sent = reader.try_read(|_, _| {
            let mut writers = [&one, &another].into_iter().cycle();
            let send =
                |number: &u64| writers.next().unwrap().write_bytes(Summer::ID, Output::ID, &number.to_le_bytes());
            numbers.iter().try_for_each(send).and_then(|()| another.settle())
        });
        sent.unwrap()
    };
    assert_eq!(sends(Start::Oldest, &numbers), Ok(()));
    assert_eq!(sends(Start::Rebuild, &numbers), Ok(()));
    for others in [[1, 2, 3, 5].as_slice(), &[1, 3], &[1, 2, 3]] {
        let sent = sends(Start::Rebuild, others);
        assert!(matches!(sent, Err(WriteError::Diverged(_))), "{others:?}: {sent:?}");
    }
}

#[test]
fn the_first_difference_ends_the_rebuild_and_says_what_it_is() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Rebuild, &[1, 2, 3, 4]).unwrap();
    let before = content(&path);
    let position = {
        let journal = Journal::open(&path).unwrap();
        let mut entries = journal.entries();
        entries.next().unwrap();
        entries.position()
    };
    let diverges = |config: Config| {
        let cause = run(&path, &config, Start::Rebuild, &[]).unwrap_err();
        let found = divergence(&cause).clone();
        assert_eq!((found.source, found.handler.as_str()), (2, "Summer"));
        assert_eq!(content(&path), before, "a rebuild that failed wrote");
        (found, cause.to_string(), config.handled.lock().unwrap().len())
    };

    // Input 2 stands second.
    let (found, text, handled) = diverges(Config { less_on: Some(2), ..Config::default() });
    assert_eq!((found.position, handled), (position, 2));
    assert_eq!(found.expected.as_ref().map(|(message, bytes)| (*message, &bytes[..1])), Some((Output::ID, &[3][..])));
    assert_eq!(found.actual, None);
    assert!(text.contains("it sent message 2 [0300000000000000], now it sends nothing more"), "{text}");

    let (found, text, _) = diverges(Config { more_on: Some(2), ..Config::default() });
    assert_eq!((found.position, &found.expected), (position, &None));
    assert_eq!(found.actual.as_ref().map(|(message, bytes)| (*message, bytes[0])), Some((Extra::ID, 77)));
    assert!(text.contains("it sent nothing more, now it sends message 3 [4d00000000000000]"), "{text}");

    // The others are not touched by it.
    run(&path, &Config::default(), Start::Rebuild, &[5]).unwrap();
    assert_eq!(outputs(&path), [1, 3, 6, 10, 15]);
}

/// A worker that was started from the beginning once more has handled its history again, and sent all of that again.
/// A rebuild compares what was sent first; what came of the same causes later has nothing to be compared with.
#[test]
fn what_was_handled_twice_is_compared_once() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Rebuild, &[1, 2, 3]).unwrap();
    run(&path, &Config::default(), Start::Oldest, &[]).unwrap();
    assert_eq!(outputs(&path), [1, 3, 6, 1, 3, 6]);
    let before = content(&path);
    run(&path, &Config::default(), Start::Rebuild, &[]).unwrap();
    assert_eq!(content(&path), before, "a rebuild wrote");
    // And it still sees a difference in what came first.
    let changed = Config { less_on: Some(2), ..Config::default() };
    assert_eq!(divergence(&run(&path, &changed, Start::Rebuild, &[]).unwrap_err()).actual, None);
    run(&path, &Config::default(), Start::Rebuild, &[4]).unwrap();
    assert_eq!(outputs(&path), [1, 3, 6, 1, 3, 6, 10]);
}

/// A handler that fails within history ends where it did, and `resume` is the other way to start: what was handled is
/// not handled again.
#[test]
fn a_worker_resumes_behind_what_it_has_handled() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Resume, &[1, 2]).unwrap();
    let config = Config::default();
    run(&path, &config, Start::Resume, &[3]).unwrap();
    assert_eq!(config.handled.lock().unwrap().iter().map(|(input, _)| *input).collect::<Vec<_>>(), [3]);
    assert_eq!(outputs(&path), [1, 3, 3], "a new sum, of what came since");
    let failed = Config { fails_on: Some(4), ..Config::default() };
    assert!(run(&path, &failed, Start::Resume, &[4]).is_err());
}

/// Without its beginning a history says nothing; so workers that are rebuilt keep it, unless somebody says otherwise.
#[test]
fn a_rebuild_needs_the_whole_history() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Rebuild, &[1, 2, 3, 4]).unwrap();
    let retention = Retention { size: Some(0), ..Retention::default() };
    let retaining = |start, retention| PersistentOptions { retention, ..options(start) };
    let retained = |options: PersistentOptions| {
        let retained = PersistentBus::open(&path, options).unwrap().0.retain().unwrap();
        (retained.from, retained.pinned_by)
    };
    let first = Journal::open(&path).unwrap().info().unwrap().first;

    // Before any worker is there.
    let pinned = (first, Some("Sums".to_owned()));
    assert_eq!(retained(retaining(Start::Rebuild, retention)), pinned);
    assert_eq!(retained(retaining(Start::Oldest, retention).start_reader("Sums", Start::Rebuild)), pinned);
    let nothing = Retention { past_rebuilds: true, ..Retention::default() };
    assert_eq!(retained(retaining(Start::Rebuild, nothing)), (first, None), "it forgets nothing by itself");
    run(&path, &Config::default(), Start::Rebuild, &[5]).unwrap();
    assert_eq!(outputs(&path), [1, 3, 6, 10, 15]);

    // Nobody is rebuilt here, whatever is said of others.
    let (from, pinned_by) = {
        let copy = path.with_extension("copy");
        std::fs::copy(&path, &copy).unwrap();
        let options = retaining(Start::Rebuild, retention)
            .start_reader("Sums", Start::Latest)
            .start_reader("Nobody", Start::Rebuild);
        let retained = PersistentBus::open(&copy, options).unwrap().0.retain().unwrap();
        (retained.from, retained.pinned_by)
    };
    assert!(from > first && pinned_by.is_none(), "{from}, {pinned_by:?}");

    let (oldest, pinned_by) = retained(retaining(Start::Rebuild, Retention { past_rebuilds: true, ..retention }));
    assert!(oldest > first && pinned_by.is_none(), "{oldest}, {pinned_by:?}");
    let (bus, _) = PersistentBus::open(&path, retaining(Start::Rebuild, retention)).unwrap();
    let error = Messenger::new(bus.clone()).workers(&Config::default()).map(drop).unwrap_err();
    let StartError::Subscribe { error, .. } = error else { panic!("{error}") };
    assert_eq!(error, CursorError::HistoryGone { first, oldest }.into());
    let text = error.to_string();
    assert!(text.contains(&format!("{first}")) && text.contains(&format!("{oldest}")), "{text}");
    // What cannot be rebuilt keeps nothing.
    bus.writer().unwrap().write_bytes(1, 1, &[0; 8]).unwrap();
    assert_eq!(bus.retain().unwrap().from, bus.tail());
}

/// A rebuild has no cursor, and leaves the one alone that its worker has from other starts.
#[test]
fn a_difference_moves_no_cursor() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Resume, &[1, 2]).unwrap();
    let cursors = || Journal::open(&path).unwrap().cursors().unwrap();
    let before = cursors();
    let differs = Config { more_on: Some(1), ..Config::default() };
    divergence(&run(&path, &differs, Start::Rebuild, &[3]).unwrap_err());
    assert_eq!(cursors(), before);
    let config = Config::default();
    run(&path, &config, Start::Resume, &[]).unwrap();
    assert_eq!(config.handled.lock().unwrap().iter().map(|(input, _)| *input).collect::<Vec<_>>(), [3]);
}

/// Who sent what must be known: the table is needed, and a handler in one worker only.
#[test]
fn a_rebuild_without_knowing_who_sends_is_refused() {
    let (_directory, path) = scratch();
    let refused = |options: PersistentOptions, twice: bool| {
        let (bus, _) = PersistentBus::open(&path, options).unwrap();
        let error = if twice {
            twice::Messenger::new(bus).workers(&Config::default()).err()
        } else {
            Messenger::new(bus).workers(&Config::default()).err()
        };
        matches!(error, Some(StartError::Subscribe { error: SubscribeError::Journal(CursorError::NoSources), .. }))
    };
    let rebuild = || PersistentOptions { start: Start::Rebuild, ..PersistentOptions::default() };
    assert!(refused(rebuild(), false));
    assert!(refused(rebuild().table(twice::Messenger::table()), true));
    assert!(!refused(rebuild().table(Messenger::table()), false));
}

mod changed {
    /// Another message under an id and a handler that the journal knows.
    pub struct Input;

    impl rust_messenger::Message for Input {
        type Id = u16;
        const ID: u16 = 9;
    }
}

/// A table that has grown opens, one that means something else is refused, and the file is as it was.
#[test]
fn a_changed_table_is_refused() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Rebuild, &[1]).unwrap();
    let before = std::fs::read(&path).unwrap();
    let table = |workers| Box::leak(Box::new(rust_messenger::routing::Table { name: "Other", workers }));
    let mut route = rust_messenger::routing::TableRoute {
        source: "Outside",
        source_id: 1,
        message: "Input",
        message_id: <changed::Input as Message>::ID,
        layout: <changed::Input as Message>::LAYOUT,
        receivers: &["summer"],
    };
    let handlers =
        &[rust_messenger::routing::TableHandler { name: "summer", type_name: "Summer", id: 2, allow_unrouted: false }];
    let worker = |routes| rust_messenger::routing::TableWorker { name: "Sums", handlers, routes };
    let other = table(Box::leak(Box::new([worker(Box::leak(Box::new([route])))])));
    let error = PersistentBus::open(&path, PersistentOptions::default().table(other)).unwrap_err().to_string();
    assert!(error.contains("message Input = 1 of the journal is Input = 9 in the routing table"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "changed by an open that failed");
    route = rust_messenger::routing::TableRoute {
        source: "Outside",
        source_id: 1,
        message: "messages::News",
        message_id: 9,
        layout: rust_messenger::traits::Layout::UNKNOWN,
        receivers: &["summer"],
    };
    let grown = table(Box::leak(Box::new([worker(Box::leak(Box::new([route])))])));
    drop(PersistentBus::open(&path, PersistentOptions::default().table(grown)).unwrap());
    let names = Journal::open(&path).unwrap().info().unwrap().table.unwrap();
    assert_eq!((names.message(9), names.message(1), names.name()), (Some("News"), Some("Input"), "Other"));
    // And the one it was made with still opens.
    run(&path, &Config::default(), Start::Rebuild, &[2]).unwrap();
    assert_eq!(outputs(&path), [1, 3]);
}

/// A writer of a worker is told at once.
#[test]
fn a_difference_is_told_to_whoever_sends() {
    let (_directory, path) = scratch();
    run(&path, &Config::default(), Start::Rebuild, &[1]).unwrap();
    let (bus, _) = PersistentBus::open(&path, options(Start::Rebuild)).unwrap();
    let mut reader = bus.subscribe("Sums").unwrap();
    let writer = bus.worker_writer(&reader).unwrap();
    let said = reader.try_read(|_, _| writer.try_write_bytes(2, Output::ID, &2_u64.to_le_bytes())).unwrap();
    assert!(matches!(said, Err(WriteError::Diverged(_))), "{said:?}");
}

// -------------------------------------------------------------------------------------------------------------- timers

/// How long a clerk waits for an order to be confirmed.
const TERM: u64 = 100;

/// Rejects what is not confirmed in time: when its deadline has come in its loop, or when it is handed that as a
/// message.
struct Clerk<const IN_LOOP: bool> {
    /// Orders and when they are rejected, in this order.
    open: VecDeque<(u64, Time)>,
}

impl<const IN_LOOP: bool> Clerk<IN_LOOP> {
    fn reject<W: Writer>(&mut self, now: Time, writer: &W) {
        while let Some((order, _)) = self.open.front().filter(|(_, end)| *end <= now) {
            Self::send(&Output(*order), writer);
            self.open.pop_front();
        }
    }
}

impl<const IN_LOOP: bool> Handler for Clerk<IN_LOOP> {
    type Id = u16;
    const ID: u16 = 2;

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        if IN_LOOP {
            self.reject(writer.now(), writer);
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.open.front().map(|(_, end)| *end)
    }
}

impl<const IN_LOOP: bool> New<()> for Clerk<IN_LOOP> {
    fn new<W: Writer>(_: &(), _: &W) -> Self {
        Clerk { open: VecDeque::new() }
    }
}

impl<const IN_LOOP: bool> Handle<Input> for Clerk<IN_LOOP> {
    fn handle<W: Writer>(&mut self, order: &Input, writer: &W) {
        self.open.push_back((order.0, writer.now() + Duration::from_nanos(TERM)));
    }
}

impl<const IN_LOOP: bool> Handle<Extra> for Clerk<IN_LOOP> {
    fn handle<W: Writer>(&mut self, confirmed: &Extra, _: &W) {
        self.open.retain(|(order, _)| *order != confirmed.0);
    }
}

impl<const IN_LOOP: bool> Handle<Due> for Clerk<IN_LOOP> {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        self.reject(due.time, writer);
    }
}

mod timers {
    use super::{Clerk, Due, Extra, Input, Outside};

    rust_messenger::Messenger! {
        type InLoop;
        (),
        Desk:
            handlers: [ #[allow(unrouted)] clerk: Clerk<true> ]
            routes: [ Outside, Input: [ clerk ], Outside, Extra: [ clerk ] ]
    }

    rust_messenger::Messenger! {
        type ByMessage;
        (),
        Desk:
            handlers: [ #[allow(unrouted)] clerk: Clerk<false> ]
            routes: [ Outside, Input: [ clerk ], Outside, Extra: [ clerk ], Clerk<false>, Due: [ clerk ] ]
    }
}

/// Days at the desk, each a process of its own, on the same journal: forty orders, of which every other one is
/// confirmed in time, and then all is lost but the journal. Returns the rejections, and the reports of each day.
macro_rules! days {
    ($table:ident, $days:expr) => {{
        let (_directory, path) = scratch();
        let clock = ManualClock::new();
        let all = Arc::new(Mutex::new(Vec::new()));
        for day in 0..$days {
            let reports = Arc::clone(&all);
            let on_report = move |report: &Report| reports.lock().unwrap().push((day, report.to_string()));
            let options = messenger::Options {
                clock: Arc::new(clock.clone()),
                on_report: Some(Arc::new(on_report)),
                ..messenger::Options::default()
            };
            let journal = PersistentOptions { step: 64 * 1024, start: Start::Rebuild, ..PersistentOptions::default() };
            let journal = PersistentOptions { clock: Arc::new(clock.clone()), ..journal };
            let (bus, _) = PersistentBus::open(&path, journal.table(timers::$table::table())).unwrap();
            let messenger = timers::$table::with_options(bus, options);
            let mut workers = messenger.workers(&()).unwrap();
            let outside = messenger.writer().unwrap();
            while workers.step() == Step::Worked {}
            for number in 0..40 {
                let order = day * 100 + number;
                Outside::try_send(&Input(order), &outside).unwrap();
                for _ in 0..7 {
                    clock.advance(Duration::from_nanos(TERM / 20));
                    while workers.step() == Step::Worked {}
                }
                if number % 2 == 0 {
                    Outside::try_send(&Extra(order), &outside).unwrap();
                }
            }
            // The last orders are open when the process ends. What is due of one day is due on the next one, too.
            while workers.step() == Step::Worked {}
            let ended = workers.conclude();
            assert!(ended.is_ok(), "day {day}: {ended:?}");
            // The term of the last order ends at night.
            clock.advance(Duration::from_nanos(2 * TERM));
        }
        let reports = std::mem::take(&mut *all.lock().unwrap());
        (outputs(&path), reports)
    }};
}

#[test]
fn deadlines_that_are_messages_are_replayed() {
    let (rejected, reports) = days!(ByMessage, 3);
    // Each once, and in the order of their deadlines, whatever day they were on.
    let mut due: Vec<u64> = (0..3).flat_map(|day| (0..40).map(move |number| day * 100 + number)).collect();
    due.retain(|order| order % 2 == 1);
    // Its term is not over when the last day is.
    assert_eq!(due.pop(), Some(239));
    assert_eq!((rejected, reports), (due, vec![]));
}

#[test]
fn what_is_sent_in_a_loop_is_sent_again_and_reported() {
    let (rejected, reports) = days!(InLoop, 3);
    let mut once = rejected.clone();
    once.sort_unstable();
    once.dedup();
    assert!(rejected.len() > once.len(), "this is what the report is for");
    let said = "handler clerk sends in its loop, which worker Desk cannot repeat when it rebuilds: use `Due`";
    let each_day = [(0, said.to_owned()), (1, said.to_owned()), (2, said.to_owned())];
    assert_eq!(reports, each_day, "once in each process, from the first on");
}
