// Made by `messi generate_rust_source` of open_day.proto: change that, and make it again.

/// The packages of open_day.proto and of what it imports, each a module.
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
    pub mod open_day {
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
                Bring(super::Bring),
            }
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ServerToClient {
            #[prost(oneof = "server_to_client::Messages", tags = "1, 2, 3")]
            pub messages: ::core::option::Option<server_to_client::Messages>,
        }
        /// Nested message and enum types in `ServerToClient`.
        pub mod server_to_client {
            #[derive(Clone, PartialEq, Eq, Hash, ::prost::Oneof)]
            pub enum Messages {
                #[prost(message, tag = "1")]
                Measured(super::Measured),
                #[prost(message, tag = "2")]
                Denied(super::Denied),
                #[prost(message, tag = "3")]
                Day(super::Day),
            }
        }
        /// A visitor comes in, with its part of what the sensors will say. The day begins with the last of them.
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Bring {
            #[prost(string, tag = "1")]
            pub name: ::prost::alloc::string::String,
            #[prost(string, repeated, tag = "2")]
            pub lines: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Measured {
            #[prost(uint64, tag = "1")]
            pub number: u64,
            #[prost(enumeration = "Kind", tag = "2")]
            pub kind: i32,
            #[prost(sint32, tag = "3")]
            pub value: i32,
        }
        /// A device was to work harder than it may.
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Denied {
            #[prost(uint64, tag = "1")]
            pub number: u64,
            #[prost(string, tag = "2")]
            pub reason: ::prost::alloc::string::String,
        }
        /// The day is over.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Day {
            #[prost(uint64, tag = "1")]
            pub readings: u64,
            #[prost(uint64, tag = "2")]
            pub garbled: u64,
            #[prost(uint64, tag = "3")]
            pub orders: u64,
            #[prost(uint64, tag = "4")]
            pub refused: u64,
            #[prost(uint64, tag = "5")]
            pub done: u64,
        }
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
        #[repr(i32)]
        pub enum Kind {
            Temperature = 0,
            Moisture = 1,
        }
        impl Kind {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::Temperature => "TEMPERATURE",
                    Self::Moisture => "MOISTURE",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "TEMPERATURE" => Some(Self::Temperature),
                    "MOISTURE" => Some(Self::Moisture),
                    _ => None,
                }
            }
        }
    }

    impl open_day::Bring {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string, \
                 2 list<string>>",
            ));
    }

    impl open_day::ClientToServer {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 string, \
                 2 list<string>>>",
            ));
    }

    impl open_day::Day {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint64, \
                 2 uint64, \
                 3 uint64, \
                 4 uint64, \
                 5 uint64>",
            ));
    }

    impl open_day::Denied {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint64, \
                 2 string>",
            ));
    }

    impl open_day::Measured {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint64, \
                 2 enum, \
                 3 sint32>",
            ));
    }

    impl open_day::ServerToClient {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 uint64, \
                 2 enum, \
                 3 sint32>, \
                 2 message<1 uint64, \
                 2 string>, \
                 3 message<1 uint64, \
                 2 uint64, \
                 3 uint64, \
                 4 uint64, \
                 5 uint64>>",
            ));
    }

    ::rust_messenger::messi_protocol! {
        /// The protocol of open_day.proto.
        pub OpenDay: server 65024, client 65025, messages from 0x1000;
        open_day::ClientToServer, open_day::client_to_server::Messages: [
            Bring(open_day::Bring) = 1,
        ]
        open_day::ServerToClient, open_day::server_to_client::Messages: [
            Measured(open_day::Measured) = 1,
            Denied(open_day::Denied) = 2,
            Day(open_day::Day) = 3,
        ]
    }
}

#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::open_day::*;
#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::OpenDay;
