//! `bench.proto` as prost types and as a protocol.

macro_rules! quote {
    ($($name:ident)+) => { $(
        #[derive(Clone, Copy, PartialEq, prost::Message)]
        pub struct $name {
            #[prost(fixed64, tag = "1")]
            pub number: u64,
            #[prost(fixed64, tag = "2")]
            pub price: u64,
            #[prost(fixed64, tag = "3")]
            pub time: u64,
            #[prost(uint32, tag = "4")]
            pub kind: u32,
        }
    )+ };
}

quote!(Tick Ask Answer);

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ClientToServer {
    #[prost(oneof = "client_to_server::Messages", tags = "1, 2")]
    pub messages: Option<client_to_server::Messages>,
}

pub mod client_to_server {
    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum Messages {
        #[prost(message, tag = "1")]
        Tick(super::Tick),
        #[prost(message, tag = "2")]
        Ask(super::Ask),
    }
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ServerToClient {
    #[prost(oneof = "server_to_client::Messages", tags = "1")]
    pub messages: Option<server_to_client::Messages>,
}

pub mod server_to_client {
    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum Messages {
        #[prost(message, tag = "1")]
        Answer(super::Answer),
    }
}

rust_messenger::messi_protocol! {
    /// What is measured.
    pub Bench: server 50, client 51, messages from 0x200;
    ClientToServer, client_to_server::Messages: [ Tick(Tick) = 1, Ask(Ask) = 2 ]
    ServerToClient, server_to_client::Messages: [ Answer(Answer) = 1 ]
}
