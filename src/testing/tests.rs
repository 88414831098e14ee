//! A recorder and a clock do what a worker, its bus and its clock do.

use super::{ManualClock, Recorder};
use crate::message_bus::CircularBus;
use crate::sync::scope;
use crate::traits::{
    Clock, DeserializeFrom, EncodeError, ExtendedMessage, Handler, Message, MessageBus, Publish, Report, Sender, Space,
    Time, WriteError, Writer,
};
use std::time::Duration;

/// Of the size that it says, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bytes(Vec<u8>);

impl Message for Bytes {
    type Id = u16;
    const ID: u16 = 7;
}

impl ExtendedMessage for Bytes {
    fn get_size(&self) -> usize {
        self.0.len()
    }

    fn write_into(&self, _: &mut [u8]) {
        unreachable!("`encode` does it");
    }

    fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        if self.0.first() == Some(&0xFF) { Err(EncodeError::Refused("as planned".into())) } else { space.put(&self.0) }
    }
}

impl DeserializeFrom for Bytes {
    fn deserialize_from(buffer: &[u8]) -> Bytes {
        assert_ne!(buffer.first(), Some(&0xEE), "as planned");
        Bytes(buffer.to_vec())
    }
}

struct Talker;

impl Handler for Talker {
    type Id = u16;
    const ID: u16 = 3;
}

/// Far more than the first boards hold, in between with others.
#[test]
fn everything_is_kept_in_order_while_it_is_lent() {
    let recorder = Recorder::new();
    let count = if cfg!(miri) { 40 } else { 1000 };
    recorder.write_bytes(9, 8, b"first").unwrap();
    let first = recorder.messages().next().unwrap();
    let expected: Vec<Bytes> = (0..count).map(|number| Bytes(vec![1; number % 90])).collect();
    for bytes in &expected {
        Talker::send(bytes, &recorder);
        recorder.try_write(9, 8, 3, |payload| payload.copy_from_slice(b"too")).unwrap();
    }
    assert_eq!(recorder.sent::<Bytes>(), expected);
    assert_eq!((first.0.source, first.0.size, first.1), (9, 5, &b"first"[..]));
    let headers: Vec<_> = recorder.messages().map(|(header, _)| header).collect();
    assert_eq!(headers.len(), 2 * count + 1);
    assert!(headers.iter().map(|header| header.position).eq(0..=2 * count as u64));
    assert_eq!((headers[2].source, headers[2].message, headers[2].size), (9, 8, 3));
    assert_eq!((headers[3].source, headers[3].message, headers[3].size), (3, 7, 1));
}

/// What a bus does not take, a recorder does not keep, and says so by the same error.
#[test]
fn what_a_bus_refuses_is_refused() {
    let bus = CircularBus::new(1024).unwrap();
    let (reader, writer) = (bus.subscribe("reader").unwrap(), bus.writer().unwrap());
    let mut recorder = Recorder::new().with_max_payload(bus.max_payload());
    assert_eq!(Writer::max_payload(&recorder), bus.max_payload());
    for bytes in [vec![], vec![1; bus.max_payload()], vec![1; bus.max_payload() + 1], vec![0xFF; 8]] {
        let message = Bytes(bytes);
        assert_eq!(Talker::try_send(&message, &recorder), Talker::try_send(&message, &writer), "{message:?}");
    }
    assert_eq!(recorder.messages().count() as u64, bus.stats().messages);
    assert_eq!(recorder.reports().count(), 0);
    drop(reader);

    recorder.refuse(WriteError::Full);
    assert_eq!(Talker::try_send(&Bytes(vec![1]), &recorder), Err(WriteError::Full));
    Talker::send(&Bytes(vec![2]), &recorder);
    recorder.wait_for_room(1);
    recorder.refuse(WriteError::OutboxFull { limit: 5 });
    Talker::send(&Bytes(vec![3]), &recorder);
    recorder.refuse(None);
    Talker::send(&Bytes(vec![0xFF]), &recorder);
    let reports: Vec<&Report> = recorder.reports().collect();
    let [Report::Unsent { source: 3, message: 7, error: WriteError::OutboxFull { limit: 5 } }, not_encoded] =
        reports[..]
    else {
        panic!("{reports:?}");
    };
    assert!(matches!(not_encoded, Report::Unsent { error: WriteError::Encode(_), .. }), "{not_encoded:?}");
    assert_eq!(recorder.sent::<Bytes>().last(), Some(&Bytes(vec![2])));

    recorder.clear();
    assert_eq!((recorder.messages().count(), recorder.reports().count()), (0, 0));
    Talker::send(&Bytes(vec![4]), &recorder);
    assert_eq!(recorder.sent::<Bytes>(), [Bytes(vec![4])]);
}

#[test]
#[should_panic(expected = "message: 7, source: 3, position: 0 } is no rust_messenger::testing::tests::Bytes: ")]
fn bytes_that_are_no_such_message_fail_the_test() {
    let recorder = Recorder::new();
    recorder.write_bytes(3, 7, &[0xEE]).unwrap();
    let _ = recorder.sent::<Bytes>();
}

#[test]
fn the_end_is_kept() {
    let recorder = Recorder::new();
    assert!(!recorder.stopped() && recorder.failed().is_none());
    recorder.stop();
    assert!(recorder.stopped() && recorder.failed().is_none());

    let recorder = Recorder::default();
    recorder.fail("first");
    recorder.fail(WriteError::NoSpace);
    assert!(recorder.stopped());
    assert_eq!(recorder.failed().map(ToString::to_string), Some("first".to_owned()));
}

#[test]
fn a_clock_moves_when_it_is_moved_and_never_back() {
    let clock = ManualClock::default();
    let recorder = Recorder::new().with_clock(clock.clone());
    assert_eq!(recorder.now(), Time::default());
    let mover = clock.clone();
    scope(|scope| _ = scope.spawn(move || mover.advance(Duration::from_nanos(7))));
    assert_eq!(recorder.now(), Time::from_nanos(7));
    clock.set(Time::from_nanos(5));
    assert_eq!((clock.now(), clock.is_real()), (Time::from_nanos(7), false));
    clock.set(Time::from_nanos(9));
    assert_eq!(recorder.now(), Time::from_nanos(9));
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), Time::from_nanos(u64::MAX));
}
