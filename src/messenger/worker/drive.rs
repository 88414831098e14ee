//! A worker as whoever drives it sees it.

use crate::traits::{State, Time};

/// What a worker did in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// It worked; there may be more to do.
    Worked,
    /// It has nothing to do until a message, room or a deadline comes: [`wait`](Drive::wait) now.
    Idle,
    /// It has ended.
    Finished,
}

/// A worker without a thread, for the caller that drives it.
///
/// ```
/// use rust_messenger::messenger::{Drive, Step};
///
/// /// What the thread of a worker does.
/// fn run(worker: &mut dyn Drive) {
///     loop {
///         match worker.step() {
///             Step::Idle => worker.wait(),
///             Step::Finished => return,
///             _ => {}
///         }
///     }
/// }
/// # let _ = run;
/// ```
pub trait Drive {
    /// Its name in the routing table.
    fn name(&self) -> &'static str;

    /// Does what it can do now, one bounded batch at most, and never waits.
    fn step(&mut self) -> Step;

    /// As [`step`](Self::step), but hands on `most` messages at most (at least one, and no more than `step` would): a
    /// simulator chooses where a worker leaves off.
    ///
    /// ```
    /// use rust_messenger::messenger::{Drive, Step};
    ///
    /// /// Each worker takes one message in its turn.
    /// fn in_turns<'a>(workers: impl Iterator<Item = &'a mut dyn Drive>) -> bool {
    ///     workers.fold(false, |worked, worker| worked | (worker.step_up_to(1) == Step::Worked))
    /// }
    /// # let _ = |workers: &mut rust_messenger::messenger::Workers| in_turns(workers.iter_mut());
    /// ```
    fn step_up_to(&mut self, most: usize) -> Step;

    /// Makes the handlers, unless they are made, and starts none. Returns the name of the handler that waits in a
    /// poller, if one does: nobody else may drive its worker.
    #[doc(hidden)]
    fn make(&mut self) -> Option<&'static str>;

    /// The position of the message that it handles next, if a rebuild replays that.
    #[doc(hidden)]
    fn replaying(&self) -> Option<u64>;

    /// The states of its handlers, which have started. `None`: it has none.
    #[doc(hidden)]
    fn states(&mut self) -> Option<Result<Vec<State>, String>>;

    /// When to make the next step at the latest, if nothing else comes before. `None`: no deadline.
    fn next_deadline(&self) -> Option<Time>;

    /// Waits, after [`Step::Idle`], until there may be something to do. May return early.
    fn wait(&mut self);
}
