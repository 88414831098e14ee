// Made by `messi generate_rust_source` of hello_world.proto: change that, and make it again.

/// The packages of hello_world.proto and of what it imports, each a module.
#[rustfmt::skip]
#[allow(
    clippy::all,
    dead_code,
    deprecated,
    missing_docs,
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    unused_imports
)]
pub mod proto {
    pub mod hello_world {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ClientToServer {
            #[prost(oneof = "client_to_server::Messages", tags = "1")]
            pub messages: ::core::option::Option<client_to_server::Messages>,
        }
        /// Nested message and enum types in `ClientToServer`.
        pub mod client_to_server {
            #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
            pub enum Messages {
                #[prost(message, tag = "1")]
                Hello(super::Hello),
            }
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ServerToClient {
            #[prost(oneof = "server_to_client::Messages", tags = "1")]
            pub messages: ::core::option::Option<server_to_client::Messages>,
        }
        /// Nested message and enum types in `ServerToClient`.
        pub mod server_to_client {
            #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
            pub enum Messages {
                #[prost(message, tag = "1")]
                Greeting(super::Greeting),
            }
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Hello {
            #[prost(string, tag = "1")]
            pub name: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Greeting {
            #[prost(string, tag = "1")]
            pub text: ::prost::alloc::string::String,
        }
    }

    impl hello_world::ClientToServer {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 string>>",
            ));
    }

    impl hello_world::Greeting {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string>",
            ));
    }

    impl hello_world::Hello {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string>",
            ));
    }

    impl hello_world::ServerToClient {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 string>>",
            ));
    }

    ::rust_messenger::messi_protocol! {
        /// The protocol of hello_world.proto.
        pub HelloWorld: server 65024, client 65025, messages from 0x1000;
        hello_world::ClientToServer, hello_world::client_to_server::Messages: [
            Hello(hello_world::Hello) = 1,
        ]
        hello_world::ServerToClient, hello_world::server_to_client::Messages: [
            Greeting(hello_world::Greeting) = 1,
        ]
    }
}

#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::hello_world::*;
#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::HelloWorld;
