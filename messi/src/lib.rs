#![doc = include_str!("../README.md")]
//!
//! # The library
//!
//! [`Model::read`] parses and checks files, with all that they import; [`c`], [`python`] and [`rust`] each make texts
//! of a model; [`output`] writes them. The command `messi` is these three in a row, and [`Build`] the same for a
//! `build.rs`.

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod build;
pub mod c;
mod error;
pub mod model;
mod names;
pub mod output;
mod parse;
pub mod python;
pub mod rust;
mod templates;

pub use build::Build;
pub use error::{Error, Place};
pub use model::Model;
pub use output::Generated;
pub use parse::{MAX_IMPORT_DEPTH, MAX_SOURCE};

/// Which side of a protocol is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Side {
    /// The client and the server.
    #[default]
    Both,
    /// The client only.
    Client,
    /// The server only.
    Server,
}

impl Side {
    /// Whether the client is generated.
    pub fn client(self) -> bool {
        self != Side::Server
    }

    /// Whether the server is generated.
    pub fn server(self) -> bool {
        self != Side::Client
    }
}
