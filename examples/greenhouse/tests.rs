//! Each handler alone, with a `Recorder` for the world, and all of them on one thread.

use crate::climate::Heating;
use crate::devices::{AT_A_TIME, Gateway, Guard};
use crate::field::{Parser, Station};
use crate::messages::{Approved, Done, Garbled, Line, Morning, Order, Reading, Refused, Summary};
use crate::office::Diary;
use crate::{Config, Gardener, Greenhouse, morning};
use rust_messenger::messenger::Step;
use rust_messenger::prelude::*;
use rust_messenger::testing::{ManualClock, Recorder};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

fn order(number: u64, percent: u32) -> Order {
    Order { number, device: "heater".to_owned(), percent }
}

#[test]
fn a_station_says_a_line_when_it_is_due() {
    let (mut station, recorder) = (Station::default(), Recorder::new());
    station.handle(&Morning { lines: vec!["t 1".to_owned()], limit: 0 }, &recorder);
    let time = station.next_deadline().expect("a line is due");
    assert!(recorder.sent::<Line>().is_empty());
    station.handle(&Due { time }, &recorder);
    assert_eq!(recorder.sent::<Line>()[0].text, "t 1");
    assert_eq!(station.next_deadline(), None, "there are no more");
}

#[test]
fn a_parser_understands_lines_or_says_why_not() {
    let (mut parser, recorder) = (Parser::default(), Recorder::new());
    for text in ["m 40", "t", "x 1", "t warm", "t -3"] {
        parser.handle(&Line { text: text.to_owned() }, &recorder);
    }
    let readings = [Reading { number: 1, kind: 1, value: 40 }, Reading { number: 2, kind: 0, value: -3 }];
    assert_eq!(recorder.sent::<Reading>(), readings.each_ref());
    let reasons: Vec<String> = recorder.sent::<Garbled>().into_iter().map(|garbled| garbled.reason).collect();
    assert_eq!(reasons, ["there is one word", "nobody measures x", "warm: invalid digit found in string"]);
}

#[test]
fn a_controller_looks_at_its_own_kind() {
    let recorder = Recorder::new();
    let mut heating = Heating::new(&(), &recorder);
    heating.handle(&Reading { number: 1, kind: 1, value: 5 }, &recorder);
    assert!(recorder.sent::<Order>().is_empty());
    heating.handle(&Reading { number: 2, kind: 0, value: 17 }, &recorder);
    assert_eq!(recorder.sent::<Order>(), [order(2, 30)]);
}

#[test]
fn a_guard_knows_its_limit() {
    let (mut guard, recorder) = (Guard::default(), Recorder::new());
    guard.handle(&Morning { lines: Vec::new(), limit: 80 }, &recorder);
    guard.handle(&order(1, 80), &recorder);
    guard.handle(&order(2, 81), &recorder);
    assert_eq!(recorder.sent::<Approved>(), [Approved { order: Some(order(1, 80)) }]);
    assert_eq!(recorder.sent::<Refused>()[0].number, 2);
}

#[test]
fn a_gateway_keeps_what_the_line_does_not_take() {
    let (mut gateway, recorder) = (Gateway::default(), Recorder::new());
    for number in 0..6 {
        gateway.handle(&Approved { order: Some(order(number, 1)) }, &recorder);
    }
    assert_eq!(recorder.sent::<Order>().len(), AT_A_TIME);
    gateway.handle(&Done { number: 2 }, &recorder);
    assert_eq!(recorder.sent::<Order>().last(), Some(&order(4, 1)));
}

/// A page that is full.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_diary_that_is_full_says_so() {
    let (mut diary, recorder) = (Diary::on(Full), Recorder::new());
    let written = diary.try_handle(&Summary::default(), &recorder);
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(!recorder.stopped());
}

/// A whole day within milliseconds: the clock goes on when everybody has come to rest.
#[test]
fn a_day_adds_up() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { diary: Some(directory.path().join("diary")) };
    let clock = ManualClock::new();
    let options = Options { clock: Arc::new(clock.clone()), ..Options::default() };
    let greenhouse = Greenhouse::with_options(CircularBus::new(64 * 1024).unwrap(), options);
    let mut workers = greenhouse.workers(&config).unwrap();
    Gardener::send(&morning(), &greenhouse.writer().unwrap());
    loop {
        match workers.step() {
            Step::Finished => break,
            Step::Idle => clock.advance(Duration::from_millis(1)),
            _ => {}
        }
    }
    workers.conclude().unwrap();
    let diary = std::fs::read_to_string(config.diary.unwrap()).unwrap();
    assert!(diary.contains("not understood: \"t -?\""), "{diary}");
    assert!(diary.contains("refused: heater at 120 %, and 80 % are allowed"), "{diary}");
    let last = diary.lines().last().unwrap();
    assert!(last.starts_with("95 readings, 1 garbled; 95 orders, "), "{diary}");
}
