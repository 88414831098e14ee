//! The keeper of a journal: a thread that grows the file ahead of its writers, keeps the time while they are busy,
//! syncs the file, and forgets what is old. Sleeps when there is nothing of that.
//!
//! Snapshots have a thread of their own beside it: each waits for the disk, and meanwhile writers would ask the clock
//! for every message, and grow the file themselves.

use super::background::Background;
use super::options::Durability;
use super::store::JournalStore;
use crate::blame::{caught, dropped};
use crate::sync::lock;
use std::io;
use std::time::{Duration, Instant};

/// How often the time is kept.
const TICK: Duration = Duration::from_millis(1);
/// How often retention looks around.
const RETAIN: Duration = Duration::from_secs(1);

/// How much of what nobody has looked at it looks at for that: it has more to do.
const LOOKED_AT: u64 = 64 << 20;

/// Starts the keeper of `store`. Dropping what this returns ends it, and closes the journal.
///
/// # Errors
///
/// The system gave no thread.
pub(crate) fn start(store: &JournalStore) -> io::Result<Background> {
    let saver = if store.upkeep.snapshots.every.is_empty() {
        None
    } else {
        let saved = store.clone();
        Some(Background::start(&store.upkeep.saving, move || save(&saved))?)
    };
    let kept = store.clone();
    Background::start(store.call(), move || {
        // Whatever ends it, the journal is closed.
        let _ = caught(|| keep(&kept));
        // It has written what it was at.
        drop(saver);
        // Those of a clean stop.
        kept.write_snapshots(|| ());
        kept.close();
        // The clock may go with it.
        let _ = dropped(kept);
    })
}

fn keep(store: &JournalStore) {
    let interval = match store.sync_level() {
        Durability::Interval(interval) => Some(interval),
        _ => None,
    };
    let started = Instant::now();
    let mut sync_at = interval.and_then(|interval| started.checked_add(interval));
    let mut retain_at = store.forgets().then(|| started + RETAIN);
    // When to tick, and where the writers were at the last one.
    let mut tick: Option<(Instant, u64)> = None;
    // Whether there is more to prefault.
    let mut is_growing = false;
    loop {
        let mut wanted = lock(&store.call().wanted);
        while !is_growing && !wanted.grow && !wanted.stop && (!wanted.tick || tick.is_some()) {
            let now = Instant::now();
            match [sync_at, retain_at, tick.map(|(at, _)| at)].into_iter().flatten().min() {
                None => {
                    wanted = store.call().called.wait(wanted).unwrap_or_else(std::sync::PoisonError::into_inner);
                }
                Some(at) if at <= now => break,
                Some(at) => {
                    let waited = store.call().called.wait_timeout(wanted, at - now);
                    wanted = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
                }
            }
        }
        if wanted.stop {
            return;
        }
        is_growing |= std::mem::take(&mut wanted.grow);
        if wanted.tick && tick.is_none() {
            tick = Some((Instant::now(), 0));
        }
        drop(wanted);
        if is_growing {
            is_growing = store.grow_ahead();
        }
        // Each of these may take long, and a time that stands still is told to nobody.
        let now = Instant::now();
        if sync_at.is_some_and(|at| at <= now) {
            store.stop_time();
            // A failure stays: writers are told.
            let _ = store.sync();
            sync_at = interval.and_then(|interval| Instant::now().checked_add(interval));
        }
        if retain_at.is_some_and(|at| at <= now) {
            store.stop_time();
            // What could not be given back now is tried again, and `retain` says so to whoever asks.
            let _ = caught(|| store.retain(LOOKED_AT));
            retain_at = Some(Instant::now() + RETAIN);
        }
        let now = Instant::now();
        if let Some((_, tail)) = tick.filter(|(at, _)| *at <= now) {
            // A clock that panics here panics where writers ask it, too, and there somebody is told.
            let kept = caught(|| store.keep_time(tail)).unwrap_or_else(|_| {
                store.stop_time();
                None
            });
            tick = kept.map(|tail| (now + TICK, tail));
            if tick.is_none() {
                lock(&store.call().wanted).tick = false;
            }
        }
    }
}

/// Writes snapshots as they come.
fn save(store: &JournalStore) {
    let call = &store.upkeep.saving;
    loop {
        let mut wanted = lock(&call.wanted);
        while !wanted.save && !wanted.stop {
            wanted = call.called.wait(wanted).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        if wanted.stop {
            return;
        }
        wanted.save = false;
        drop(wanted);
        store.write_snapshots(|| ());
    }
}
