//! Panics of code that is not ours: caught, and blamed on whoever was at work.
//!
//! Where such code runs, and what a panic there comes to, is a table in `ARCHITECTURE.md`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::mem::{forget, take};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Code of yours, outside the handlers, that panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The conversion of ids into numbers, by which workers route.
    Routing,
    /// The decoder of a message of this type, as spelled in the table.
    Decoding(&'static str),
    /// The `Drop` of a handled message of this type, as spelled in the table.
    Dropping(&'static str),
    /// The callback [`Options::on_report`](crate::messenger::Options::on_report).
    Report,
    /// The clock [`Options::clock`](crate::messenger::Options::clock).
    Clock,
    /// The [`Poller`](crate::traits::Poller) of a handler.
    Poller,
    /// The [`WaitStrategy`](crate::message_bus::wait::WaitStrategy) of the bus.
    WaitStrategy,
    /// The `Clone` or `Drop` of the table's configuration.
    Config,
    /// Code that the bus was given.
    Bus,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Routing => f.write_str("routing by id"),
            Place::Decoding(message) => write!(f, "decoding {message}"),
            Place::Dropping(message) => write!(f, "dropping {message}"),
            Place::Report => f.write_str("the callback for reports"),
            Place::Clock => f.write_str("the clock"),
            Place::Poller => f.write_str("the poller"),
            Place::WaitStrategy => f.write_str("the wait strategy"),
            Place::Config => f.write_str("the configuration"),
            Place::Bus => f.write_str("the bus"),
        }
    }
}

/// Runs `work`. What it panics with becomes text and is dropped here, for that may panic, too.
pub(crate) fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = text_of(panic.as_ref());
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            forget(another);
        }
        text
    })
}

/// Drops something of the user's.
pub(crate) fn dropped<T>(value: T) -> Result<(), String> {
    caught(|| drop(value)).map_err(|text| format!("while it was dropped: {text}"))
}

/// What a panic said, as far as it is text.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

/// Who is at work in a worker: what a panic is blamed on. For expansions and what they call.
#[derive(Debug, Default)]
pub struct At {
    handler: Cell<&'static str>,
    /// Set while it is not the handler.
    place: Cell<Option<Place>>,
    /// What was caught on the way, in order.
    panics: RefCell<Vec<Blame>>,
    /// The handler that could not be made, and why.
    refusal: RefCell<Option<Refusal>>,
}

/// The name of a handler that could not be made, and why.
type Refusal = (&'static str, Box<dyn Error + Send + Sync>);

/// A panic, and on whom it is blamed.
#[derive(Clone, Debug)]
pub(crate) struct Blame {
    pub(crate) handler: &'static str,
    /// Not the handler, but this.
    pub(crate) place: Option<Place>,
    pub(crate) text: String,
}

impl At {
    /// From now on the handler of this name is at work.
    #[inline]
    pub fn set(&self, handler: &'static str) {
        self.handler.set(handler);
        self.place.set(None);
    }

    /// The handler that is at work, or was last.
    pub(crate) fn handler(&self) -> &'static str {
        self.handler.get()
    }

    /// From now on it is no handler.
    #[inline]
    pub(crate) fn leave_for(&self, place: Place) {
        self.place.set(Some(place));
    }

    /// Runs `work`, which is `place`'s if it unwinds. Costs nothing if it does not.
    #[inline]
    pub(crate) fn during<R>(&self, place: Place, work: impl FnOnce() -> R) -> R {
        self.unless_done(work, |at| at.leave_for(place))
    }

    /// Runs `work`, which is the handler's of this name if it unwinds. Costs nothing if it does not.
    #[inline]
    pub(crate) fn during_handler<R>(&self, name: &'static str, work: impl FnOnce() -> R) -> R {
        self.unless_done(work, |at| at.set(name))
    }

    #[inline]
    fn unless_done<R>(&self, work: impl FnOnce() -> R, blame: impl Fn(&At)) -> R {
        struct OnUnwind<'a, F: Fn(&At)>(&'a At, F);

        impl<F: Fn(&At)> Drop for OnUnwind<'_, F> {
            fn drop(&mut self) {
                self.1(self.0);
            }
        }

        let on_unwind = OnUnwind(self, blame);
        let result = work();
        forget(on_unwind);
        result
    }

    /// Makes the handler `name`. `None` if that panics or fails, and if one before it did.
    pub fn make<H>(
        &self,
        name: &'static str,
        new: impl FnOnce() -> Result<H, Box<dyn Error + Send + Sync>>,
    ) -> Option<H> {
        if self.has_failed() {
            return None;
        }
        self.set(name);
        let made = caught(new).map_err(|text| self.blame(text)).ok()?;
        made.map_err(|error| *self.refusal.borrow_mut() = Some((name, error))).ok()
    }

    /// Whether somebody was blamed, or a handler could not be made.
    pub fn has_failed(&self) -> bool {
        !self.panics.borrow().is_empty() || self.refusal.borrow().is_some()
    }

    /// The handler that could not be made, since this was asked last.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.borrow_mut().take()
    }

    /// Drops the handler `name`, if there is one.
    pub fn dismiss<H>(&self, name: &'static str, handler: H) {
        self.set(name);
        self.drop_caught(handler);
    }

    /// Drops something of `place`'s.
    pub(crate) fn drop_of<T>(&self, place: Place, value: T) {
        self.leave_for(place);
        self.drop_caught(value);
    }

    fn drop_caught<T>(&self, value: T) {
        if let Err(text) = dropped(value) {
            self.blame(text);
        }
    }

    /// Blames whoever is at work.
    pub(crate) fn blame(&self, text: String) {
        self.panics.borrow_mut().push(Blame { handler: self.handler.get(), place: self.place.get(), text });
    }

    /// Who was blamed since this was asked last.
    pub(crate) fn blamed(&self) -> Vec<Blame> {
        take(&mut self.panics.borrow_mut())
    }
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;
    use std::panic::resume_unwind;

    /// Panics whenever it is dropped, with itself, so that whatever is caught of it panics again.
    struct Relentless;

    impl Drop for Relentless {
        fn drop(&mut self) {
            resume_unwind(Box::new(Relentless));
        }
    }

    #[test]
    fn a_payload_that_panics_as_it_is_dropped_is_caught() {
        assert_eq!(caught(|| resume_unwind(Box::new(Relentless))), Err::<(), _>("a panic without a text".to_owned()));
    }
}
