#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs, missing_debug_implementations)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod blame;
#[cfg(all(test, target_os = "linux", not(rust_messenger_loom)))]
mod children;
mod encoding;
mod r#macro;
mod mmap;
#[cfg_attr(
    not(all(target_os = "linux", not(rust_messenger_loom))),
    expect(dead_code, reason = "rings that processes share by name use it")
)]
mod process;
mod random;
mod sync;

#[cfg(all(
    any(doc, doctest),
    feature = "async",
    feature = "bincode",
    feature = "messi",
    feature = "serde",
    feature = "testing",
    feature = "zero_copy",
))]
pub mod guide;
pub mod message_bus;
pub mod messenger;
#[cfg(feature = "messi")]
pub mod messi;
pub mod prelude;
pub mod routing;
#[cfg(feature = "testing")]
pub mod testing;
pub mod traits;

#[cfg(feature = "zero_copy")]
pub use encoding::zero_copy::{PlainMemory, SendInPlace, ZeroCopyMessage};
#[cfg(not(rust_messenger_loom))]
pub use message_bus::NamedOptions;
pub use message_bus::{CircularBus, CondvarBus};
#[cfg(unix)]
pub use message_bus::{Journal, PersistentBus, PersistentOptions};
pub use messenger::{JoinHandles, Options};
pub use traits::{
    DeserializeFrom, Due, ExtendedMessage, Handle, Handler, Message, MessageBus, New, Publish, Reader, Sender,
    TryHandle, Writer,
};

/// What expansions name; nothing else may.
#[doc(hidden)]
pub mod __private {
    pub use crate::blame::At;
    pub use crate::encoding::write_into;
    pub use crate::routing::checks::{
        HandlerChecks, HasDueAlone, HasHandlerIdOfItsOwn, HasMessageIdOfItsOwn, IsInSomeRoute, IsInThisWorker,
        IsRoutedOnce, IsUnrouted, LeavesDueItsId, LeavesSupervisorItsId, RouteChecks, SendsAlone, is_unrouted,
    };
    pub use crate::routing::index::{Index, size};
    pub use crate::routing::roster::{
        HasTable, Launch, NO_ROWS, NO_TABLE, Roster, Routed, Router, RoutesTo, Topology, Visit, deadline, decode,
        earliest, is,
    };
    pub use crate::routing::rows::{Rows, routed, routed_count, sources};
    pub use crate::traits::message::{FitsItsId, SMALL, is_id, is_id_as_written};
    pub use std::clone::Clone;
    pub use std::cmp::{Eq, PartialEq};
    pub use std::convert::From;
    pub use std::default::Default;
    pub use std::fmt::Debug;
    pub use std::hash::Hash;
    pub use std::marker::Copy;
    pub use std::ops::{Deref, Fn};
    pub use std::option::Option;
    pub use std::primitive::{bool, str, u8, u16, u32, u64, usize};
    pub use std::result::Result::{self, Ok};
    pub use std::string::String;
    pub use std::sync::OnceLock;
    pub use std::vec::Vec;
    pub use std::{concat, stringify};

    /// The ways in which a message becomes bytes, as the macros of each name them.
    pub mod encoding {
        #[cfg(feature = "bincode")]
        pub use crate::encoding::bincode;
        #[cfg(feature = "serde")]
        pub use crate::encoding::postcard;
        #[cfg(feature = "prost")]
        pub use crate::encoding::prost;
        #[cfg(feature = "zero_copy")]
        pub use crate::encoding::zero_copy;
    }

    /// What simulations are made of, for those that are tests of the library.
    #[cfg(feature = "testing")]
    pub mod chance {
        pub use crate::testing::chance::{Chance, mix, shrink};
    }

    /// What the macro of a protocol names, and tests that run a bridge's parts without sockets and without a clock.
    #[cfg(feature = "messi")]
    pub mod messi {
        pub use crate::messi::private::*;
    }
}
