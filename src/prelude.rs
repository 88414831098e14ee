//! What handlers and a `main` name: `use rust_messenger::prelude::*;`.
//!
//! Traits that are wanted for their methods only ([`Sender`], [`MessageBus`], [`Publish`], [`Reader`], [`Drive`],
//! `SendInPlace`) come without their names, so that these stay free. What is named rarely stays where it is:
//! [`traits`], [`messenger`], [`message_bus`].
//!
//! ```
//! use rust_messenger::prelude::*;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Hello;
//! serde_message!(Hello, 1);
//!
//! #[derive(Default)]
//! struct Porter;
//! handler!(Porter, 1, default);
//!
//! impl Handle<Hello> for Porter {
//!     fn handle<W: Writer>(&mut self, _: &Hello, writer: &W) {
//!         writer.stop();
//!     }
//! }
//!
//! Messenger! {
//!     (),
//!     House:
//!         handlers: [ porter: Porter ]
//!         routes: [ Porter, Hello: [ porter ] ]
//! }
//!
//! let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
//! let handles = messenger.try_run(&())?;
//! Porter::send(&Hello, &messenger.writer()?);
//! handles.join()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Sender`]: crate::traits::Sender
//! [`MessageBus`]: crate::traits::MessageBus
//! [`Publish`]: crate::traits::Publish
//! [`Reader`]: crate::traits::Reader
//! [`Drive`]: crate::messenger::Drive
//! [`traits`]: crate::traits
//! [`messenger`]: crate::messenger
//! [`message_bus`]: crate::message_bus

#[cfg(feature = "zero_copy")]
pub use crate::SendInPlace as _;
#[cfg(feature = "bincode")]
pub use crate::bincode_message;
pub use crate::message_bus::CircularBus;
#[cfg(unix)]
pub use crate::message_bus::{PersistentBus, PersistentOptions};
pub use crate::messenger::{Drive as _, Options};
#[cfg(feature = "prost")]
pub use crate::prost_message;
#[cfg(feature = "serde")]
pub use crate::serde_message;
pub use crate::traits::{
    Due, Handle, Handler, MessageBus as _, New, Publish as _, Reader as _, Sender as _, Time, TryHandle, Writer,
};
#[cfg(feature = "zero_copy")]
pub use crate::zero_copy_message;
pub use crate::{Messenger, handler, messenger_id_enum};
