//! Attachments wake each other, and who does it may die half way.

use super::*;
use crate::message_bus::wait::Park;
use crate::traits::{Interest, Poller, Reader};

/// Who comes later wakes nobody, and takes away nobody's announcement.
#[test]
fn who_attaches_leaves_sleepers_announced() {
    let first = Attached::to(untouched(), HEIR, false);
    let words = [first.control().message_sleepers(), first.control().room_sleepers()];
    let nobody = first.shared.waiters.nobody();
    assert_eq!(words.map(|word| word.load(Ordering::Relaxed)), [nobody; 2]);
    words.iter().for_each(|word| _ = word.fetch_or(1, Ordering::Relaxed));
    drop(Attached::to(first.region.clone(), MORTAL, false));
    assert_eq!(words.map(|word| word.load(Ordering::Relaxed)), [nobody | 1; 2]);
}

/// A writer dies at each word that it touches, the one between taking the announcement and waking among them. Whoever
/// has fallen asleep meanwhile finds the message after half a second, if there is one.
///
/// Method: the writer writes while the sleeper takes its last look, which sees nothing of that.
#[test]
#[cfg_attr(miri, ignore = "minutes, and nothing in memory that the tests beside it do not do")]
fn a_waker_that_dies_half_way_is_made_good_by_the_tick() {
    let tick = Duration::from_millis(10);
    let (mut half_way, mut woken) = (0, 0);
    for touches in 0.. {
        let times = Times { tick, ..patient() };
        let asleep = Attached::with(untouched(), HEIR, |_, _| false, times);
        let mut reader: RingReader<Park> =
            RingReader::new(&asleep.shared, Kind::Gating, "first", |standing| Ok(standing.tail())).unwrap();
        let mortal = Attached::to(asleep.region.clone(), MORTAL, false);
        let writer = mortal.writer(Role::Outside);
        let nobody = asleep.shared.waiters.nobody();
        // Whatever its upper half says, which is the era.
        let is_announced = || asleep.control().message_sleepers().load(Ordering::Relaxed) as u32 != nobody as u32;
        let futexes = asleep.shared.store.futexes();
        let (start, mut death, mut is_there) = (Instant::now(), None, false);
        reader.wait_until(None, Interest::Messages, |reader| {
            if death.is_some() {
                is_there = reader.ready();
                return true;
            }
            assert!(is_announced());
            let done = crash::within(touches, &mortal.region, || writer.try_write_bytes(1, 1, b"message"));
            death = Some((done.is_ok(), is_announced(), futexes.words().at::<0>().load(Ordering::Relaxed)));
            false
        });
        match death.unwrap() {
            (false, false, 0) => {
                assert!(is_there && start.elapsed() >= tick);
                half_way += 1;
            }
            (_, false, 1) => {
                assert!(is_there);
                woken += 1;
            }
            (false, true, 0) => {}
            other => panic!("{other:?}"),
        }
        if death.unwrap().0 {
            break;
        }
    }
    assert!(half_way > 0 && woken > 0, "{half_way} {woken}");
}

/// A poller in which nobody sleeps for long.
#[derive(Debug)]
struct Sleepless;

impl Poller for Sleepless {
    fn wait(&self, _: Option<Duration>) {}

    fn notify(&self) {}
}

/// The thread of an attachment that sleeps for those in pollers is woken when that ends, to end, too.
#[test]
fn who_leaves_leaves_nobody_asleep() {
    for (sleeps_in_a_poller, woken) in [(false, 0), (true, 1)] {
        let ring = Attached::to(untouched(), HEIR, false);
        let region = ring.region.clone();
        let mut reader = ring.reader(Kind::Gating, "first");
        if sleeps_in_a_poller {
            let poller = std::sync::Arc::new(Sleepless) as std::sync::Arc<dyn Poller>;
            reader.wait_in(&poller, None, Interest::Messages, |_| false);
        }
        drop((ring, reader));
        let stays = Attached::to(region, MORTAL, false);
        let futexes = stays.shared.store.futexes();
        let words = futexes.words();
        let own = words.at::<{ 24 + 8 * 2 }>();
        assert_eq!(usize::from(HEIR.attachment()), 2);
        assert_eq!(own.load(Ordering::Relaxed), woken);
    }
}
