//! The laws that are asked always: each is broken by a bus, or by handlers, that do not keep it.

use super::support::{around_bus, around_reader};
use rust_messenger::Message;
use rust_messenger::prelude::*;
use rust_messenger::testing::{Finding, Seen, Sim};
use rust_messenger::traits::{
    BusWriter, Header, MessageBus, Next, NoWriter, Payload, Publish, ReadError, Reader, Recorded, SubscribeError,
    WriteError,
};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Number(u64);
serde_message!(Number, 1);

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Echoed(u64);
serde_message!(Echoed, 2);

struct Outside;
handler!(Outside, 1);

#[derive(Default)]
struct Echo;
handler!(Echo, 2, default);

impl Handle<Number> for Echo {
    fn handle<W: Writer>(&mut self, number: &Number, writer: &W) {
        Self::send(&Echoed(number.0), writer);
    }
}

#[derive(Default)]
struct Sink;
handler!(Sink, 3, default);

impl Handle<Echoed> for Sink {
    fn handle<W: Writer>(&mut self, _: &Echoed, _: &W) {}
}

Messenger! {
    type Echoes;
    (),
    Source: handlers: [ echo: Echo ] routes: [ Outside, Number: [ echo ] ]
    Drain: handlers: [ sink: Sink ] routes: [ Echo, Echoed: [ sink ] ]
}

/// What a bus does with the third message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// A worker is not given it.
    Lost,
    /// A worker is given it twice.
    Twice,
    /// A worker is given other bytes.
    Changed,
    /// A worker is given nothing from there on.
    Stuck,
    /// It stands where the one before it does.
    Disordered,
    /// It is said to be written, and is not.
    Unwritten,
}

#[derive(Clone)]
struct Bus(CircularBus, Wrong);

struct WrongReader {
    inner: <CircularBus as MessageBus>::Reader,
    wrong: Wrong,
    is_of_worker: bool,
    read: u64,
    /// Where the message before it stood.
    last: u64,
}

#[derive(Clone)]
struct WrongWriter(<CircularBus as MessageBus>::BusWriter, Wrong);

impl Bus {
    fn reader(&self, inner: <CircularBus as MessageBus>::Reader, name: &str) -> WrongReader {
        WrongReader { inner, wrong: self.1, is_of_worker: name == "Drain", read: 0, last: 0 }
    }
}

impl MessageBus for Bus {
    type Reader = WrongReader;
    type BusWriter = WrongWriter;
    const MANY_WRITERS: bool = true;

    fn subscribe(&self, name: &str) -> Result<WrongReader, SubscribeError> {
        Ok(self.reader(self.0.subscribe(name)?, name))
    }

    fn subscribe_evictable(&self, name: &str) -> Result<WrongReader, SubscribeError> {
        Ok(self.reader(self.0.subscribe_evictable(name)?, name))
    }

    fn writer(&self) -> Result<WrongWriter, NoWriter> {
        Ok(WrongWriter(self.0.writer()?, self.1))
    }

    fn worker_writer(&self, reader: &WrongReader) -> Result<WrongWriter, NoWriter> {
        Ok(WrongWriter(self.0.worker_writer(&reader.inner)?, self.1))
    }

    around_bus!(0);
}

impl WrongReader {
    /// Whether this is the message with which something is wrong.
    fn is_third(&mut self) -> bool {
        self.read += 1;
        self.read == 3
    }
}

impl Reader for WrongReader {
    fn try_read<T>(&mut self, deliver: impl FnOnce(&Header, &[u8]) -> T) -> Result<T, ReadError> {
        self.inner.try_read(deliver)
    }

    fn try_read_up_to(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        if !self.is_of_worker {
            return self.inner.try_read_up_to(most, handle);
        }
        if self.wrong == Wrong::Stuck && self.read == 2 {
            return Err(ReadError::Empty);
        }
        let mut done = 0;
        while done < most {
            let is_third = self.inner.ready() && self.is_third();
            if is_third && self.wrong == Wrong::Stuck {
                break;
            }
            if is_third && self.wrong == Wrong::Lost {
                self.inner.skip()?;
            }
            let wrong = self.wrong;
            done += self.inner.try_read_up_to(1, |header, payload| match wrong {
                Wrong::Changed if is_third => handle(header, &vec![7; payload.len()]),
                Wrong::Twice if is_third => {
                    handle(header, payload);
                    handle(header, payload)
                }
                _ => handle(header, payload),
            })?;
        }
        Ok(done)
    }

    /// Who looks at everything reads like this.
    fn try_read_recorded(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Header, Option<Recorded>, &[u8]) -> Next,
    ) -> Result<usize, ReadError> {
        let Self { inner, wrong, read, last, .. } = self;
        inner.try_read_up_to(most, |header, payload| {
            *read += 1;
            let is_wrong = *wrong == Wrong::Disordered && *read == 3;
            let position = if is_wrong { *last } else { header.position };
            *last = header.position;
            handle(&Header { position, ..*header }, None, payload)
        })
    }

    around_reader!(inner);
}

impl Publish for WrongWriter {
    fn try_put<P: Payload>(&self, source: u16, message: u16, payload: &mut P) -> Result<(), WriteError> {
        if self.1 == Wrong::Unwritten && message == Echoed::ID {
            return Ok(());
        }
        self.0.try_put(source, message, payload)
    }

    fn wait_for_room(&self, size: usize) {
        self.0.wait_for_room(size);
    }
}

impl BusWriter for WrongWriter {
    fn take_ticket(&self) {
        self.0.take_ticket();
    }

    fn give_up_ticket(&self) {
        self.0.give_up_ticket();
    }

    fn is_slowest(&self) -> bool {
        self.0.is_slowest()
    }

    fn has_room(&self, size: usize) -> bool {
        self.0.has_room(size)
    }

    fn record_outbox(&self, bytes: usize) {
        self.0.record_outbox(bytes);
    }
}

fn lives(wrong: Wrong) -> Result<u64, Finding> {
    Sim::new(move || CircularBus::new(4096).map(|bus| Bus(bus, wrong)))
        .node("node", Echoes::with_options, ())
        .outside(10, |n, writer| Outside::try_send(&Number(n), writer))
        .seeds(5)
        .try_run()
}

#[test]
fn a_bus_that_is_wrong_breaks_the_law_that_says_so() {
    assert_eq!(lives(Wrong::Nothing).unwrap(), 5);
    for (wrong, law) in [
        (Wrong::Lost, "nothing is lost"),
        (Wrong::Twice, "nothing comes twice"),
        (Wrong::Changed, "bytes are stable"),
        (Wrong::Stuck, "everything is handled"),
        (Wrong::Disordered, "one order"),
        (Wrong::Unwritten, "a bus does what it says"),
    ] {
        assert_eq!(lives(wrong).unwrap_err().law, law, "{wrong:?}");
    }
}

/// It answers itself, and never stops.
#[derive(Default)]
struct Parrot;
handler!(Parrot, 4, default);

impl Handle<Echoed> for Parrot {
    fn handle<W: Writer>(&mut self, echoed: &Echoed, writer: &W) {
        Self::send(&Echoed(echoed.0), writer);
    }
}

Messenger! {
    type Cage;
    (),
    Branch: handlers: [ parrot: Parrot ] routes: [ Outside, Echoed: [ parrot ], Parrot, Echoed: [ parrot ] ]
}

#[test]
fn what_never_comes_to_rest_is_found() {
    let finding = Sim::new(|| CircularBus::new(4096))
        .node("node", Cage::with_options, ())
        .outside(1, |n, writer| Outside::try_send(&Echoed(n), writer))
        .seeds(1)
        .try_run()
        .unwrap_err();
    assert_eq!(finding.law, "everything comes to rest");
}

/// It has seen what happened in other lives.
#[test]
fn a_law_that_knows_other_lives_is_told_so() {
    for once in [true, false] {
        let calls = std::cell::Cell::new(0);
        let sim = Sim::new(|| CircularBus::new(4096))
            .node("node", Echoes::with_options, ())
            .outside(10, |n, writer| Outside::try_send(&Number(n), writer))
            .law("few are seen", (), move |(), seen: &Seen<'_>| {
                calls.set(calls.get() + u32::from(seen.written::<Number>().is_some()));
                let is_enough = if once { calls.get() == 25 } else { calls.get() >= 25 };
                if is_enough && seen.written::<Number>().is_some() { Err("one too many".into()) } else { Ok(()) }
            });
        // The first seed runs twice: ten and ten.
        let finding = sim.seeds(5).try_run().unwrap_err();
        let text = finding.to_string();
        assert_eq!((finding.law.as_str(), finding.seed), ("the same seed is the same run", 1), "{text}");
        let again = if once { "again all laws hold" } else { "again in step " };
        for said in ["law `few are seen` does not say the same", "once  in step ", ": one too many", again] {
            assert!(text.contains(said), "{said:?} is not in\n{text}");
        }
    }
}
