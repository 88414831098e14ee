//! One life of a simulated system: who moves next, what goes wrong, when time passes, and whether the laws hold.

use super::bus::Simulated;
use super::case::Case;
use super::faults::{Faults, Kind};
use super::node::Up;
use super::system::{Law, System};
use super::world::{DRAINS, Shared, World};
use crate::blame::caught;
use crate::messenger::Step;
use crate::sync::{Arc, lock};
use crate::testing::ManualClock;
use crate::testing::chance::Chance;
use crate::traits::{Clock, FIRST_OF_LIBRARY, MessageBus, Publish, Time, WriteError};
use std::time::Duration;

/// A law that a life did not keep.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) law: String,
    pub(super) text: String,
    pub(super) step: u32,
}

/// The law that there is a system to run.
pub(super) const SETUP: &str = "there is a system to run";

/// A node, in this life.
struct Node {
    /// While it is up.
    up: Option<Up>,
    /// When it starts again, if it does.
    down_until: Option<Time>,
    /// While it is being stopped: how long it is down then.
    stopping: Option<Duration>,
}

/// A worker, in this life.
struct Actor {
    node: usize,
    /// Its number in the node.
    number: usize,
    /// It had nothing to do, and nothing has happened since.
    asleep: bool,
    ended: bool,
    /// It is not scheduled before.
    paused_until: Time,
    /// The number of the message that it handles next, in the order of the bus.
    next: usize,
}

/// The next message from outside.
struct Input {
    /// Its number among all of them.
    number: u32,
    source: usize,
    /// Its number among those of its source.
    own: u64,
    time: Time,
}

/// The streams of chance that are no fault's.
#[derive(Clone, Copy)]
enum Stream {
    Schedule = 100,
    Sizes,
    Times,
    Sources,
    Drains,
}

/// Steps in which nothing comes to rest are too many.
const STEPS: u32 = 100_000;
const STEPS_FOR_AN_INPUT: u32 = 1000;
/// So many on average, that is: a step may take many messages.
const EVENTS_FOR_A_STEP: usize = 4;

/// The source and the id of a message that is nobody's, and no law's but the bus's.
const NOBODYS: (u16, u16) = (u16::MAX, FIRST_OF_LIBRARY);

/// How time passes for a handler that wants to be called at once, again and again.
const MOMENT: Duration = Duration::from_millis(1);

/// Between no time at all and `1 << bits` nanoseconds; short and long are equally likely.
fn some_time(number: u64, bits: u64) -> Duration {
    Duration::from_nanos((number >> 8) % (1 << ((number & 0xFF) % bits)))
}

/// Few most often, and any number at times.
fn some_writes(number: u64) -> u64 {
    let bits = 2 + number.trailing_ones();
    (number >> 8) % (1 << bits.min(16))
}

mod laws;
mod nodes;
#[cfg(all(test, not(rust_messenger_loom)))]
mod tests;

pub(super) struct Life<'s, B: MessageBus> {
    system: &'s System<B>,
    world: Shared,
    clock: ManualClock,
    bus: Option<B>,
    outside: Option<Simulated<B::BusWriter>>,
    nodes: Vec<Node>,
    actors: Vec<Actor>,
    laws: Vec<(&'static str, Law)>,
    schedule: Chance,
    sizes: Chance,
    times: Chance,
    sources: Chance,
    drains: Chance,
    case: &'s Case,
    input: Option<Input>,
    /// How many inputs were drawn.
    drawn: u32,
    /// How many of each source there are, and were drawn.
    inputs: Vec<(u64, u64)>,
    /// The message from outside found no room, and nothing has happened since.
    outside_asleep: bool,
    /// Deadlines after this one are not waited for.
    horizon: Time,
    step: u32,
    stopping: bool,
    /// The events that were looked at.
    checked: usize,
    /// The messages on the bus, by their events.
    log: Vec<usize>,
}

impl<'s, B: MessageBus> Life<'s, B> {
    /// Lives a whole life.
    ///
    /// # Errors
    ///
    /// The first law that is broken.
    pub(super) fn run(system: &'s System<B>, world: &Shared, case: &'s Case, rates: Faults) -> Result<(), Violation> {
        let (clock, log) = {
            let mut world = lock(world);
            world.begin(case, rates);
            (world.clock.clone(), std::mem::take(&mut world.log))
        };
        let stream = |stream: Stream| Chance::stream(case.seed, stream as u64);
        let mut actors = Vec::new();
        for (node, listed) in system.nodes.iter().enumerate() {
            actors.extend((0..listed.rows.table.workers.len()).map(|number| Actor {
                node,
                number,
                asleep: false,
                ended: false,
                paused_until: clock.now(),
                next: 0,
            }));
        }
        let mut life = Life {
            system,
            world: Arc::clone(world),
            horizon: clock.now() + system.lasting,
            clock,
            bus: None,
            outside: None,
            nodes: system.nodes.iter().map(|_| Node { up: None, down_until: None, stopping: None }).collect(),
            actors,
            laws: system.laws.iter().map(|(name, law)| (*name, law())).collect(),
            schedule: stream(Stream::Schedule),
            sizes: stream(Stream::Sizes),
            times: stream(Stream::Times),
            sources: stream(Stream::Sources),
            drains: stream(Stream::Drains),
            case,
            input: None,
            drawn: 0,
            inputs: system.inputs().into_iter().map(|count| (count, 0)).collect(),
            outside_asleep: false,
            step: 0,
            stopping: false,
            checked: 0,
            log,
        };
        let lived = life.live();
        // What is left is given up as it is.
        for node in 0..life.nodes.len() {
            life.take_down(node);
        }
        lock(world).log = life.log;
        lived
    }

    fn live(&mut self) -> Result<(), Violation> {
        let bus = caught(|| (self.system.ground.make)(&self.clock)).unwrap_or_else(Err);
        self.open(bus)?;
        self.draw_input();
        for node in 0..self.nodes.len() {
            self.start(node)?;
        }
        while self.turn()? {}
        self.check_rest()?;
        self.stop()?;
        self.check_end()
    }

    fn violation(&self, law: impl Into<String>, text: impl Into<String>) -> Violation {
        Violation { law: law.into(), text: text.into(), step: self.step }
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn world(&self) -> crate::sync::MutexGuard<'_, World> {
        lock(&self.world)
    }

    // ----------------------------------------------------------------------------------------------------------- turns

    /// Something has happened: everybody looks again.
    fn wake(&mut self) {
        self.actors.iter_mut().for_each(|actor| actor.asleep = false);
        self.outside_asleep = false;
    }

    fn is_awake(&self, actor: &Actor, now: Time) -> bool {
        !actor.asleep && !actor.ended && actor.paused_until <= now && self.nodes[actor.node].up.is_some()
    }

    fn has_input(&self, now: Time) -> bool {
        !self.outside_asleep && self.input.as_ref().is_some_and(|input| input.time <= now)
    }

    /// Somebody moves, or time passes. False when nobody will ever move again.
    fn turn(&mut self) -> Result<bool, Violation> {
        self.step += 1;
        let most = STEPS.saturating_add(STEPS_FOR_AN_INPUT.saturating_mul(self.drawn));
        let events = {
            let mut world = self.world();
            (world.step, world.refused) = (self.step, false);
            world.trace.events.len()
        };
        if self.step > most || events > EVENTS_FOR_A_STEP * most as usize {
            let text = format!("not within {} steps and {events} events", self.step - 1);
            return Err(self.violation("everything comes to rest", text));
        }
        let now = self.now();
        let awake = self.actors.iter().filter(|actor| self.is_awake(actor, now)).count() as u64;
        let outside = u64::from(self.has_input(now));
        if awake + outside == 0 {
            return self.pass_time(now);
        }
        let chosen = self.schedule.below(awake + outside);
        let mut awake = self.actors.iter().enumerate().filter(|(_, actor)| self.is_awake(actor, now));
        match awake.nth(chosen as usize).map(|(place, _)| place) {
            Some(place) => self.act(place)?,
            None => self.give_input()?,
        }
        Ok(true)
    }

    /// A worker's turn.
    fn act(&mut self, place: usize) -> Result<(), Violation> {
        let (node, worker) = (self.actors[place].node, self.actors[place].number);
        let (pause, blackout, crash, stop) = {
            let mut world = self.world();
            let [pause, blackout, crash, stop] =
                [Kind::Pause, Kind::Blackout, Kind::Crash, Kind::Stop].map(|kind| world.fault(kind));
            (pause, blackout, crash, stop)
        };
        if let Some(number) = pause {
            self.actors[place].paused_until = self.now() + some_time(number, 32);
            self.world().note_fault(Kind::Pause, place as u16);
            return Ok(());
        }
        if let Some(number) = blackout {
            return self.black_out(number);
        }
        if let Some(number) = stop {
            return self.stop_node(node, number);
        }
        match crash {
            Some(number) if number.is_multiple_of(2) => return self.crash(node, Kind::Crash, number / 2),
            // Before or after one of the next writes.
            Some(number) => self.world().arm(node as u16, some_writes(number >> 32), number >> 16 & 1 == 0),
            None => {}
        }
        let bits = self.sizes.below(9);
        let most = 1 + self.sizes.below(1 << bits) as usize;
        let since = {
            let mut world = self.world();
            world.begin_step(place as u16);
            world.trace.events.len()
        };
        let Some(up) = &mut self.nodes[node].up else { return Ok(()) };
        let Some(worker) = up.workers.iter_mut().nth(worker) else { return Ok(()) };
        let step = worker.step_up_to(most);
        let refused = {
            let mut world = self.world();
            world.disarm();
            world.check_step(place as u16, most, since);
            world.refused
        };
        if let Some(number) = crash {
            return self.crash(node, Kind::Crash, number / 2);
        }
        let happened = self.check()?;
        if happened || step != Step::Idle {
            self.wake();
        }
        // A write that was refused by chance is tried again.
        self.actors[place].asleep = step == Step::Idle && !happened && !refused;
        if step == Step::Finished {
            self.actors[place].ended = true;
            if self.actors.iter().all(|actor| actor.ended || actor.node != node) {
                return self.ended(node);
            }
        }
        Ok(())
    }

    /// The next message from outside is one of those that the case gives.
    fn draw_input(&mut self) {
        let mut time = self.input.take().map_or(self.now(), |input| input.time);
        loop {
            let all: u64 = self.inputs.iter().map(|(count, drawn)| count - drawn).sum();
            if all == 0 {
                break;
            }
            let mut lot = self.sources.below(all);
            let comes = |(_, (count, drawn)): &(usize, &(u64, u64))| {
                let left = count - drawn;
                let is_it = lot < left;
                lot = lot.saturating_sub(left);
                is_it
            };
            let source = self.inputs.iter().enumerate().find(comes).map_or(0, |(source, _)| source);
            let number = self.times.draw();
            if number.is_multiple_of(2) {
                time = time + some_time(number / 2, 30);
            }
            let input = Input { number: self.drawn, source, own: self.inputs[source].1, time };
            self.drawn += 1;
            self.inputs[source].1 += 1;
            let allowed = |only: &super::case::Only| only.inputs.binary_search(&input.number).is_ok();
            if self.case.only.as_ref().is_none_or(allowed) {
                self.input = Some(input);
                break;
            }
        }
        self.horizon = time + self.system.lasting;
    }

    /// Somebody outside writes.
    fn give_input(&mut self) -> Result<(), Violation> {
        let (Some(input), Some(writer)) = (&self.input, &self.outside) else { return Ok(()) };
        let give = &self.system.outside[input.source].write;
        let given = caught(|| give(input.own, writer));
        let (number, refused) = (input.number, self.world().refused);
        match given {
            Ok(Ok(())) => {
                self.world().given.push(number);
                self.check()?;
                self.draw_input();
                self.wake();
                Ok(())
            }
            Ok(Err(WriteError::Full)) => {
                self.outside_asleep = !refused;
                self.check().map(drop)
            }
            Ok(Err(error)) => Err(self.violation("what is outside can write", format!("input {number}: {error}"))),
            Err(text) => Err(self.violation("what is outside can write", format!("input {number} panicked: {text}"))),
        }
    }

    /// Stops all nodes, with something left to drain: what is theirs has come to rest.
    fn stop(&mut self) -> Result<(), Violation> {
        self.stopping = true;
        if let Some(writer) = &self.outside {
            // A ring may be full of what was handled and is not let go of yet.
            let _ = writer.try_write_bytes(NOBODYS.0, NOBODYS.1, &[]);
            self.check()?;
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].stopping = None;
            if let Some(up) = &self.nodes[node].up {
                caught(&up.stop).map_err(|text| self.violation(DRAINS, text))?;
            }
        }
        self.wake();
        while self.nodes.iter().any(|node| node.up.is_some()) {
            if !self.turn()? {
                return Err(self.violation(DRAINS, "nobody moves, and not all workers have ended"));
            }
        }
        Ok(())
    }

    // ------------------------------------------------------------------------------------------------------------ time

    /// Nobody has anything to do now. False if nobody ever will.
    fn pass_time(&mut self, now: Time) -> Result<bool, Violation> {
        let mut next: Option<Time> = None;
        let mut consider = |time: Time| next = Some(next.map_or(time, |next| next.min(time)));
        self.nodes.iter().filter_map(|node| node.down_until).for_each(&mut consider);
        if let Some(input) = self.input.as_ref().filter(|_| !self.outside_asleep) {
            consider(input.time);
        }
        for (node, running) in self.nodes.iter_mut().enumerate() {
            let Some(up) = &mut running.up else { continue };
            let actors = self.actors.iter().filter(|actor| actor.node == node);
            for (worker, actor) in up.workers.iter_mut().zip(actors).filter(|(_, actor)| !actor.ended) {
                if actor.paused_until > now {
                    consider(actor.paused_until);
                } else if let Some(deadline) = worker.next_deadline()
                    && (self.stopping || deadline <= self.horizon)
                {
                    consider(deadline);
                }
            }
        }
        match next {
            Some(next) => {
                self.clock.set(if next > now { next } else { now + MOMENT });
                self.wake();
                self.start_who_is_due(false)?;
                Ok(true)
            }
            None if !self.world().peace => {
                self.world().peace = true;
                self.wake();
                self.start_who_is_due(true)?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn start_who_is_due(&mut self, all: bool) -> Result<(), Violation> {
        for node in 0..self.nodes.len() {
            if self.nodes[node].down_until.is_some_and(|until| all || until <= self.now()) {
                self.start(node)?;
            }
        }
        Ok(())
    }
}
