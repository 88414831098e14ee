//! What guests and the room say to each other, as prost types and as a protocol.

#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientToServer {
    #[prost(oneof = "client_to_server::Messages", tags = "1, 2")]
    pub messages: Option<client_to_server::Messages>,
}

pub mod client_to_server {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Messages {
        #[prost(message, tag = "1")]
        Enter(super::Enter),
        #[prost(message, tag = "2")]
        Say(super::Say),
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ServerToClient {
    #[prost(oneof = "server_to_client::Messages", tags = "1, 2, 3, 4")]
    pub messages: Option<server_to_client::Messages>,
}

pub mod server_to_client {
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Messages {
        #[prost(message, tag = "1")]
        Welcome(super::Welcome),
        #[prost(message, tag = "2")]
        Entered(super::Entered),
        #[prost(message, tag = "3")]
        Said(super::Said),
        #[prost(message, tag = "4")]
        Left(super::Left),
    }
}

/// A guest comes in. Until then it hears nothing of what is said.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Enter {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Say {
    #[prost(string, tag = "1")]
    pub text: String,
}

/// To a guest that has just come in: who was there before.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Welcome {
    #[prost(string, repeated, tag = "1")]
    pub guests: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Entered {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Said {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Left {
    #[prost(string, tag = "1")]
    pub name: String,
}

rust_messenger::messi_protocol! {
    /// A room and its guests.
    pub Chat: server 30, client 31, messages from 0x100;
    ClientToServer, client_to_server::Messages: [ Enter(Enter) = 1, Say(Say) = 2 ]
    ServerToClient, server_to_client::Messages: [
        Welcome(Welcome) = 1,
        Entered(Entered) = 2,
        Said(Said) = 3,
        Left(Left) = 4,
    ]
}
