//! [`Sim`]: whole systems from a seed.
//!
//! `bus.rs` wraps the bus, `world.rs` notes what happens there and lets go wrong what the seed decides, `life.rs` lets
//! one system live from its start to its stop and checks the laws, `tell.rs` puts a failure into words. Here lives are
//! run for many seeds, compared, and made as small as they still fail.

use crate::message_bus::BusError;
use crate::messenger::{Messenger, Options};
use crate::routing::Topology;
use crate::sync::testing::thread_name;
use crate::sync::{Arc, Mutex, lock};
use crate::testing::chance::shrink;
use crate::traits::{MessageBus, WriteError};
use case::{Case, Only};
use life::{Life, SETUP, Violation};
use node::{Node, Started, Up};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use system::{Ground, Law, Outside, System};
use tell::Teller;
use trace::Trace;
use world::{Place, Shared, World};

mod bus;
mod case;
mod faults;
#[cfg(unix)]
mod journals;
mod kept;
mod life;
mod node;
#[cfg(unix)]
mod recorded;
mod seen;
mod system;
mod tell;
mod trace;
mod world;

pub use bus::Simulated;
pub use faults::Faults;
pub use seen::Seen;

/// Whole systems, run from a number: every order of steps, every fault, and the same again.
///
/// A system is one or several tables on one bus. Each is a **node**: the messenger of one process. One thread runs all
/// of it. The **seed** chooses which worker moves next and how many messages it takes then, when messages come from
/// outside and in which order, and which [`Faults`] happen. Time is virtual, and passes when nobody has anything to do.
///
/// After each message, and at the end, your laws are asked; those of the bus always: one order, nothing lost, nothing
/// twice, stable bytes, everything handled, what was kept back first and in turn, each deadline once, stops that drain,
/// no worker that fails. When all inputs are given and nobody moves any more, nothing goes wrong any more, who is down
/// starts again, and when the system has come to rest it is stopped, with one more message on the bus, of a source that
/// nobody has, which is to be drained.
///
/// A failure says its seed and its last steps, then how few inputs and faults are enough for it, and the command that
/// repeats it. `SIM_SEED=17` runs seed 17 alone, `SIM_SEEDS=100000` that many.
///
/// Handlers have to do the same when they are given the same: they ask [`Writer::now`](crate::traits::Writer::now) for
/// the time, and use neither the system's clock and random numbers nor the order of a `HashMap`. The first seed and
/// each one that fails run twice, and what differs is a failure that names the handler. On a journal the recorded
/// time and cause of each message are compared, too. If a law is what differs, the failure names the law.
///
/// ```
/// use rust_messenger::prelude::*;
/// use rust_messenger::testing::{Faults, Sim};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Order { n: u64 }
/// serde_message!(Order, 1);
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Trade { n: u64 }
/// serde_message!(Trade, 2);
///
/// struct Gateway; // Somebody outside.
/// handler!(Gateway, 1);
///
/// #[derive(Default)]
/// struct Venue;
/// handler!(Venue, 2, default);
///
/// impl Handle<Order> for Venue {
///     fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
///         Self::send(&Trade { n: order.n }, writer);
///     }
/// }
///
/// #[derive(Default)]
/// struct Ledger;
/// handler!(Ledger, 3, default);
///
/// impl Handle<Trade> for Ledger {
///     fn handle<W: Writer>(&mut self, _: &Trade, _: &W) {}
/// }
///
/// Messenger! {
///     type Market;
///     (),
///     Trading: handlers: [ venue: Venue ] routes: [ Gateway, Order: [ venue ] ]
///     Books: handlers: [ ledger: Ledger ] routes: [ Venue, Trade: [ ledger ] ]
/// }
///
/// Sim::new(|| CircularBus::new(4096))
///     .node("market", Market::with_options, ())
///     .outside(20, |n, writer| Gateway::try_send(&Order { n }, writer))
///     .faults(Faults { full: 0.05, pause: 0.01, ..Faults::default() })
///     .law("each order is traded once, in order", 0, |next, seen| {
///         let Some(trade) = seen.handled::<Trade>() else { return Ok(()) };
///         *next += 1;
///         if trade.n + 1 == *next { Ok(()) } else { Err(format!("trade {} is number {next}", trade.n)) }
///     })
///     .at_end("all are traded", |seen| {
///         let trades = seen.iter().filter(|seen| seen.written::<Trade>().is_some()).count();
///         if trades == 20 { Ok(()) } else { Err(format!("{trades} trades")) }
///     })
///     .seeds(50)
///     .run();
/// ```
pub struct Sim<B: MessageBus> {
    system: System<B>,
    faults: Faults,
    seeds: Seeds,
    file: Option<PathBuf>,
}

/// The seeds to run. The last one is not past that of the largest number.
#[derive(Clone, Copy, Debug)]
struct Seeds {
    first: u64,
    count: u64,
}

/// What a simulation found. It prints as a report.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// In which turn of somebody.
    pub step: u64,
    /// The name of the law that is broken.
    pub law: String,
    /// What was found, and how to run it again.
    report: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

impl std::error::Error for Finding {}

impl<B: MessageBus> fmt::Debug for Sim<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seeds", &self.seeds).field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl<B: MessageBus> Sim<B> {
    /// A system on the bus that `make` makes for each life. If all nodes are killed, the bus stays as it is, as one
    /// does in which somebody else has a part.
    pub fn new(make: impl Fn() -> Result<B, BusError> + 'static) -> Sim<B> {
        Self::on(Ground {
            make: Box::new(move |_| make().map_err(|error| error.to_string())),
            reopen: Box::new(|bus, _, _| Ok((bus, None))),
            fills: true,
            resumes: Box::new(|_| false),
        })
    }

    fn on(ground: Ground<B>) -> Sim<B> {
        let system = System {
            ground,
            nodes: Vec::new(),
            outside: Vec::new(),
            recordings: Vec::new(),
            laws: Vec::new(),
            ends: Vec::new(),
            lasting: Duration::from_secs(10),
        };
        Sim { system, faults: Faults::default(), seeds: Seeds { first: 0, count: 100 }, file: None }
    }

    /// Adds a node: a table, as its `with_options` makes it, and the configuration of its handlers. The options have
    /// the virtual clock; pass them on, changed as you like: `|bus, options| Market::with_options(bus, Options { .. })`
    /// is such a function, too. No two nodes may have workers of one name.
    pub fn node<M, T, C>(
        mut self,
        name: &'static str,
        make: impl Fn(Simulated<B>, Options) -> M + 'static,
        config: C,
    ) -> Self
    where
        M: Deref<Target = Messenger<Simulated<B>, T>> + 'static,
        T: Topology<C> + 'static,
        C: Clone + 'static,
    {
        let start = move |bus: Simulated<B>, options: Options| -> Started {
            let messenger = make(bus, options);
            let workers = messenger.workers(&config)?;
            Ok(Up { workers, stop: Box::new(move || messenger.stop()) })
        };
        self.system.nodes.push(Node { name, rows: T::ROWS, start: Box::new(start) });
        self
    }

    /// Adds somebody outside, who writes `count` messages: `write` is called with 0, 1, and so on, each time when the
    /// seed says. If the bus is full, it is called again with the same number.
    pub fn outside(
        mut self,
        count: u64,
        write: impl Fn(u64, &Simulated<B::BusWriter>) -> Result<(), WriteError> + 'static,
    ) -> Self {
        self.system.outside.push(Outside { count, source: None, write: Box::new(write) });
        self
    }

    /// What may go wrong. Default: nothing.
    pub fn faults(self, faults: Faults) -> Self {
        Sim { faults, ..self }
    }

    /// Adds a law, which sees each message that is written or handled, and what it knows in each life: a copy of
    /// `state` at first. A law that panics is broken, too.
    pub fn law<S: Clone + 'static>(
        mut self,
        name: &'static str,
        state: S,
        law: impl Fn(&mut S, &Seen<'_>) -> Result<(), String> + 'static,
    ) -> Self {
        let law = Rc::new(law);
        let begin = move || -> Law {
            let (mut state, law) = (state.clone(), Rc::clone(&law));
            Box::new(move |seen| law(&mut state, seen))
        };
        self.system.laws.push((name, Box::new(begin)));
        self
    }

    /// Adds a law of a whole life, asked after its stop.
    pub fn at_end(mut self, name: &'static str, law: impl Fn(&[Seen<'_>]) -> Result<(), String> + 'static) -> Self {
        self.system.ends.push((name, Box::new(law)));
        self
    }

    /// Runs the seeds from 0 to below `count`. Default: 100.
    pub fn seeds(self, count: u64) -> Self {
        Sim { seeds: Seeds { first: 0, count }, ..self }
    }

    /// How long the simulation waits for deadlines after the last message from outside, in virtual time. Default: 10 s.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.system.lasting = time;
        self
    }

    /// Writes a failure to this file: its seed, its faults and its inputs. [`run`](Self::run) with `SIM_FILE=path` runs
    /// what is in such a file and nothing else. Default: nothing is written.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        Sim { file: Some(path.into()), ..self }
    }

    /// Runs the seeds, or those that the environment names: `SIM_SEED=n` one, `SIM_SEEDS=n` so many, `SIM_FILE=path`
    /// the case in a file.
    ///
    /// # Panics
    ///
    /// With the report, when a law is broken, or there is no such system.
    #[track_caller]
    pub fn run(mut self) {
        let file = std::env::var_os("SIM_FILE").map(PathBuf::from);
        let number = |variable: &str| {
            let text = std::env::var(variable).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
        };
        let ran = match (file, number("SIM_SEED"), number("SIM_SEEDS")) {
            (Some(file), ..) => self.rerun(&file),
            (None, seed, count) => {
                self.seeds = match (seed, count) {
                    (Some(first), _) => Seeds { first, count: 1 },
                    (None, Some(count)) => Seeds { first: 0, count },
                    (None, None) => self.seeds,
                };
                self.try_run()
            }
        };
        if let Err(finding) = ran {
            panic!("{finding}");
        }
    }

    /// Runs the seeds, whatever the environment says. Returns how many there were.
    ///
    /// # Errors
    ///
    /// The first finding.
    pub fn try_run(&self) -> Result<u64, Finding> {
        let world = self.world()?;
        for number in 0..self.seeds.count {
            self.run_case(&world, &Case::of(self.seeds.first + number), self.faults, number == 0)?;
        }
        Ok(self.seeds.count)
    }

    /// Runs the case in a file that [`file`](Self::file) wrote, and nothing else.
    ///
    /// # Errors
    ///
    /// What it finds, or why that is no case.
    pub fn rerun(&self, path: impl AsRef<Path>) -> Result<u64, Finding> {
        let world = self.world()?;
        let (case, faults) = case::read(path.as_ref()).map_err(|error| finding_of_setup(&error))?;
        if let Some(complaint) = faults.complaint() {
            return Err(finding_of_setup(&complaint));
        }
        self.run_case(&world, &case, faults, true).map(|()| 1)
    }

    /// What all lives share, if there is a system to run.
    fn world(&self) -> Result<Shared, Finding> {
        let mut places = Vec::new();
        for (number, node) in self.system.nodes.iter().enumerate() {
            let workers = node.rows.table.workers.iter();
            places.extend(workers.map(|worker| Place::new(number as u16, node.name, worker)));
        }
        let mut names = BTreeSet::new();
        let twice = places.iter().map(|place| place.name).find(|name| !names.insert(*name));
        let complaint = match twice {
            Some(worker) => Some(format!("two workers are called {worker}: nobody could tell their readers apart")),
            None if names.is_empty() => Some("there is no node with a worker".to_owned()),
            None if self.seeds.count == 0 => Some("there is no seed to run".to_owned()),
            None => self.faults.complaint().or_else(|| {
                let path = self.system.foreign()?;
                Some(format!("{}: nothing that came from outside is for a node that is here", path.display()))
            }),
        };
        match complaint {
            Some(complaint) => Err(finding_of_setup(&complaint)),
            None => Ok(Arc::new(Mutex::new(World::new(self.system.nodes.len(), places)))),
        }
    }

    /// Runs one case, twice if it fails or `twice` says so.
    fn run_case(&self, world: &Shared, case: &Case, mut rates: Faults, twice: bool) -> Result<(), Finding> {
        if !self.system.ground.fills {
            rates.full = 0.0;
        }
        let lived = Life::run(&self.system, world, case, rates);
        if lived.is_ok() && !twice {
            return Ok(());
        }
        if let Err(violation) = &lived
            && violation.law == SETUP
        {
            return Err(finding_of_setup(&violation.text));
        }
        let (first, fired, given) = {
            let mut world = lock(world);
            (std::mem::take(&mut world.trace), world.fired.clone(), world.given.clone())
        };
        let again = Life::run(&self.system, world, case, rates);
        let shorter = if first.events.len() < lock(world).trace.events.len() { &lived } else { &again };
        // A law of the user's ends a life as soon as it is broken: what comes behind that is no difference.
        let is_law = |violation: &Violation| self.system.laws.iter().any(|(name, _)| *name == violation.law);
        let is_cut = !is_same(&lived, &again) && shorter.as_ref().is_err_and(is_law);
        self.compare(&first, &lock(world), case, is_cut)?;
        if !is_same(&lived, &again) {
            return Err(law_of_its_own(case, &lived, &again));
        }
        lived.map_err(|violation| self.report(world, case, rates, &violation, fired, given))
    }

    /// The same seed is the same run; if one of them was cut short, up to there.
    fn compare(&self, first: &Trace, world: &World, case: &Case, is_cut: bool) -> Result<(), Finding> {
        let second = &world.trace;
        let lengths = [first, second].map(|trace| trace.events.len());
        let most = if is_cut { lengths[0].min(lengths[1]) } else { lengths[0].max(lengths[1]) };
        let Some(place) = (0..most).find(|&place| !first.agrees(second, place)) else { return Ok(()) };
        let teller = Teller { nodes: &self.system.nodes, places: &world.places };
        let step = [first, second].iter().filter_map(|trace| trace.events.get(place)).map(|event| event.step).min();
        let report = format!(
            "the same seed is not the same run: {} does not do the same twice. It asks something other than its \
             messages and its writer: the system's clock, a random number, the order of a hash table\n  \
             once  {}\n  again {}\nseed {}, step {}\nrun it again: {}",
            teller.who([first, second], place),
            teller.event_or_end(first, place),
            teller.event_or_end(second, place),
            case.seed,
            step.unwrap_or(0),
            command(case.seed),
        );
        Err(Finding { seed: case.seed, step: step.unwrap_or(0).into(), law: SAME.into(), report })
    }

    /// Finds how little is enough for a failure, and says all of it.
    fn report(
        &self,
        world: &Shared,
        case: &Case,
        rates: Faults,
        violation: &Violation,
        fired: Vec<(faults::Kind, u32)>,
        given: Vec<u32>,
    ) -> Finding {
        let part = |kept: &[bool]| {
            let (of_faults, of_inputs) = kept.split_at(fired.len());
            let mut faults: Vec<_> =
                fired.iter().zip(of_faults).filter(|(_, kept)| **kept).map(|(one, _)| *one).collect();
            let mut inputs: Vec<_> =
                given.iter().zip(of_inputs).filter(|(_, kept)| **kept).map(|(one, _)| *one).collect();
            faults.sort_unstable();
            inputs.sort_unstable();
            Case { seed: case.seed, only: Some(Only { faults, inputs }) }
        };
        // The input that was refused, or had not come, is left out from the beginning if that makes no difference.
        let kept = shrink(fired.len() + given.len(), LIVES_TO_SHRINK, |kept| {
            Life::run(&self.system, world, &part(kept), rates).is_err_and(|found| found.law == violation.law)
        });
        let least = part(&kept);
        let (least, told) = match Life::run(&self.system, world, &least, rates) {
            Err(found) if found.law == violation.law => (least, found),
            _ => (
                case.clone(),
                Life::run(&self.system, world, case, rates).err().unwrap_or_else(|| Violation {
                    law: violation.law.clone(),
                    text: violation.text.clone(),
                    step: violation.step,
                }),
            ),
        };
        let world = lock(world);
        let teller = Teller { nodes: &self.system.nodes, places: &world.places };
        let mut report = format!(
            "law broken: {}\n  {}\nseed {}, step {}\n",
            violation.law, violation.text, case.seed, violation.step
        );
        teller.needed(&mut report, &least, (fired.len(), given.len()), &told.text);
        teller.steps(&mut report, &world.trace, told.step);
        report += &format!("run it again: {}", command(case.seed));
        if let Some(path) = &self.file {
            let text = case::Text(&least, &rates).to_string();
            report += &match std::fs::write(path, text) {
                Ok(()) => format!("\nor its least form: SIM_FILE={} {}", path.display(), cargo_test()),
                Err(error) => format!("\n(its least form was not written to {}: {error})", path.display()),
            };
        }
        Finding { seed: case.seed, step: violation.step.into(), law: violation.law.clone(), report }
    }
}

/// How many lives are spent to find out how little is enough.
const LIVES_TO_SHRINK: usize = 500;

const SAME: &str = "the same seed is the same run";

type Lived = Result<(), Violation>;

/// Whether two lives have ended the same.
fn is_same(lived: &Lived, again: &Lived) -> bool {
    let end = |lived: &Lived| lived.as_ref().err().map(|violation| (violation.law.clone(), violation.step));
    end(lived) == end(again)
}

/// Of two lives in which the same has happened, a law holds in one for longer.
fn law_of_its_own(case: &Case, lived: &Lived, again: &Lived) -> Finding {
    let outcome = |lived: &Lived| match lived {
        Err(found) => format!("in step {}: {}", found.step, found.text),
        Ok(()) => "all laws hold".to_owned(),
    };
    let first = [lived, again].into_iter().filter_map(|lived| lived.as_ref().err()).min_by_key(|found| found.step);
    let (law, step) = first.map_or(("", 0), |found| (&found.law, found.step));
    let report = format!(
        "the same seed is the same run, and law `{law}` does not say the same of it twice. It knows something other than \
         what it was shown in this life\n  once  {}\n  again {}\nseed {}, step {step}\nrun it again: {}",
        outcome(lived),
        outcome(again),
        case.seed,
        command(case.seed),
    );
    Finding { seed: case.seed, step: step.into(), law: SAME.into(), report }
}

fn finding_of_setup(text: &str) -> Finding {
    Finding { seed: 0, step: 0, law: SETUP.to_owned(), report: text.to_owned() }
}

/// What runs the test that is running: it gives its thread its name.
fn cargo_test() -> String {
    match thread_name() {
        Some(name) if name != "main" => format!("cargo test {name}"),
        _ => "cargo test".to_owned(),
    }
}

fn command(seed: u64) -> String {
    format!("SIM_SEED={seed} {}", cargo_test())
}
