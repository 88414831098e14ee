// Made by `messi generate_rust_source` of chat.proto: change that, and make it again.

/// The packages of chat.proto and of what it imports, each a module.
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
    pub mod chat {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ClientToServer {
            #[prost(oneof = "client_to_server::Messages", tags = "1, 2")]
            pub messages: ::core::option::Option<client_to_server::Messages>,
        }
        /// Nested message and enum types in `ClientToServer`.
        pub mod client_to_server {
            #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
            pub enum Messages {
                #[prost(message, tag = "1")]
                Enter(super::Enter),
                #[prost(message, tag = "2")]
                Say(super::Say),
            }
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ServerToClient {
            #[prost(oneof = "server_to_client::Messages", tags = "1, 2, 3, 4")]
            pub messages: ::core::option::Option<server_to_client::Messages>,
        }
        /// Nested message and enum types in `ServerToClient`.
        pub mod server_to_client {
            #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
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
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Enter {
            #[prost(string, tag = "1")]
            pub name: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Say {
            #[prost(string, tag = "1")]
            pub text: ::prost::alloc::string::String,
        }
        /// To a guest that has just come in: who was there before.
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Welcome {
            #[prost(string, repeated, tag = "1")]
            pub guests: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Entered {
            #[prost(string, tag = "1")]
            pub name: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Said {
            #[prost(string, tag = "1")]
            pub name: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub text: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Left {
            #[prost(string, tag = "1")]
            pub name: ::prost::alloc::string::String,
        }
    }

    impl chat::ClientToServer {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 string>, \
                 2 message<1 string>>",
            ));
    }

    impl chat::Enter {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string>",
            ));
    }

    impl chat::Entered {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string>",
            ));
    }

    impl chat::Left {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string>",
            ));
    }

    impl chat::Said {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string, \
                 2 string>",
            ));
    }

    impl chat::Say {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string>",
            ));
    }

    impl chat::ServerToClient {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 list<string>>, \
                 2 message<1 string>, \
                 3 message<1 string, \
                 2 string>, \
                 4 message<1 string>>",
            ));
    }

    impl chat::Welcome {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 list<string>>",
            ));
    }

    ::rust_messenger::messi_protocol! {
        /// The protocol of chat.proto.
        pub Chat: server 65024, client 65025, messages from 0x1000;
        chat::ClientToServer, chat::client_to_server::Messages: [
            Enter(chat::Enter) = 1,
            Say(chat::Say) = 2,
        ]
        chat::ServerToClient, chat::server_to_client::Messages: [
            Welcome(chat::Welcome) = 1,
            Entered(chat::Entered) = 2,
            Said(chat::Said) = 3,
            Left(chat::Left) = 4,
        ]
    }
}

#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::chat::*;
#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::Chat;
