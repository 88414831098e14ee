// Made by `messi generate_rust_source` of bank.proto: change that, and make it again.

/// The packages of bank.proto and of what it imports, each a module.
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
    pub mod bank {
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Address {
            #[prost(string, tag = "1")]
            pub street: ::prost::alloc::string::String,
            #[prost(string, tag = "2")]
            pub city: ::prost::alloc::string::String,
            #[prost(uint32, tag = "3")]
            pub zip: u32,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct Entry {
            #[prost(uint32, tag = "1")]
            pub seq: u32,
            #[prost(sint64, tag = "2")]
            pub amount: i64,
            #[prost(string, tag = "3")]
            pub memo: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct ClientToServer {
            #[prost(
                oneof = "client_to_server::Messages",
                tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
            )]
            pub messages: ::core::option::Option<client_to_server::Messages>,
        }
        /// Nested message and enum types in `ClientToServer`.
        pub mod client_to_server {
            #[derive(Clone, PartialEq, ::prost::Oneof)]
            pub enum Messages {
                #[prost(message, tag = "1")]
                OpenReq(super::OpenReq),
                #[prost(message, tag = "2")]
                DepositInd(super::DepositInd),
                #[prost(message, tag = "3")]
                StatementReq(super::StatementReq),
                #[prost(message, tag = "4")]
                UploadReq(super::UploadReq),
                #[prost(message, tag = "5")]
                DownloadReq(super::DownloadReq),
                #[prost(message, tag = "6")]
                AuditStartReq(super::AuditStartReq),
                #[prost(message, tag = "7")]
                AuditRsp(super::AuditRsp),
                #[prost(message, tag = "8")]
                ShoutReq(super::ShoutReq),
                #[prost(message, tag = "9")]
                NopReq(super::NopReq),
                #[prost(message, tag = "10")]
                KickReq(super::KickReq),
                #[prost(message, tag = "11")]
                CloseReq(super::CloseReq),
            }
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct ServerToClient {
            #[prost(
                oneof = "server_to_client::Messages",
                tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20"
            )]
            pub messages: ::core::option::Option<server_to_client::Messages>,
        }
        /// Nested message and enum types in `ServerToClient`.
        pub mod server_to_client {
            #[derive(Clone, PartialEq, ::prost::Oneof)]
            pub enum Messages {
                #[prost(message, tag = "1")]
                OpenRsp(super::OpenRsp),
                #[prost(message, tag = "2")]
                JoinInd(super::JoinInd),
                #[prost(message, tag = "3")]
                StatementRsp(super::StatementRsp),
                #[prost(message, tag = "4")]
                UploadRsp(super::UploadRsp),
                #[prost(message, tag = "5")]
                DownloadRsp(super::DownloadRsp),
                #[prost(message, tag = "6")]
                AuditReq(super::AuditReq),
                #[prost(message, tag = "7")]
                AuditDoneInd(super::AuditDoneInd),
                #[prost(message, tag = "8")]
                ShoutInd(super::ShoutInd),
                #[prost(message, tag = "9")]
                NopRsp(super::NopRsp),
                #[prost(message, tag = "10")]
                KickRsp(super::KickRsp),
                #[prost(message, tag = "20")]
                CloseRsp(super::CloseRsp),
            }
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct OpenReq {
            #[prost(string, tag = "1")]
            pub owner: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "2")]
            pub address: ::core::option::Option<Address>,
            #[prost(bytes = "vec", tag = "3")]
            pub token: ::prost::alloc::vec::Vec<u8>,
            #[prost(sint64, repeated, tag = "4")]
            pub limits: ::prost::alloc::vec::Vec<i64>,
            #[prost(enumeration = "AccountKind", tag = "5")]
            pub kind: i32,
            #[prost(bool, tag = "6")]
            pub premium: bool,
            #[prost(double, tag = "7")]
            pub rate: f64,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct OpenRsp {
            #[prost(uint32, tag = "1")]
            pub account_id: u32,
            #[prost(string, tag = "2")]
            pub owner: ::prost::alloc::string::String,
            #[prost(message, optional, tag = "3")]
            pub address: ::core::option::Option<Address>,
            #[prost(uint32, tag = "4")]
            pub token_fnv: u32,
            #[prost(sint64, tag = "5")]
            pub limits_total: i64,
            #[prost(enumeration = "AccountKind", tag = "6")]
            pub kind: i32,
            #[prost(bool, tag = "7")]
            pub premium: bool,
            #[prost(double, tag = "8")]
            pub rate: f64,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct JoinInd {
            #[prost(uint32, tag = "1")]
            pub account_id: u32,
            #[prost(string, tag = "2")]
            pub owner: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DepositInd {
            #[prost(uint32, tag = "1")]
            pub seq: u32,
            #[prost(sint64, tag = "2")]
            pub amount: i64,
            #[prost(string, tag = "3")]
            pub memo: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct StatementReq {
            #[prost(uint32, tag = "1")]
            pub last: u32,
        }
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct StatementRsp {
            #[prost(uint32, tag = "1")]
            pub account_id: u32,
            #[prost(sint64, tag = "2")]
            pub balance: i64,
            #[prost(bool, tag = "3")]
            pub in_order: bool,
            #[prost(message, repeated, tag = "4")]
            pub entries: ::prost::alloc::vec::Vec<Entry>,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct UploadReq {
            #[prost(bytes = "vec", tag = "1")]
            pub data: ::prost::alloc::vec::Vec<u8>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct UploadRsp {
            #[prost(uint32, tag = "1")]
            pub size: u32,
            #[prost(uint32, tag = "2")]
            pub fnv: u32,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DownloadReq {
            #[prost(uint32, tag = "1")]
            pub size: u32,
            #[prost(uint32, tag = "2")]
            pub seed: u32,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct DownloadRsp {
            #[prost(bytes = "vec", tag = "1")]
            pub data: ::prost::alloc::vec::Vec<u8>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct AuditStartReq {
            #[prost(uint32, tag = "1")]
            pub count: u32,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct AuditReq {
            #[prost(uint32, tag = "1")]
            pub id: u32,
            #[prost(string, tag = "2")]
            pub text: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct AuditRsp {
            #[prost(uint32, tag = "1")]
            pub id: u32,
            #[prost(string, tag = "2")]
            pub text: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct AuditDoneInd {
            #[prost(uint32, tag = "1")]
            pub correct: u32,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ShoutReq {
            #[prost(string, tag = "1")]
            pub text: ::prost::alloc::string::String,
        }
        #[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct ShoutInd {
            #[prost(uint32, tag = "1")]
            pub account_id: u32,
            #[prost(string, tag = "2")]
            pub text: ::prost::alloc::string::String,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct NopReq {}
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct NopRsp {}
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct KickReq {}
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct KickRsp {}
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct CloseReq {}
        #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
        pub struct CloseRsp {
            #[prost(uint32, tag = "1")]
            pub opens: u32,
            #[prost(uint32, tag = "2")]
            pub deposits: u32,
            #[prost(uint32, tag = "3")]
            pub shouts: u32,
            #[prost(uint32, tag = "4")]
            pub kicks: u32,
        }
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
        #[repr(i32)]
        pub enum AccountKind {
            Unknown = 0,
            Checking = 1,
            Savings = 2,
        }
        impl AccountKind {
            /// String value of the enum field names used in the ProtoBuf definition.
            ///
            /// The values are not transformed in any way and thus are considered stable
            /// (if the ProtoBuf definition does not change) and safe for programmatic use.
            pub fn as_str_name(&self) -> &'static str {
                match self {
                    Self::Unknown => "UNKNOWN",
                    Self::Checking => "CHECKING",
                    Self::Savings => "SAVINGS",
                }
            }
            /// Creates an enum from field names used in the ProtoBuf definition.
            pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
                match value {
                    "UNKNOWN" => Some(Self::Unknown),
                    "CHECKING" => Some(Self::Checking),
                    "SAVINGS" => Some(Self::Savings),
                    _ => None,
                }
            }
        }
    }

    impl bank::Address {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string, \
                 2 string, \
                 3 uint32>",
            ));
    }

    impl bank::AuditDoneInd {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32>",
            ));
    }

    impl bank::AuditReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 string>",
            ));
    }

    impl bank::AuditRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 string>",
            ));
    }

    impl bank::AuditStartReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32>",
            ));
    }

    impl bank::ClientToServer {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 string, \
                 2 message<1 string, \
                 2 string, \
                 3 uint32>, \
                 3 bytes, \
                 4 list<sint64>, \
                 5 enum, \
                 6 bool, \
                 7 double>, \
                 2 message<1 uint32, \
                 2 sint64, \
                 3 string>, \
                 3 message<1 uint32>, \
                 4 message<1 bytes>, \
                 5 message<1 uint32, \
                 2 uint32>, \
                 6 message<1 uint32>, \
                 7 message<1 uint32, \
                 2 string>, \
                 8 message<1 string>, \
                 9 message<>, \
                 10 message<>, \
                 11 message<>>",
            ));
    }

    impl bank::CloseReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<>",
            ));
    }

    impl bank::CloseRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 uint32, \
                 3 uint32, \
                 4 uint32>",
            ));
    }

    impl bank::DepositInd {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 sint64, \
                 3 string>",
            ));
    }

    impl bank::DownloadReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 uint32>",
            ));
    }

    impl bank::DownloadRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 bytes>",
            ));
    }

    impl bank::Entry {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 sint64, \
                 3 string>",
            ));
    }

    impl bank::JoinInd {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 string>",
            ));
    }

    impl bank::KickReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<>",
            ));
    }

    impl bank::KickRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<>",
            ));
    }

    impl bank::NopReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<>",
            ));
    }

    impl bank::NopRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<>",
            ));
    }

    impl bank::OpenReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string, \
                 2 message<1 string, \
                 2 string, \
                 3 uint32>, \
                 3 bytes, \
                 4 list<sint64>, \
                 5 enum, \
                 6 bool, \
                 7 double>",
            ));
    }

    impl bank::OpenRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 string, \
                 3 message<1 string, \
                 2 string, \
                 3 uint32>, \
                 4 uint32, \
                 5 sint64, \
                 6 enum, \
                 7 bool, \
                 8 double>",
            ));
    }

    impl bank::ServerToClient {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 message<1 uint32, \
                 2 string, \
                 3 message<1 string, \
                 2 string, \
                 3 uint32>, \
                 4 uint32, \
                 5 sint64, \
                 6 enum, \
                 7 bool, \
                 8 double>, \
                 2 message<1 uint32, \
                 2 string>, \
                 3 message<1 uint32, \
                 2 sint64, \
                 3 bool, \
                 4 list<message<1 uint32, \
                 2 sint64, \
                 3 string>>>, \
                 4 message<1 uint32, \
                 2 uint32>, \
                 5 message<1 bytes>, \
                 6 message<1 uint32, \
                 2 string>, \
                 7 message<1 uint32>, \
                 8 message<1 uint32, \
                 2 string>, \
                 9 message<>, \
                 10 message<>, \
                 20 message<1 uint32, \
                 2 uint32, \
                 3 uint32, \
                 4 uint32>>",
            ));
    }

    impl bank::ShoutInd {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 string>",
            ));
    }

    impl bank::ShoutReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 string>",
            ));
    }

    impl bank::StatementReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32>",
            ));
    }

    impl bank::StatementRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 sint64, \
                 3 bool, \
                 4 list<message<1 uint32, \
                 2 sint64, \
                 3 string>>>",
            ));
    }

    impl bank::UploadReq {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 bytes>",
            ));
    }

    impl bank::UploadRsp {
        /// The numbers and types of its fields, as a journal keeps them.
        #[doc(hidden)]
        pub const FIELD_SHAPE: ::core::option::Option<fn() -> ::std::string::String> =
            ::core::option::Option::Some(|| ::std::string::String::from(
                "message<1 uint32, \
                 2 uint32>",
            ));
    }

    ::rust_messenger::messi_protocol! {
        /// The protocol of bank.proto.
        pub Bank: server 65024, client 65025, messages from 0x1000;
        bank::ClientToServer, bank::client_to_server::Messages: [
            OpenReq(bank::OpenReq) = 1,
            DepositInd(bank::DepositInd) = 2,
            StatementReq(bank::StatementReq) = 3,
            UploadReq(bank::UploadReq) = 4,
            DownloadReq(bank::DownloadReq) = 5,
            AuditStartReq(bank::AuditStartReq) = 6,
            AuditRsp(bank::AuditRsp) = 7,
            ShoutReq(bank::ShoutReq) = 8,
            NopReq(bank::NopReq) = 9,
            KickReq(bank::KickReq) = 10,
            CloseReq(bank::CloseReq) = 11,
        ]
        bank::ServerToClient, bank::server_to_client::Messages: [
            OpenRsp(bank::OpenRsp) = 1,
            JoinInd(bank::JoinInd) = 2,
            StatementRsp(bank::StatementRsp) = 3,
            UploadRsp(bank::UploadRsp) = 4,
            DownloadRsp(bank::DownloadRsp) = 5,
            AuditReq(bank::AuditReq) = 6,
            AuditDoneInd(bank::AuditDoneInd) = 7,
            ShoutInd(bank::ShoutInd) = 8,
            NopRsp(bank::NopRsp) = 9,
            KickRsp(bank::KickRsp) = 10,
            CloseRsp(bank::CloseRsp) = 20,
        ]
    }
}

#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::bank::*;
#[rustfmt::skip]
#[allow(unused_imports)]
pub use proto::Bank;
