//! The laws: those of a bus, and the user's.

use super::{Actor, Life, NOBODYS, Violation};
use crate::blame::caught;
use crate::sync::{Arc, lock};
use crate::testing::sim::seen::Seen;
use crate::testing::sim::trace::{Event, What};
use crate::testing::sim::world::World;
use crate::traits::{MessageBus, Recorded};

/// Whether the user's laws see it.
fn is_seen(event: &Event) -> bool {
    matches!(event.what, What::Began | What::Handled | What::Written)
        && (event.header.source, event.header.message) != NOBODYS
}

impl<B: MessageBus> Life<'_, B> {
    /// Looks at what has happened. Whether anything has.
    pub(super) fn check(&mut self) -> Result<bool, Violation> {
        let shared = Arc::clone(&self.world);
        let world = lock(&shared);
        if let Some((law, text)) = &world.broken {
            return Err(self.violation(*law, text.clone()));
        }
        let from = self.checked;
        while self.checked < world.trace.events.len() {
            let number = self.checked;
            self.checked += 1;
            let event = world.trace.events[number];
            match event.what {
                What::Fault(_) => continue,
                What::Began => self.check_begin(&world, &event)?,
                What::Begun | What::Handled | What::Spoilt => self.check_handled(&world, &event)?,
                What::Written => {
                    let last = self.log.last().map(|&last| world.trace.events[last].header.position);
                    if last.is_some_and(|last| last >= event.header.position) {
                        let text = format!("position {} comes after {last:?}", event.header.position);
                        return Err(self.violation("one order", text));
                    }
                    let is_so =
                        |recorded: &Recorded| (recorded.time, recorded.cause.unwrap_or(0)) == (event.time, event.cause);
                    if let Some(recorded) = event.recorded.filter(|recorded| !is_so(recorded)) {
                        let text = format!("at {}: {recorded:?}", event.header.position);
                        return Err(self.violation("a journal records when and why", text));
                    }
                    self.log.push(number);
                }
            }
            if is_seen(&event) {
                self.ask(&Seen::of(&world, &event))?;
            }
        }
        Ok(self.checked != from)
    }

    /// Asks the user's laws.
    fn ask(&mut self, seen: &Seen<'_>) -> Result<(), Violation> {
        let mut asked = "";
        let broken = caught(|| {
            self.laws.iter_mut().find_map(|(name, law)| {
                asked = name;
                law(seen).err()
            })
        });
        match broken.unwrap_or_else(|text| Some(format!("the law panicked: {text}"))) {
            Some(text) => Err(self.violation(asked, text)),
            None => Ok(()),
        }
    }

    /// A worker's reader begins where it has to.
    fn check_begin(&mut self, world: &World, event: &Event) -> Result<(), Violation> {
        let position = event.header.position;
        let next = self.log.partition_point(|&written| world.trace.events[written].header.position < position);
        let worker = world.places[usize::from(event.place)].name;
        let before = std::mem::replace(&mut self.actors[usize::from(event.place)].next, next);
        if next > before && (self.system.ground.resumes)(worker) {
            let text = format!("worker {worker} begins {} messages after what it has handled", next - before);
            return Err(self.violation("nothing is lost by a restart", text));
        }
        Ok(())
    }

    /// A worker is handed the message that it has to be.
    fn check_handled(&mut self, world: &World, event: &Event) -> Result<(), Violation> {
        let trace = &world.trace;
        let actor = &mut self.actors[usize::from(event.place)];
        let due = self.log.get(actor.next).map(|&written| &trace.events[written]);
        let is_due = |due: &Event| due.header == event.header && trace.payload(due) == trace.payload(event);
        if due.is_some_and(is_due) {
            actor.next += usize::from(event.what != What::Begun);
            return Ok(());
        }
        let worker = world.places[usize::from(event.place)].name;
        let (law, what) = match due.map(|due| due.header.position) {
            Some(due) if due < event.header.position => ("nothing is lost", format!("{due} was due")),
            Some(due) if due == event.header.position => ("bytes are stable", "other bytes were written".to_owned()),
            Some(due) => ("nothing comes twice", format!("{due} was due")),
            None => ("nothing comes twice", "nothing was due".to_owned()),
        };
        let text = format!("worker {worker} is handed the message at {}, but {what}", event.header.position);
        Err(self.violation(law, text))
    }

    /// Nobody moves any more.
    pub(super) fn check_rest(&mut self) -> Result<(), Violation> {
        if let Some(input) = &self.input {
            let text = format!("nobody moves, and input {} finds no room", input.number);
            return Err(self.violation("everything is handled", text));
        }
        let is_behind = |(_, actor): &(usize, &Actor)| {
            self.nodes[actor.node].up.is_some() && !actor.ended && actor.next != self.log.len()
        };
        let Some((place, actor)) = self.actors.iter().enumerate().find(is_behind) else { return Ok(()) };
        let (worker, left) = (self.world().places[place].name, self.log.len() - actor.next);
        let text = format!("nobody moves, and {left} messages are there for worker {worker}");
        Err(self.violation("everything is handled", text))
    }

    pub(super) fn check_end(&mut self) -> Result<(), Violation> {
        if self.system.ends.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.world);
        let world = lock(&shared);
        let events = world.trace.events.iter().filter(|event| is_seen(event));
        let seen: Vec<_> = events.map(|event| Seen::of(&world, event)).collect();
        for (name, end) in &self.system.ends {
            let kept = caught(|| end(&seen)).unwrap_or_else(|text| Err(format!("the law panicked: {text}")));
            kept.map_err(|text| self.violation(*name, text))?;
        }
        Ok(())
    }
}
