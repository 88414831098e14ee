//! [`check_snapshot`]: whether handlers that begin with a snapshot are those that have handled everything.

use super::replay::{self, ReplayError};
use crate::message_bus::PersistentBus;
use crate::messenger::{Messenger, Options};
use crate::routing::Topology;
use crate::sync::{Arc, Mutex, lock};
use crate::testing::ManualClock;
use crate::traits::{Every, Report, SkippedSnapshot, State};
use std::collections::BTreeMap;
use std::path::Path;

/// Whether the snapshots beside a journal are worth what a rebuild of its whole history is.
///
/// Twice all workers of the table `T` handle what the journal holds, with handlers made of `config`: from its
/// beginning, and from the newest snapshots. What they then [save](crate::traits::Snapshot::save) has to be the same
/// bytes. So it finds what `load` does not bring back, and a `save` that depends on more than the state, such as the
/// order of a `HashMap`; and by what is sent, as [`replay`](super::replay) does, a handler that goes on otherwise.
///
/// It reads the files and leaves them as they are. What it asks of handlers is what [`replay`](super::replay) does.
///
/// ```
/// # #[cfg(all(unix, not(miri)))] { // Miri maps no files.
/// use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
/// use rust_messenger::messenger::Step;
/// use rust_messenger::prelude::*;
/// use rust_messenger::testing::check_snapshot;
/// use rust_messenger::traits::{Every, Snapshot};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Amount(u64);
/// serde_message!(Amount, 1);
///
/// struct Till; // Somebody outside.
/// handler!(Till, 1);
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Office { total: u64 }
/// rust_messenger::serde_snapshot!(Office, 1);
///
/// impl Handler for Office {
///     type Id = u16;
///     const ID: u16 = 2;
///
///     fn snapshot(&mut self) -> Option<&mut dyn Snapshot> {
///         Some(self)
///     }
/// }
///
/// impl New<()> for Office {
///     fn new<W: Writer>(_: &(), _: &W) -> Office {
///         Office::default()
///     }
/// }
///
/// impl Handle<Amount> for Office {
///     fn handle<W: Writer>(&mut self, amount: &Amount, _: &W) {
///         self.total += amount.0;
///     }
/// }
///
/// Messenger! {
///     type Shop;
///     (),
///     Taxes: handlers: [ office: Office ] routes: [ Till, Amount: [ office ] ]
/// }
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("shop.journal");
/// let snapshots = vec![("Taxes", Every::Messages(1000))];
/// let options = PersistentOptions { start: Start::Rebuild, snapshots, ..PersistentOptions::default() };
/// let (bus, _) = PersistentBus::open(&path, options.table(Shop::table()))?;
/// let shop = Shop::new(bus);
/// let mut workers = shop.workers(&())?;
/// Till::try_send(&Amount(200), &shop.writer()?)?;
/// while workers.step() == Step::Worked {}
/// shop.stop();
/// while workers.step() != Step::Finished {}
/// drop((workers, shop));
///
/// check_snapshot::<Shop, _>(&path, &())?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ReplayError`]: the first state that differs, or why there is nothing to compare.
pub fn check_snapshot<T, C>(journal: impl AsRef<Path>, config: &C) -> Result<(), ReplayError>
where
    T: Topology<C> + 'static,
    C: Clone + 'static,
{
    let path = journal.as_ref();
    let begun = begin::<T, C>(path, config, true)?;
    if begun.snapshots.values().all(Option::is_none) {
        return Err(ReplayError::NoSnapshot { path: path.to_owned(), skipped: begun.skipped });
    }
    let rebuilt = begin::<T, C>(path, config, false)?;
    for (worker, position) in begun.snapshots {
        let Some(position) = position else { continue };
        let [loaded, rebuilt] = [&begun.states, &rebuilt.states].map(|states| states.get(worker).into_iter().flatten());
        if let Some((loaded, rebuilt)) = loaded.zip(rebuilt).find(|(loaded, rebuilt)| loaded != rebuilt) {
            let handler = loaded.handler;
            let (loaded, rebuilt) = (loaded.bytes.clone(), rebuilt.bytes.clone());
            return Err(ReplayError::State { worker, handler, position, loaded, rebuilt });
        }
    }
    Ok(())
}

/// How the workers of a table have come to the end of a journal.
#[derive(Default)]
struct Came {
    /// With which snapshots they began.
    snapshots: BTreeMap<&'static str, Option<u64>>,
    skipped: Vec<SkippedSnapshot>,
    states: BTreeMap<&'static str, Vec<State>>,
}

/// Has all workers handle the journal, from its beginning or from snapshots.
fn begin<T, C>(path: &Path, config: &C, from_snapshots: bool) -> Result<Came, ReplayError>
where
    T: Topology<C> + 'static,
    C: Clone + 'static,
{
    let clock = ManualClock::new();
    let table = T::ROWS.table;
    // A worker that has none need not be able to have one.
    let names = table.workers.iter().map(|worker| worker.name);
    let kept = names.filter(|worker| from_snapshots && PersistentBus::has_snapshot(path, worker));
    let snapshots = kept.map(|worker| (worker, Every::Stop)).collect();
    let bus = PersistentBus::beside(replay::open(path, table, &clock, snapshots)?, path);
    let came = Arc::new(Mutex::new(Came::default()));
    let told = Arc::clone(&came);
    let on_report = move |report: &Report| {
        if let Report::Rebuilding { worker, snapshot, skipped } = report {
            let mut came = lock(&told);
            came.snapshots.insert(worker, *snapshot);
            came.skipped.extend(skipped.iter().cloned());
        }
    };
    let options = Options { clock: Arc::new(clock), on_report: Some(Arc::new(on_report)), ..Options::default() };
    let messenger = Messenger::<_, T>::with_options(bus, options);
    let mut workers = messenger.workers(config).map_err(ReplayError::Start)?;
    replay::make(&mut workers)?;
    replay::repeat(&mut workers);
    for worker in workers.iter_mut() {
        let name = worker.name();
        match worker.states() {
            None => {}
            Some(Ok(states)) => _ = lock(&came).states.insert(name, states),
            Some(Err(why)) => return Err(ReplayError::Unsaved { worker: name, why }),
        }
    }
    workers.conclude().map_err(ReplayError::of_run)?;
    let came = std::mem::take(&mut *lock(&came));
    Ok(came)
}
