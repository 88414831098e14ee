//! What two panics at a time come to.

use super::*;

/// Panics whenever it is dropped, with itself.
struct Relentless;

impl Drop for Relentless {
    fn drop(&mut self) {
        resume_unwind(Box::new(Relentless));
    }
}

/// What panics as it is dropped, in this mess or in none.
struct Mood(Option<Mess>);

impl Drop for Mood {
    fn drop(&mut self) {
        if self.0.is_some_and(Mess::is_now) {
            drop(Relentless);
        }
    }
}

/// Panics that meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mess {
    /// All handlers panic as they are dropped, and so do the poller and the configuration.
    AllDrops,
    /// A handler panics as it is made, and the one before it as it is dropped for that.
    NewAndDrop,
    /// A handler panics with a message in its hands that panics as it is dropped.
    HandlerAndMessage,
    /// The callback for reports panics, and the error that it was given as it is dropped.
    ReportAndError,
    /// A fill panics, and the poller that is notified of its end.
    FillAndPoller,
}

impl Mess {
    /// Which one is being made; one at a time.
    fn is_now(self) -> bool {
        ARMED.load(Ordering::SeqCst) == self as u64 + 1
    }
}

struct Beast(#[allow(dead_code, reason = "it is there to be dropped")] Mood);

impl Message for Beast {
    type Id = u16;
    const ID: u16 = 1;
}

empty! { Beast }

impl DeserializeFrom for Beast {
    fn deserialize_from(_: &[u8]) -> Self {
        // Where its handler panics: elsewhere its drop would be a panic of its own.
        Beast(Mood((thread::current().name() == Some("Cage")).then_some(Mess::HandlerAndMessage)))
    }
}

struct Plan(#[allow(dead_code, reason = "it is there to be dropped")] Mood);

impl Clone for Plan {
    fn clone(&self) -> Self {
        Plan(Mood(self.0.0))
    }
}

#[derive(Debug)]
struct Nest(Bell);

impl Poller for Nest {
    fn wait(&self, timeout: Option<Duration>) {
        self.0.wait(timeout);
    }

    fn notify(&self) {
        self.0.notify();
        if Mess::FillAndPoller.is_now() {
            drop(Relentless);
        }
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        drop(Mood(Some(Mess::AllDrops)));
    }
}

#[derive(Debug)]
struct WildError;

impl std::fmt::Display for WildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wild")
    }
}

impl Error for WildError {}

impl Drop for WildError {
    fn drop(&mut self) {
        drop(Mood(Some(Mess::ReportAndError)));
    }
}

struct Tame(#[allow(dead_code, reason = "it is there to be dropped")] [Mood; 1]);

struct Wild(#[allow(dead_code, reason = "it is there to be dropped")] [Mood; 1]);

/// On another worker, asleep in a poller of its own.
struct Sleeper;

impl Handler for Tame {
    type Id = u16;
    const ID: u16 = 1;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        Self::send(&Beast(Mood(None)), writer);
    }

    fn poller(&self) -> Option<Arc<dyn Poller>> {
        Some(Arc::new(Nest(Bell::default())))
    }
}

impl Handler for Wild {
    type Id = u16;
    const ID: u16 = 2;
}

impl Handler for Sleeper {
    type Id = u16;
    const ID: u16 = 3;
}

impl New<Plan> for Tame {
    fn new<W: Writer>(_: &Plan, _: &W) -> Self {
        Tame([Mood(Some(if Mess::NewAndDrop.is_now() { Mess::NewAndDrop } else { Mess::AllDrops }))])
    }
}

impl New<Plan> for Wild {
    fn new<W: Writer>(_: &Plan, _: &W) -> Self {
        if Mess::NewAndDrop.is_now() {
            resume_unwind(Box::new(Relentless));
        }
        Wild([Mood(Some(Mess::AllDrops))])
    }
}

impl New<Plan> for Sleeper {
    fn new<W: Writer>(_: &Plan, _: &W) -> Self {
        Sleeper
    }
}

impl Handle<Beast> for Wild {
    fn handle<W: Writer>(&mut self, _: &Beast, writer: &W) {
        if Mess::HandlerAndMessage.is_now() {
            resume_unwind(Box::new(Relentless));
        }
        if Mess::ReportAndError.is_now() {
            writer.report(Report::Network { source: 1, error: Box::new(WildError) });
        }
    }
}

impl Handle<Beast> for Sleeper {
    fn handle<W: Writer>(&mut self, _: &Beast, _: &W) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
}

Messenger! {
    type Zoo;
    Plan,
    Cage:
        handlers: [ tame: Tame, wild: Wild ]
        routes: [ Tame, Beast: [ wild ] ]
    Barn:
        handlers: [ sleeper: Sleeper ]
        routes: [ Tame, Beast: [ sleeper ] ]
}

/// Who is blamed in a mess, in order.
fn blamed_in(mess: Mess) -> Vec<String> {
    let _alone = alone();
    ARMED.store(mess as u64 + 1, Ordering::SeqCst);
    let on_report = |_: &Report| drop(Mood(Some(Mess::ReportAndError)));
    let options = Options { on_report: Some(Arc::new(on_report)), ..Options::default() };
    let bus = CircularBus::new(1 << 16).unwrap();
    let messenger = Zoo::with_options(bus, options);
    // Only the clones are dropped.
    let plan = ManuallyDrop::new(Plan(Mood(Some(Mess::AllDrops))));
    let handles = messenger.run(&*plan);
    match mess {
        Mess::NewAndDrop => {}
        _ => wait_until("the other worker works", || HANDLED.load(Ordering::SeqCst) == 1),
    }
    if mess == Mess::FillAndPoller {
        let writer = messenger.writer().unwrap();
        // Until it meets a sleeper.
        wait_until("the poller panics", || {
            let fill = || writer.write(9, 9, 8, |_| resume_unwind(Box::new("fill")));
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(fill)) {
                Err(panic) => assert_eq!(panic.downcast_ref(), Some(&"fill"), "the writer gets its own panic"),
                Ok(written) => assert_eq!(written, Err(WriteError::Closed)),
            }
            handles.is_finished()
        });
    }
    if mess == Mess::AllDrops {
        messenger.stop();
    }
    let error = handles.join().unwrap_err();
    ARMED.store(0, Ordering::SeqCst);
    let mut blamed: Vec<_> = error.failures.iter().map(ToString::to_string).collect();
    if mess == Mess::AllDrops {
        // Of two workers.
        blamed.sort();
    }
    blamed
}

#[test]
fn panics_that_meet_end_no_process() {
    const SILENT: &str = "a panic without a text";
    within("panics that meet", || {
        let drops = [
            "Barn: the configuration",
            "Cage: handler tame",
            "Cage: handler wild",
            "Cage: the configuration",
            "Cage: the poller",
        ];
        let drops = drops.map(|who| format!("worker {who} panicked: while it was dropped: {SILENT}"));
        assert_eq!(blamed_in(Mess::AllDrops), drops);

        let new = format!("worker Cage: handler wild panicked: {SILENT}");
        let dropped = format!("worker Cage: handler tame panicked: while it was dropped: {SILENT}");
        assert_eq!(blamed_in(Mess::NewAndDrop), [new, dropped]);

        let blamed = blamed_in(Mess::HandlerAndMessage);
        let [handler] = &blamed[..] else { panic!("{blamed:?}") };
        assert!(handler.starts_with("worker Cage: handler wild panicked on message 1 from source 1"), "{handler}");

        let blamed = blamed_in(Mess::ReportAndError);
        let [report] = &blamed[..] else { panic!("{blamed:?}") };
        assert!(report.starts_with("worker Cage: the callback for reports panicked on message 1"), "{report}");

        assert_eq!(blamed_in(Mess::FillAndPoller), [format!("worker Cage: the poller panicked: {SILENT}")]);
    });
}

/// A clock that has panicked once and goes on doing so: the stop goes by the system's time, and drains.
#[test]
fn a_clock_that_never_works_again_keeps_nobody_from_the_end() {
    struct Broken;

    impl Clock for Broken {
        fn now(&self) -> Time {
            resume_unwind(Box::new("no time"));
        }
    }

    impl Drop for Broken {
        fn drop(&mut self) {
            drop(Relentless);
        }
    }

    within("a clock that never works again", || {
        let _alone = alone();
        // Dropped last, with the messenger, where nobody can be told.
        let held = Relentless;
        let on_report = move |_: &Report| _ = &held;
        let options = Options { clock: Arc::new(Broken), on_report: Some(Arc::new(on_report)), ..Options::default() };
        let messenger = Zoo::with_options(CircularBus::new(1 << 16).unwrap(), options);
        let handles = messenger.run(&Plan(Mood(None)));
        wait_until("all are at work", || HANDLED.load(Ordering::SeqCst) == 1);
        messenger.stop();
        let error = handles.join().unwrap_err();
        assert_eq!(error.failures[0].to_string(), "the clock panicked: no time");
        assert_eq!((error.failures.len(), error.summary.left.len()), (1, 0), "{error}");
    });
}
