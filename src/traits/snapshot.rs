//! The state of handlers as bytes, so that a rebuild need not begin at the beginning.

use super::error::{DecodeError, EncodeError};
use std::time::Duration;

/// State that becomes bytes and comes back from them. A [`Handler`](super::Handler) names its own by
/// [`snapshot`](super::Handler::snapshot).
///
/// What [`save`](Self::save) writes depends on the state alone, and after [`load`](Self::load) a handler does whatever
/// it would have done where the state was saved.
///
/// For a serde type `serde_snapshot!(Type, version)` is all of it. By hand:
///
/// ```
/// use rust_messenger::traits::{DecodeError, EncodeError, Snapshot};
///
/// struct Sum(u64);
///
/// impl Snapshot for Sum {
///     fn version(&self) -> u32 {
///         2
///     }
///
///     fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
///         bytes.extend_from_slice(&self.0.to_le_bytes());
///         Ok(())
///     }
///
///     fn load(&mut self, version: u32, bytes: &[u8]) -> Result<(), DecodeError> {
///         self.0 = match (version, bytes) {
///             // It was smaller once.
///             (1, [a, b, c, d]) => u32::from_le_bytes([*a, *b, *c, *d]).into(),
///             (2, bytes) => u64::from_le_bytes(bytes.try_into().map_err(|_| DecodeError::new("not eight bytes"))?),
///             _ => return Err(DecodeError::new(format!("a sum of version {version}"))),
///         };
///         Ok(())
///     }
/// }
/// ```
pub trait Snapshot {
    /// The version of the bytes that [`save`](Self::save) writes. Another one whenever they mean something else.
    fn version(&self) -> u32;

    /// Appends the state to `bytes`.
    ///
    /// # Errors
    ///
    /// Why it cannot be saved. The worker reports it and goes on.
    fn save(&mut self, bytes: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Brings the state to what was saved at this version. Called once at most, after
    /// [`on_start`](super::Handler::on_start).
    ///
    /// # Errors
    ///
    /// Why these bytes are no state. This handler and the others of its worker are made anew, and begin with an older
    /// snapshot or the whole history; if there is none, the worker ends. So it does for a panic.
    fn load(&mut self, version: u32, bytes: &[u8]) -> Result<(), DecodeError>;
}

/// When the handlers of a worker are saved. Whatever it says, they are at a clean stop, too.
///
/// ```
/// use rust_messenger::message_bus::PersistentOptions;
/// use rust_messenger::traits::Every;
/// use std::time::Duration;
///
/// let snapshots = vec![("Books", Every::Messages(100_000)), ("Risk", Every::Time(Duration::from_secs(60)))];
/// let options = PersistentOptions { snapshots, ..PersistentOptions::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Every {
    /// Only then.
    #[default]
    Stop,
    /// Whenever the worker has handled so many messages since the last time.
    Messages(u64),
    /// So long after the first message since the last time, also if there is none after it. By the messenger's
    /// [clock](crate::messenger::Options::clock).
    Time(Duration),
}

/// The saved state of one handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The id of the handler.
    pub handler: u16,
    /// Its [version](Snapshot::version).
    pub version: u32,
    /// What [`Snapshot::save`] wrote.
    pub bytes: Vec<u8>,
}

/// What the snapshots of a worker are, for the worker that begins.
///
/// ```
/// use rust_messenger::traits::{Begin, Every, State};
///
/// let state = State { handler: 2, version: 1, bytes: vec![7] };
/// let begin = Begin { every: Every::Messages(1000), states: Some(vec![state]), ..Begin::default() };
/// assert!(begin.skipped.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// When a snapshot is wanted.
    pub every: Every,
    /// The states with which the worker begins, at its reader's position; `None`: there are none, and it begins with
    /// the whole history. If they cannot be loaded, there may be
    /// [something else](super::Reader::begin_instead).
    pub states: Option<Vec<State>>,
    /// The snapshots that were passed over, and why.
    pub skipped: Vec<String>,
}
