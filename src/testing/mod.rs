//! What tests of handlers and of whole systems use.
//!
//! * One handler: [`Recorder`], a writer that records, and [`ManualClock`], which a test moves.
//! * One table: [`Messenger::workers`](crate::messenger::Messenger::workers), stepped on the test's own thread.
//! * Whole systems: [`Sim`] chooses every order of steps and every fault from a seed, and repeats them.
//! * A journal: [`replay`] has a table handle it again and compares what is sent; [`check_snapshot`] compares what
//!   snapshots bring back with what the whole history does. (Unix.)
//!
//! # One handler
//!
//! A handler is a plain struct, so a test calls it: it makes one, hands it messages, and looks at what it sent. No bus,
//! no thread and no time is involved.
//!
//! ```
//! use rust_messenger::testing::Recorder;
//! use rust_messenger::traits::{Handle, Handler, Sender, Writer};
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Question(u32);
//! rust_messenger::serde_message!(Question, 1);
//!
//! #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct Answer(u32);
//! rust_messenger::serde_message!(Answer, 2);
//!
//! struct Oracle;
//!
//! impl Handler for Oracle {
//!     type Id = u16;
//!     const ID: u16 = 1;
//! }
//!
//! impl Handle<Question> for Oracle {
//!     fn handle<W: Writer>(&mut self, question: &Question, writer: &W) {
//!         match question.0 {
//!             0 => writer.fail("nobody asks nothing"),
//!             number => Self::send(&Answer(number + 1), writer),
//!         }
//!     }
//! }
//!
//! let (mut oracle, recorder) = (Oracle, Recorder::new());
//! oracle.handle(&Question(41), &recorder);
//! oracle.handle(&Question(1), &recorder);
//! assert_eq!(recorder.sent::<Answer>(), [Answer(42), Answer(2)]);
//! assert!(recorder.failed().is_none());
//!
//! oracle.handle(&Question(0), &recorder);
//! assert_eq!(recorder.failed().unwrap().to_string(), "nobody asks nothing");
//! assert_eq!(recorder.messages().count(), 2);
//! ```
//!
//! Several handlers together, on one thread and in one order, are a table whose workers the test
//! [steps](crate::messenger::Messenger::workers), with a [`ManualClock`] in its options.

pub(crate) mod chance;
#[cfg(all(unix, not(rust_messenger_loom)))]
mod check_snapshot;
mod clock;
mod recorder;
#[cfg(all(unix, not(rust_messenger_loom)))]
mod replay;
#[cfg(not(rust_messenger_loom))]
mod sim;

#[cfg(all(unix, not(rust_messenger_loom)))]
pub use check_snapshot::check_snapshot;
pub use clock::ManualClock;
pub use recorder::Recorder;
#[cfg(all(unix, not(rust_messenger_loom)))]
pub use replay::{ReplayError, replay};
#[cfg(not(rust_messenger_loom))]
pub use sim::{Faults, Finding, Seen, Sim, Simulated};

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests;
