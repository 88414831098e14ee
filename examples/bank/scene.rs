//! A piece of a script.

use crate::bank::{ClientToServer, ServerToClient};
use rust_messenger::messi::Reason;
use std::time::Duration;

/// What a customer hears.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Connected,
    Disconnected(Reason),
    Message(ServerToClient),
    /// A word from the other customer.
    Word(String),
    /// The time to rest is over.
    Rested,
}

/// What a customer does.
pub enum Deed {
    Connect,
    Send(ClientToServer),
    /// A word to the other customer.
    Tell(&'static str),
    Rest(Duration),
    Leave,
}

/// A customer hears all of this, and does all of that.
pub struct Scene {
    pub hears: Vec<Heard>,
    pub does: Vec<Deed>,
}

/// A word of one customer to the other, whose bus it is on.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Word {
    #[prost(string, tag = "1")]
    pub text: String,
}

rust_messenger::prost_message!(Word, 1);
