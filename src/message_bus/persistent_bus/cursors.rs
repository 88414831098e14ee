//! Named cursors, as whoever looks after a journal sees them.

use super::{Claim, Cursor, PersistentBus, WaitStrategy, found, lock};
use crate::traits::SubscribeError;
use std::error::Error;
use std::fmt;

impl<C: Claim, W: WaitStrategy> PersistentBus<C, W> {
    /// The named cursors.
    pub fn cursors(&self) -> Vec<Cursor> {
        let cursors = self.shared.store.cursors().into_iter();
        cursors.map(|(name, position)| Cursor { name, position: Some(position) }).collect()
    }

    /// Removes the cursor of this name, so that it pins nothing any more. False if there is none, or a reader has it.
    pub fn remove_cursor(&self, name: &str) -> bool {
        let _cursors = lock(&self.setup.cursors);
        let log = &self.shared.store;
        match (log.find_cursor(name), log.cursor_index(name)) {
            (Some((at, _)), Some(index)) if !log.is_attached(at) => {
                log.remove_cursor(index);
                true
            }
            _ => false,
        }
    }

    /// Has the reader that resumes under this name begin at `position`: where a slot begins, or the tail. Mends a
    /// cursor that is damaged.
    ///
    /// This is how to step over a message at which a handler always ends. After a panic its position is in the header
    /// of [`Cause::Panicked`](crate::messenger::Cause::Panicked). After any other failure it is where the cursor
    /// stands: a worker that has ended has let go of everything that it had handled. The position to go on with is [the
    /// next one](Self::position_after).
    ///
    /// ```
    /// # #[cfg(all(unix, not(miri)))] { // Megabytes of memory take Miri many minutes.
    /// use rust_messenger::message_bus::{PersistentBus, PersistentOptions, Start};
    /// use rust_messenger::traits::{MessageBus, Publish, Reader};
    ///
    /// let options = PersistentOptions { start: Start::Resume, ..PersistentOptions::default() };
    /// let bus = PersistentBus::in_memory(PersistentOptions { capacity: 1 << 26, ..options })?;
    /// let poison = bus.tail();
    /// bus.writer()?.write_bytes(1, 2, b"poison")?;
    /// bus.writer()?.write_bytes(1, 2, b"bread")?;
    /// drop(bus.subscribe("Kitchen")?); // It ended at its first message.
    ///
    /// assert_eq!(bus.cursors()[0].position, Some(poison));
    /// bus.set_cursor("Kitchen", bus.position_after(poison)?)?;
    /// assert_eq!(bus.subscribe("Kitchen")?.try_read(|_, payload| payload.to_vec())?, b"bread");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CursorError`]; the cursor stays where it is.
    pub fn set_cursor(&self, name: &str, position: u64) -> Result<(), CursorError> {
        let _cursors = lock(&self.setup.cursors);
        let log = &self.shared.store;
        let (at, _) = log.find_cursor(name).ok_or(CursorError::NoSuchCursor)?;
        if log.is_attached(at) {
            return Err(CursorError::InUse);
        }
        log.move_cursor(at, position, |oldest, tail| found(log, position, oldest, tail).map(drop))
            .map_err(|error| CursorError::of(error, position))
    }

    /// The position behind the slot at `position`: of the next slot, or the tail.
    ///
    /// # Errors
    ///
    /// [`CursorError::NotRetained`], and [`CursorError::NoSuchPosition`] also for a slot that is being written.
    pub fn position_after(&self, position: u64) -> Result<u64, CursorError> {
        let log = &self.shared.store;
        log.standing(|oldest, tail| {
            let asked = found(log, position, oldest, tail).map_err(|error| CursorError::of(error, position))?;
            let next = if asked < tail { log.behind(asked) } else { None };
            next.ok_or(CursorError::NoSuchPosition { asked })
        })
    }
}

/// Why a named cursor was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CursorError {
    /// There is no cursor of this name. One is made when a reader of that name first resumes.
    NoSuchCursor,
    /// A reader has it. Let its worker end first.
    InUse,
    /// What stands at this position is not retained any more.
    NotRetained {
        /// The position that was asked for.
        asked: u64,
        /// The oldest that there is.
        oldest: u64,
    },
    /// No slot begins at this position.
    NoSuchPosition {
        /// The position that was asked for.
        asked: u64,
    },
}

impl CursorError {
    /// What is wrong with the position `asked`.
    fn of(error: SubscribeError, asked: u64) -> CursorError {
        match error {
            SubscribeError::NotRetained { asked, oldest } => CursorError::NotRetained { asked, oldest },
            _ => CursorError::NoSuchPosition { asked },
        }
    }
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CursorError::NoSuchCursor => f.write_str("there is no cursor of this name"),
            CursorError::InUse => f.write_str("a reader has this cursor"),
            CursorError::NotRetained { asked, oldest } => {
                write!(f, "position {asked} is not retained any more, the oldest is {oldest}")
            }
            CursorError::NoSuchPosition { asked } => write!(f, "no slot begins at position {asked}"),
        }
    }
}

impl Error for CursorError {}
