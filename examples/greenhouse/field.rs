//! Out in the field: sensors, and who understands them.

use crate::messages::{Garbled, HandlerId, Line, Morning, Reading};
use rust_messenger::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// A line comes so often.
const EVERY: Duration = Duration::from_millis(1);

/// Plays the sensors: says one line of the morning's after the other. Its time comes as a message, [`Due`], so a
/// rebuild from a journal says nothing twice.
#[derive(Default)]
pub struct Station {
    lines: VecDeque<String>,
    next: Option<Time>,
}

impl Handler for Station {
    type Id = HandlerId;
    const ID: HandlerId = HandlerId::Station;

    fn next_deadline(&self) -> Option<Time> {
        self.next
    }
}

impl<C> New<C> for Station {
    fn new<W: Writer>(_: &C, _: &W) -> Self {
        Station::default()
    }
}

impl Handle<Morning> for Station {
    fn handle<W: Writer>(&mut self, morning: &Morning, writer: &W) {
        self.lines = morning.lines.clone().into();
        self.next = Some(writer.now() + EVERY);
    }
}

impl Handle<Due> for Station {
    fn handle<W: Writer>(&mut self, due: &Due, writer: &W) {
        if let Some(text) = self.lines.pop_front() {
            Self::send(&Line { text }, writer);
        }
        self.next = (!self.lines.is_empty()).then(|| due.time + EVERY);
    }
}

/// Knows what a line means: `t 18` are degrees, `m 40` is moisture.
#[derive(Default)]
pub struct Parser {
    readings: u64,
}
handler!(Parser, HandlerId::Parser, default);

fn parse(text: &str) -> Result<(u32, i32), String> {
    let (kind, value) = text.split_once(' ').ok_or("there is one word")?;
    let kind = match kind {
        "t" => 0,
        "m" => 1,
        _ => return Err(format!("nobody measures {kind}")),
    };
    Ok((kind, value.parse().map_err(|error| format!("{value}: {error}"))?))
}

impl Handle<Line> for Parser {
    fn handle<W: Writer>(&mut self, line: &Line, writer: &W) {
        match parse(&line.text) {
            Ok((kind, value)) => {
                self.readings += 1;
                let number = self.readings;
                Self::send_in_place::<Reading, W>(writer, |reading| *reading = Reading { number, kind, value });
            }
            Err(reason) => Self::send(&Garbled { text: line.text.clone(), reason }, writer),
        }
    }
}
