#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, missing_debug_implementations)]

mod blame;
mod r#macro;
mod mmap;
mod sync;

pub mod encoding;
pub mod message_bus;
pub mod messenger;
#[cfg(feature = "messi")]
pub mod messi;
pub mod routing;
pub mod traits;

#[cfg(feature = "zero_copy")]
pub use encoding::zero_copy::{SendInPlace, ZeroCopyMessage};
pub use message_bus::{CircularBus, CondvarBus};
#[cfg(unix)]
pub use message_bus::{Journal, PersistentBus, PersistentOptions};
pub use messenger::{JoinHandles, Options, worker};
pub use traits::{
    DeserializeFrom, Due, ExtendedMessage, Handle, Handler, Message, MessageBus, New, Publish, Reader, Sender, Writer,
};

/// What expansions name; nothing else may.
#[doc(hidden)]
pub mod __private {
    pub use std::clone::Clone;
    pub use std::cmp::{Eq, PartialEq};
    pub use std::convert::From;
    pub use std::default::Default;
    pub use std::fmt::Debug;
    pub use std::hash::Hash;
    pub use std::marker::Copy;
    pub use std::ops::{Deref, Fn};
    pub use std::option::Option;
    pub use std::primitive::{bool, str};
    pub use std::result::Result;
    pub use std::sync::OnceLock;
    pub use std::{concat, stringify};
}
