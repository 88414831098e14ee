//! Both halves for a messenger: one thread, which is expected as a worker is.

use crate::bell::{Bell, Clapper};
use crate::connection::{Connection, lock};
use crate::error::BridgeError;
use crate::inlet::{In, InletStats};
use crate::line::{Lead, Line, Phase};
use crate::options::BridgeOptions;
use crate::outlet::{Out, OutletStats};
use crate::protocol::Catalog;
use crate::status::Status;
use crate::voice::Voice;
use rust_messenger::messenger::{Attached, Messenger};
use rust_messenger::routing::{Placed, Table};
use rust_messenger::traits::{Handler, Message, MessageBus, Sender, WriteError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The name of its thread, and of its place among the workers.
const NAME: &str = "nats bridge";

/// Has a messenger run its part of a table whose other workers run elsewhere: an [`Outlet`](crate::Outlet) and an
/// [`Inlet`](crate::Inlet) on one thread, with one connection.
///
/// Its place is among the workers ([`Messenger::attach`]). Nothing comes in before all workers are subscribed. When the
/// messenger stops, nothing more comes in, and what stands before the end of the drain goes out, within the time that the
/// stop has; what is left then is in [`Summary::left`](rust_messenger::messenger::Summary::left), by the name `nats bridge`.
/// A [`BridgeError`] ends the messenger:
/// [`Cause::Failed`](rust_messenger::messenger::Cause::Failed) has it.
///
/// How it is, it says as a [`Status`](crate::Status): a table routes that as `Bridge, Status: [h]`, with this type as the
/// source.
///
/// Dropping it before the messenger runs ends it; from then on it ends with the messenger.
///
/// ```no_run
/// use rust_messenger::messenger::Messenger;
/// use rust_messenger::routing::{Placement, Table};
/// use rust_messenger::traits::MessageBus;
/// use rust_messenger_nats::protocol::Names;
/// use rust_messenger_nats::{Bridge, BridgeOptions};
///
/// fn bridge<B: MessageBus, T>(
///     messenger: &Messenger<B, T>, // Its `Options::workers` are those of `placed`.
///     table: &'static Table<'static>,
/// ) -> Result<Bridge, Box<dyn std::error::Error>> {
///     let placed = Placement::new().worker("Field", "pump").worker("Office", "house").on("pump", table)?;
///     let options = BridgeOptions::ring("nats://127.0.0.1:4222", Names::new("plant", placed.node())?);
///     Ok(Bridge::start(messenger, table, &placed, options)?)
/// }
/// ```
#[derive(Debug)]
#[must_use = "dropping it before the messenger runs ends it"]
pub struct Bridge {
    out: Option<Arc<Mutex<OutletStats>>>,
    sources: Vec<Arc<Mutex<InletStats>>>,
    status: Arc<Mutex<Option<Status>>>,
    is_dropped: Arc<AtomicBool>,
    clapper: Clapper,
}

/// What a [`Bridge`] has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeStats {
    /// What went out; `None` of a node that sends nothing to others.
    pub out: Option<OutletStats>,
    /// What came in, by the names of the nodes in their order.
    pub sources: Vec<InletStats>,
    /// How it is; `None` until it knows of a server, or of none.
    pub status: Option<Status>,
}

impl Bridge {
    /// Begins, before the messenger runs. `table` is the messenger's, and `placed` what of it is here and what elsewhere;
    /// [`BridgeOptions::names`] are those of this node. Who receives and who sends follows from these, beside
    /// [`BridgeOptions::receivers`].
    ///
    /// # Errors
    ///
    /// [`BridgeError::RanBefore`]; [`BridgeError::OtherNode`]; [`BridgeError::Exposed`], [`BridgeError::Subscribe`],
    /// [`BridgeError::Name`], [`BridgeError::Thread`] and [`BridgeError::Connect`]; [`BridgeError::Writer`] of a bus for one
    /// writer, where something comes in or the table routes its status to a worker here.
    pub fn start<B: MessageBus, T>(
        messenger: &Messenger<B, T>,
        table: &Table<'_>,
        placed: &Placed,
        mut options: BridgeOptions,
    ) -> Result<Bridge, BridgeError> {
        if placed.node() != options.names.node() {
            let (placed, named) = (placed.node().to_owned(), options.names.node().to_owned());
            return Err(BridgeError::OtherNode { placed, named });
        }
        let thread = |error: std::io::Error| BridgeError::Thread(error.kind());
        let bell = Arc::new(Bell::new().map_err(thread)?);
        let connection = Arc::new(Connection::begin(&options, &bell)?);
        let attached = messenger.attach(NAME).map_err(|_| BridgeError::RanBefore)?;
        let bus = attached.bus().clone();
        options.receivers.extend(placed.receivers().map(str::to_owned));
        options.receivers.sort_unstable();
        options.receivers.dedup();
        let sources = placed.sources().map(|node| {
            let comes_in = |source, message| placed.comes_in(node, source, message);
            (node.to_owned(), Catalog::of(table, |route| comes_in(route.source_id, route.message_id)))
        });
        let sources = In::all(&bus, sources, &options, &connection)?;
        let goes_out = Catalog::of(table, |route| placed.goes_out(route.source_id, route.message_id));
        let out =
            if goes_out.rows().is_empty() { None } else { Some(Out::new(&bus, goes_out, &options, &connection)?) };
        let here = table.workers.iter().filter(|worker| placed.workers().contains(&worker.name));
        let mut routes = here.flat_map(|worker| worker.routes);
        let is_heard = routes.any(|route| (route.source_id, route.message_id) == (Bridge::ID, Status::ID));
        let writer = if is_heard { Some(bus.writer().map_err(BridgeError::Writer)?) } else { None };
        let voice = Voice::new(options.stall);
        let is_dropped = Arc::new(AtomicBool::new(false));
        let bridge = Bridge {
            out: out.as_ref().map(|out| out.stats().clone()),
            sources: sources.iter().map(|source| source.stats().clone()).collect(),
            status: voice.last().clone(),
            is_dropped: is_dropped.clone(),
            clapper: bell.clapper(),
        };
        let lead = WithMessenger { attached, has_begun: false, is_dropped, writer };
        let line = Line { lead, bus, connection, out, sources, voice };
        std::thread::Builder::new().name(NAME.to_owned()).spawn(move || run(line)).map_err(thread)?;
        Ok(bridge)
    }

    /// What it has done so far.
    pub fn stats(&self) -> BridgeStats {
        BridgeStats {
            out: self.out.as_ref().map(|stats| *lock(stats)),
            sources: self.sources.iter().map(|stats| lock(stats).clone()).collect(),
            status: lock(&self.status).clone(),
        }
    }
}

/// The source of each [`Status`].
impl Handler for Bridge {
    type Id = u16;
    /// The library's: no handler of a table may have it.
    const ID: u16 = 0xFF01;
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::Relaxed);
        self.clapper.ring();
    }
}

/// As long as the messenger runs.
struct WithMessenger<B: MessageBus> {
    attached: Attached<B>,
    has_begun: bool,
    is_dropped: Arc<AtomicBool>,
    /// Writes how the bridge is; `None` if no worker here wants to know.
    writer: Option<B::BusWriter>,
}

impl<B: MessageBus> Lead for WithMessenger<B> {
    fn phase(&mut self) -> Phase {
        if self.attached.is_late() {
            return Phase::Over;
        }
        if let Some(end) = self.attached.drain_end() {
            return Phase::Draining(end);
        }
        if self.attached.is_stopping() {
            return Phase::Stopping;
        }
        self.has_begun = self.has_begun || self.attached.wait_until_subscribed(Duration::ZERO);
        match self.has_begun {
            true => Phase::Running,
            false if self.is_dropped.load(Ordering::Relaxed) => Phase::Over,
            false => Phase::Before,
        }
    }

    fn say(&mut self, status: &Status) -> bool {
        let Some(writer) = &self.writer else { return true };
        // Who is not subscribed yet would never hear it.
        if !self.has_begun {
            return false;
        }
        let status = status.clone().cut_to(self.attached.bus().max_payload());
        // After the stop nobody wants to know.
        !matches!(Bridge::try_send(&status, writer), Err(WriteError::Full | WriteError::NoSpace))
    }
}

fn run<B: MessageBus>(mut line: Line<B, WithMessenger<B>>) {
    let result = line.run();
    let left = result.as_ref().copied().unwrap_or_else(|_| line.left_now());
    line.end(result.as_ref().err());
    let WithMessenger { attached, .. } = line.lead;
    if let Err(error) = result {
        attached.fail(error);
    }
    attached.leave(left.unread, left.on_the_way as u64);
}
