//! What panics: messages, handlers, and what buses and options hold. Each calls `spring` where its spot is.

use super::*;

// ------------------------------------------------------------------------------------------------------------ messages

/// Handled by everybody.
pub(super) struct Plain;

/// Makes `mean` do what panics.
pub(super) struct Trigger;

/// Sent by `mean`.
pub(super) struct Trapped;

/// Written and read by hand, in another way.
pub(super) struct Raw;

#[repr(u16)]
pub(super) enum TrappedId {
    Only = 3,
}

impl From<TrappedId> for u16 {
    fn from(id: TrappedId) -> u16 {
        spring(Spot::IdInto);
        id as u16
    }
}

impl Message for Plain {
    type Id = u16;
    const ID: u16 = 1;
}

impl Message for Trigger {
    type Id = u16;
    const ID: u16 = 2;
}

impl Message for Raw {
    type Id = u16;
    const ID: u16 = 5;
}

empty! { Plain Trigger }

impl DeserializeFrom for Plain {
    fn deserialize_from(_: &[u8]) -> Self {
        Plain
    }
}

impl DeserializeFrom for Trigger {
    fn deserialize_from(buffer: &[u8]) -> Self {
        spring(Spot::DeserializeFrom);
        if buffer.is_empty() {
            resume_unwind(Box::new("no trigger"));
        }
        Trigger
    }
}

impl Drop for Trigger {
    fn drop(&mut self) {
        spring(Spot::MessageDrop);
    }
}

impl Message for Trapped {
    type Id = TrappedId;
    const ID: TrappedId = TrappedId::Only;
}

impl ExtendedMessage for Trapped {
    fn get_size(&self) -> usize {
        spring(Spot::GetSize);
        8
    }

    fn write_into(&self, _: &mut [u8]) {
        spring(Spot::WriteInto);
    }

    fn encode(&self, space: &mut Space<'_>) -> Result<(), EncodeError> {
        spring(Spot::Encode);
        self.write_into(space.zeroed());
        Ok(())
    }

    fn as_encoded(&self) -> Option<&[u8]> {
        spring(Spot::AsEncoded);
        None
    }
}

impl DeserializeFrom for Trapped {
    fn deserialize_from(_: &[u8]) -> Self {
        Trapped
    }
}

impl ExtendedMessage for Raw {
    fn get_size(&self) -> usize {
        0
    }

    fn write_into(&self, _: &mut [u8]) {}
}

impl Encoded for Raw {
    type Decoded<'a> = Raw;

    fn decode(_: &[u8]) -> Result<Raw, DecodeError> {
        spring(Spot::Decode);
        Ok(Raw)
    }
}

/// Encoded by serde.
struct Serde;

rust_messenger::serde_message!(Serde, 4);

impl serde::Serialize for Serde {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        spring(Spot::Serialize);
        serializer.serialize_u8(1)
    }
}

impl<'de> serde::Deserialize<'de> for Serde {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spring(Spot::Deserialize);
        <u8 as serde::Deserialize>::deserialize(deserializer).map(|_| Serde)
    }
}

/// What is written without a message.
struct Trap;

impl Payload for Trap {
    fn size(&self) -> usize {
        spring(Spot::PayloadSize);
        8
    }

    fn fill(&mut self, _: &mut Space<'_>) -> Result<(), EncodeError> {
        spring(Spot::PayloadFill);
        Ok(())
    }
}

/// What `mean` fails with.
struct Refusal;

impl From<Refusal> for Box<dyn Error + Send + Sync> {
    fn from(_: Refusal) -> Self {
        spring(Spot::ErrorInto);
        "it did not panic".into()
    }
}

// ------------------------------------------------------------------------------------------------------------ handlers

pub(super) struct Config {
    pub(super) spot: Spot,
    pub(super) poller: Option<Arc<Bed>>,
}

impl Clone for Config {
    fn clone(&self) -> Self {
        spring(Spot::ConfigClone);
        Config { spot: self.spot, poller: self.poller.clone() }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        spring(Spot::ConfigDrop);
    }
}

/// What the worker sleeps in.
#[derive(Debug, Default)]
pub(super) struct Bed {
    bell: Bell,
    pub(super) is_asleep: AtomicBool,
}

impl Poller for Bed {
    fn wait(&self, timeout: Option<Duration>) {
        spring(Spot::PollerWait);
        self.is_asleep.store(true, Ordering::SeqCst);
        self.bell.wait(timeout);
        self.is_asleep.store(false, Ordering::SeqCst);
    }

    fn poll(&self) -> bool {
        spring(Spot::PollerPoll);
        false
    }

    fn notify(&self) {
        spring(Spot::PollerNotify);
        self.bell.notify();
    }
}

/// A poller of one worker, which goes with it.
#[derive(Debug)]
struct Own(Arc<Bed>);

impl Poller for Own {
    fn wait(&self, timeout: Option<Duration>) {
        self.0.wait(timeout);
    }

    fn poll(&self) -> bool {
        self.0.poll()
    }

    fn notify(&self) {
        self.0.notify();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        spring(Spot::PollerDrop);
    }
}

/// Sends what the others handle.
pub(super) struct First;

/// Panics, or calls what does.
pub(super) struct Mean {
    spot: Spot,
    poller: Option<Arc<Bed>>,
}

/// Stands behind it.
pub(super) struct Last;

/// Works on another worker.
pub(super) struct Counter;

impl Handler for First {
    type Id = u16;
    const ID: u16 = 1;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        if SENT.load(Ordering::SeqCst) != 0 {
            // Its worker was restarted.
            return;
        }
        for number in 0..16 {
            Self::send(&Plain, writer);
            SENT.fetch_add(1, Ordering::SeqCst);
            if number == 7 {
                let is_empty = ARMED.load(Ordering::SeqCst) == Spot::OnReportUndecodable as u64 + 1;
                writer.write_bytes(Self::ID, Trigger::ID, if is_empty { &[] } else { &[1; 8] }).unwrap();
            }
        }
    }
}

impl Handler for Mean {
    type Id = u16;
    const ID: u16 = 2;

    fn on_start<W: Writer>(&mut self, _: &W) {
        spring(Spot::OnStart);
    }

    fn on_loop<W: Writer>(&mut self, _: &W) {
        spring(Spot::OnLoop);
    }

    fn on_stop(&mut self) {
        spring(Spot::OnStop);
    }

    fn next_deadline(&self) -> Option<Time> {
        spring(Spot::NextDeadline);
        (self.spot == Spot::ClockNow).then_some(Time::from_nanos(u64::MAX))
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        spring(Spot::NamePoller);
        self.poller.clone().map(|bed| Arc::new(Own(bed)) as Arc<dyn Poller>)
    }
}

impl Drop for Mean {
    fn drop(&mut self) {
        spring(Spot::HandlerDrop);
    }
}

impl Handler for Last {
    type Id = u16;
    const ID: u16 = 3;
}

impl Handler for Counter {
    type Id = u16;
    const ID: u16 = 4;
}

impl New<Config> for First {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        First
    }
}

impl New<Config> for Mean {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        spring(Spot::New);
        Mean { spot: config.spot, poller: config.poller.clone() }
    }
}

impl New<Config> for Last {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Last
    }
}

impl New<Config> for Counter {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        Counter
    }
}

impl Handle<Trigger> for Mean {
    fn handle<W: Writer>(&mut self, _: &Trigger, writer: &W) {
        if self.spot.is_armed_by_trigger() {
            arm(self.spot);
        }
        spring(Spot::Handle);
        match self.spot {
            Spot::GetSize | Spot::AsEncoded | Spot::WriteInto | Spot::Encode | Spot::JournalClock => {
                Self::send(&Trapped, writer);
            }
            Spot::Serialize | Spot::Deserialize => Self::send(&Serde, writer),
            Spot::Decode => Self::send(&Raw, writer),
            Spot::OnReportUnrouted => writer.write_bytes(Self::ID, 9, &[]).unwrap(),
            Spot::PayloadSize | Spot::PayloadFill => writer.put(Self::ID, 9, &mut Trap).unwrap(),
            Spot::Fill => writer.write(Self::ID, 9, 8, |_| spring(Spot::Fill)).unwrap(),
            Spot::ErrorInto => writer.fail(Refusal),
            Spot::OnReport => writer.report(Report::Unsent { source: 1, message: 1, error: WriteError::Full }),
            _ => {}
        }
    }
}

impl Handle<Plain> for First {
    fn handle<W: Writer>(&mut self, _: &Plain, _: &W) {}
}

impl Handle<Plain> for Last {
    fn handle<W: Writer>(&mut self, _: &Plain, _: &W) {}
}

impl Handle<Plain> for Counter {
    fn handle<W: Writer>(&mut self, _: &Plain, _: &W) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
}

impl Handle<Trapped> for Mean {
    fn handle<W: Writer>(&mut self, _: &Trapped, _: &W) {}
}

impl Handle<Raw> for Mean {
    fn handle<W: Writer>(&mut self, _: &Raw, _: &W) {}
}

impl Handle<Serde> for Mean {
    fn handle<W: Writer>(&mut self, _: &Serde, _: &W) {}
}

Messenger! {
    Config,
    Victim:
        handlers: [ first: First, mean: Mean, last: Last ]
        routes: [
            Mean, Trapped: [ mean ],
            First, Plain: [ first, last ],
            First, Trigger: [ mean ],
            Mean, Raw: [ mean ],
            Mean, Serde: [ mean ],
        ]
    Other:
        handlers: [ counter: Counter ]
        routes: [ First, Plain: [ counter ] ]
}

// ----------------------------------------------------------------------------------------- what buses and options hold

#[derive(Debug)]
pub(super) struct Strategy;

impl Default for Strategy {
    fn default() -> Self {
        spring(Spot::StrategyInStart);
        spring(Spot::StrategyDefault);
        Strategy
    }
}

impl WaitStrategy for Strategy {
    fn begin(&mut self, _: u64) {
        spring(Spot::StrategyBegin);
    }

    fn idle(&mut self) -> Idle {
        spring(Spot::StrategyIdle);
        Idle::Park
    }
}

impl Drop for Strategy {
    fn drop(&mut self) {
        spring(Spot::StrategyInJoin);
        spring(Spot::StrategyDrop);
    }
}

/// Tells the time of the messenger, or of the journal.
pub(super) struct Watch(pub(super) &'static [Spot]);

impl Clock for Watch {
    fn now(&self) -> Time {
        self.0.iter().for_each(|&spot| spring(spot));
        SystemClock.now()
    }
}

pub(super) fn options(spot: Spot, on_panic: OnPanic) -> Options {
    let on_report = move |_: &Report| {
        for spot in [Spot::OnReport, Spot::OnReportUndecodable, Spot::OnReportUnrouted, Spot::OnReportPinning] {
            spring(spot);
        }
    };
    Options {
        // So long that whoever does not end by itself hangs the test.
        drain: support::PATIENCE,
        on_panic,
        pin: if spot == Spot::OnReportPinning { vec![("Victim", usize::MAX)] } else { Vec::new() },
        on_report: Some(Arc::new(on_report)),
        clock: Arc::new(Watch(&[Spot::ClockNow, Spot::ClockInStop, Spot::ClockInJoin])),
        ..Options::default()
    }
}
