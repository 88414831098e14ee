//! Waiting by itself: readers and pollers that only note what is done with them, on one thread.

use super::*;
use crate::blame::caught;
use crate::traits::{Header, ReadError};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::Arc as StdArc;

/// A reader of nothing.
#[derive(Default)]
struct Idler {
    /// What it says of claims in flight, one answer after the other; the last one is repeated.
    silences: VecDeque<Option<Duration>>,
    /// How often it was asked.
    asked: u32,
    /// For how long it was to sleep, each time, and whether it would have.
    sleeps: Vec<(Option<Duration>, bool)>,
}

impl Idler {
    fn new(silences: &[Option<Duration>]) -> Idler {
        Idler { silences: silences.iter().copied().collect(), ..Idler::default() }
    }
}

impl Reader for Idler {
    fn try_read<R>(&mut self, _: impl FnOnce(&Header, &[u8]) -> R) -> Result<R, ReadError> {
        Err(ReadError::Empty)
    }

    fn ready(&mut self) -> bool {
        false
    }

    fn wait_until(&mut self, _: Option<Duration>, _: Interest, _: impl FnMut(&mut Self) -> bool) {}

    fn wait_in(&mut self, _: &StdArc<dyn Poller>, _: Option<Duration>, _: Interest, _: impl FnMut(&mut Self) -> bool) {}

    fn unblock(&mut self) -> Option<Duration> {
        self.asked += 1;
        if self.silences.len() > 1 { self.silences.pop_front()? } else { self.silences[0] }
    }

    fn position(&self) -> u64 {
        0
    }

    fn release(&mut self) {}
}

impl Sleeper for Idler {
    fn woken(&self) -> bool {
        false
    }

    fn park(
        &mut self,
        _: Option<&StdArc<dyn Poller>>,
        _: Interest,
        limit: Option<Duration>,
        mut ready: impl FnMut(&mut Self) -> bool,
    ) {
        let sleeps = !ready(self);
        self.sleeps.push((limit, sleeps));
    }
}

const SOON: Duration = Duration::from_millis(5);

/// A poller whose wait is what is given, and that notes whether it was notified.
struct Scripted<F> {
    wait: F,
    notified: AtomicU64,
    panics: bool,
}

impl<F> std::fmt::Debug for Scripted<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl<F: Fn() + Send + Sync> Poller for Scripted<F> {
    fn wait(&self, _: Option<Duration>) {
        (self.wait)();
    }

    fn notify(&self) {
        self.notified.fetch_add(1, Ordering::Relaxed);
        if self.panics {
            resume_unwind(Box::new("no notification"));
        }
    }
}

fn scripted<F: Fn() + Send + Sync + 'static>(panics: bool, wait: F) -> StdArc<Scripted<F>> {
    StdArc::new(Scripted { wait, notified: AtomicU64::new(0), panics })
}

/// Everybody who sleeps in a poller is woken, whatever another poller does, and then is in nobody's way.
#[test]
fn all_pollers_are_notified_once() {
    struct Scene {
        waiters: Waiters,
        word: AtomicU64,
    }

    for panics in [false, true] {
        let waiters = Waiters::new();
        let word = AtomicU64::new(waiters.nobody());
        let scene = StdArc::new(Scene { waiters, word });
        let change = StdArc::clone(&scene);
        // Twice: nobody sleeps at the second one who has not looked since the first.
        let inner = scripted(panics, move || {
            change.waiters.notify(&change.word);
            change.waiters.notify(&change.word);
        });
        let (around, held) = (StdArc::clone(&scene), StdArc::clone(&inner));
        let outer = scripted(panics, move || {
            let poller = StdArc::clone(&held) as StdArc<dyn Poller>;
            around.waiters.park_in(&poller, &[&around.word], None, || false);
        });
        let poller = StdArc::clone(&outer) as StdArc<dyn Poller>;
        scene.waiters.park_in(&poller, &[&scene.word], None, || false);
        let notified = |poller: &AtomicU64| poller.load(Ordering::Relaxed);
        assert_eq!((notified(&inner.notified), notified(&outer.notified)), (1, 1), "panics: {panics}");
    }
}

/// A waker that owes a fence goes where it passes it: the word at which it looks is never zero, whoever slept there.
#[test]
fn who_owes_a_fence_passes_it() {
    for barrier in [Barrier::symmetric(), Barrier::detect()] {
        let waiters = StdArc::new(Waiters { barrier, ..Waiters::new() });
        let word = StdArc::new(AtomicU64::new(waiters.nobody()));
        let is_zero = |word: &AtomicU64| word.load(Ordering::Relaxed) == 0;
        assert_eq!(is_zero(&word), barrier.is_asymmetric());
        let (change, changed) = (StdArc::clone(&waiters), StdArc::clone(&word));
        let poller = scripted(false, move || change.notify(&changed));
        let asleep = StdArc::clone(&poller) as StdArc<dyn Poller>;
        waiters.park_in(&asleep, &[&word], None, || false);
        assert_eq!(poller.notified.load(Ordering::Relaxed), 1);
        assert_eq!(is_zero(&word), barrier.is_asymmetric());
    }
}

/// So do the words of a new ring. Where the system has an asymmetric barrier, zero is right; elsewhere, as under Miri,
/// it is not.
#[test]
fn on_a_new_bus_nobody_sleeps() {
    let bus = crate::CircularBus::new(4096).unwrap();
    for word in bus.shared.sleepers(Interest::Room) {
        assert_eq!(word.load(Ordering::Relaxed), bus.shared.waiters.nobody());
    }
}

/// A poller whose thread is so quick that it sleeps again before its notification has returned.
struct Quick {
    waiters: StdArc<Waiters>,
    itself: std::sync::Weak<Quick>,
    notified: AtomicU64,
}

impl std::fmt::Debug for Quick {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Quick")
    }
}

impl Poller for Quick {
    fn wait(&self, _: Option<Duration>) {}

    fn notify(&self) {
        self.notified.fetch_add(1, Ordering::Relaxed);
        let itself = self.itself.upgrade().unwrap();
        lock(&self.waiters.asleep).push(itself);
    }
}

/// Who comes back while the others are notified takes nobody's turn.
#[test]
fn a_quick_poller_keeps_none_from_being_notified() {
    let (waiters, word) = (StdArc::new(Waiters::new()), AtomicU64::new(1));
    let pollers: [StdArc<Quick>; 3] = std::array::from_fn(|_| {
        let waiters = StdArc::clone(&waiters);
        StdArc::new_cyclic(|itself| Quick { waiters, itself: itself.clone(), notified: AtomicU64::new(0) })
    });
    for poller in &pollers {
        lock(&waiters.asleep).push(StdArc::clone(poller) as StdArc<dyn Poller>);
    }
    waiters.notify(&word);
    assert_eq!(pollers.each_ref().map(|poller| poller.notified.load(Ordering::Relaxed)), [1, 1, 1]);
    lock(&waiters.asleep).clear();
}

/// Whoever does not sleep any more is not notified: neither who saw the change by itself, nor whose wait panicked.
#[test]
fn a_poller_is_known_while_its_wait_lasts() {
    let waiters = Waiters::new();
    let word = AtomicU64::new(waiters.nobody());
    let poller = scripted(false, || resume_unwind(Box::new("no wait")));
    let waited = StdArc::clone(&poller) as StdArc<dyn Poller>;
    waiters.park_in(&waited, &[&word], None, || true);
    assert!(caught(|| waiters.park_in(&waited, &[&word], None, || false)).is_err());
    assert_eq!(word.load(Ordering::Relaxed), 1, "announced");
    waiters.notify(&word);
    assert_eq!(poller.notified.load(Ordering::Relaxed), 0);
}

/// A sleep in a poller ends when a claim has been silent for long enough.
#[test]
fn a_poller_waits_no_longer_than_for_a_silent_claim() {
    let poller = scripted(false, || ()) as StdArc<dyn Poller>;
    for (timeout, limit) in [(None, SOON), (Some(SOON * 2), SOON), (Some(SOON / 2), SOON / 2)] {
        let mut idler = Idler::new(&[Some(SOON)]);
        wait_in(&mut idler, &mut Patience::default(), &poller, Interest::Messages, timeout, |_| false);
        assert_eq!(idler.sleeps, [(Some(limit), true)]);
    }
}

/// Nobody wakes a sleeper for a claim that was made after it had looked for one and then stays silent. So it looks once
/// more when it is announced, and does not sleep.
#[test]
fn a_claim_that_is_made_before_the_sleep_is_noticed() {
    let poller = scripted(false, || ()) as StdArc<dyn Poller>;
    let mut idler = Idler::new(&[None, Some(SOON)]);
    wait_in(&mut idler, &mut Patience::default(), &poller, Interest::Messages, None, |_| false);
    assert_eq!(idler.sleeps, [(None, false)]);

    let mut idler = Idler::new(&[None, Some(SOON)]);
    wait_until(&mut idler, &mut Park, Interest::Messages, None, |idler| idler.sleeps.len() == 2);
    assert_eq!(idler.sleeps, [(None, false), (Some(SOON), true)], "the second time it knows for how long");
}

/// A strategy that never sleeps.
#[derive(Debug, Default)]
struct Busy(u32);

impl WaitStrategy for Busy {
    fn idle(&mut self) -> Idle {
        self.0 += 1;
        assert!(self.0 < 10_000, "it never looks up");
        Idle::Again
    }
}

/// Whoever never sleeps looks for silent claims and at the time now and then.
#[test]
fn whoever_never_sleeps_looks_up() {
    let mut idler = Idler::new(&[Some(SOON)]);
    wait_until(&mut idler, &mut Busy::default(), Interest::Messages, None, |idler| idler.asked == 3);
    wait_until(&mut idler, &mut Busy::default(), Interest::Messages, Some(Duration::ZERO), |_| false);
    assert_eq!(idler.asked, 4);
}

/// How a wait begins: with spins, or with a pause.
#[test]
#[cfg_attr(miri, ignore = "it counts, and shares no memory with anybody")]
fn pausing_is_tried_and_given_up() {
    let mut strategy = Adaptive::default();
    let mut pauses = |handled| {
        strategy.begin(handled);
        let looks = 1 + std::iter::repeat_with(|| strategy.idle()).take_while(|idle| *idle == Idle::Again).count();
        let least = (Adaptive::PAUSES + Adaptive::YIELDS + 1) as usize;
        assert!([least, least + Adaptive::SPINS as usize].contains(&looks), "{looks} looks");
        looks == least
    };
    // The first try, and what follows one that did not pay: each time twice as many waits without.
    for waits in [Adaptive::BACKOFF, Adaptive::BACKOFF, 2 * Adaptive::BACKOFF] {
        assert!((1..waits).all(|_| !pauses(1)), "too early");
        assert!(pauses(1), "not tried");
        assert!(!pauses(Adaptive::BATCH - 1), "it did not pay");
    }
    assert!((1..4 * Adaptive::BACKOFF).all(|_| !pauses(1)) && pauses(1));
    // As long as it pays it is kept, and the next try comes soon again.
    assert!(pauses(Adaptive::BATCH) && pauses(Adaptive::BATCH));
    assert!(!pauses(0));
    assert!((1..Adaptive::BACKOFF).all(|_| !pauses(0)) && pauses(0));
}

/// Where a yield has ended a wait, the next one begins with yields, as long as they pay and are prompt.
#[test]
fn yields_come_first_where_they_pay() {
    let all = Adaptive::SPINS + Adaptive::PAUSES + Adaptive::YIELDS;
    let mut strategy = Adaptive::default();
    // Begins a wait and ends it after so many looks; how many there are if nothing ends it.
    let mut wait = |looks: u32, prompt: bool| {
        strategy.begin(0);
        let begun = strategy.yielding;
        let parked = (0..looks).position(|_| strategy.idle() == Idle::Park);
        strategy.prompt = prompt;
        (begun, parked)
    };
    let parks = Some(all as usize);
    assert_eq!(wait(1, true), (false, None));
    assert_eq!(wait(all - Adaptive::YIELDS, true), (false, None), "spins and pauses are no yields");
    assert_eq!(wait(all - Adaptive::YIELDS + 1, true), (false, None), "nor a wait that they ended");
    assert_eq!(wait(1, true), (true, None), "a yield paid");
    assert_eq!(wait(Adaptive::FIRST_YIELDS, true), (true, None), "and again");
    assert_eq!(wait(1, false), (true, None), "and again");
    assert_eq!(wait(all, true), (false, None), "but took long");
    assert_eq!(wait(2 * all, true), (true, parks.map(|looks| looks + Adaptive::FIRST_YIELDS as usize)));
    assert_eq!(wait(2 * all, true), (false, parks), "no yield paid");
    assert_eq!(wait(1, true), (false, None), "nor in a wait that ended asleep");
}

/// Yielding, it would not hear what it waits for.
#[test]
fn a_poller_that_says_so_is_slept_in_without_a_look() {
    #[derive(Debug)]
    struct Deaf;
    impl Poller for Deaf {
        fn wait(&self, _: Option<Duration>) {}

        fn poll(&self) -> bool {
            panic!("is asked before it sleeps")
        }

        fn looks_first(&self) -> bool {
            false
        }

        fn notify(&self) {}
    }
    let poller = StdArc::new(Deaf) as StdArc<dyn Poller>;
    let mut idler = Idler::new(&[None]);
    wait_in(&mut idler, &mut Patience::default(), &poller, Interest::Messages, None, |_| false);
    assert_eq!(idler.sleeps, [(None, true)]);
}

/// Whoever has just called handlers may have something to do: then it neither gives the core away nor sleeps.
#[test]
fn whoever_has_something_to_do_does_not_wait_in_a_poller() {
    let poller = scripted(false, || panic!("sleeps")) as StdArc<dyn Poller>;
    let mut idler = Idler::new(&[None]);
    let mut patience = Patience::default();
    patience.learn(false);
    wait_in(&mut idler, &mut patience, &poller, Interest::Messages, None, |_| true);
    assert_eq!((idler.sleeps.len(), idler.asked), (0, 0));
}
