//! `bank.proto` of the interoperability kit (`tests/interop/`), as prost types and as a protocol.

/// What kind of account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum AccountKind {
    Unknown = 0,
    Checking = 1,
    Savings = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Address {
    #[prost(string, tag = "1")]
    pub street: String,
    #[prost(string, tag = "2")]
    pub city: String,
    #[prost(uint32, tag = "3")]
    pub zip: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    #[prost(uint32, tag = "1")]
    pub seq: u32,
    #[prost(sint64, tag = "2")]
    pub amount: i64,
    #[prost(string, tag = "3")]
    pub memo: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ClientToServer {
    #[prost(oneof = "client_to_server::Messages", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
    pub messages: Option<client_to_server::Messages>,
}

pub mod client_to_server {
    #[derive(Clone, PartialEq, prost::Oneof)]
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

#[derive(Clone, PartialEq, prost::Message)]
pub struct ServerToClient {
    #[prost(oneof = "server_to_client::Messages", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20")]
    pub messages: Option<server_to_client::Messages>,
}

pub mod server_to_client {
    #[derive(Clone, PartialEq, prost::Oneof)]
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

#[derive(Clone, PartialEq, prost::Message)]
pub struct OpenReq {
    #[prost(string, tag = "1")]
    pub owner: String,
    #[prost(message, optional, tag = "2")]
    pub address: Option<Address>,
    #[prost(bytes = "vec", tag = "3")]
    pub token: Vec<u8>,
    #[prost(sint64, repeated, tag = "4")]
    pub limits: Vec<i64>,
    #[prost(enumeration = "AccountKind", tag = "5")]
    pub kind: i32,
    #[prost(bool, tag = "6")]
    pub premium: bool,
    #[prost(double, tag = "7")]
    pub rate: f64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct OpenRsp {
    #[prost(uint32, tag = "1")]
    pub account_id: u32,
    #[prost(string, tag = "2")]
    pub owner: String,
    #[prost(message, optional, tag = "3")]
    pub address: Option<Address>,
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

#[derive(Clone, PartialEq, prost::Message)]
pub struct JoinInd {
    #[prost(uint32, tag = "1")]
    pub account_id: u32,
    #[prost(string, tag = "2")]
    pub owner: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DepositInd {
    #[prost(uint32, tag = "1")]
    pub seq: u32,
    #[prost(sint64, tag = "2")]
    pub amount: i64,
    #[prost(string, tag = "3")]
    pub memo: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct StatementReq {
    #[prost(uint32, tag = "1")]
    pub last: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StatementRsp {
    #[prost(uint32, tag = "1")]
    pub account_id: u32,
    #[prost(sint64, tag = "2")]
    pub balance: i64,
    #[prost(bool, tag = "3")]
    pub in_order: bool,
    #[prost(message, repeated, tag = "4")]
    pub entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct UploadReq {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct UploadRsp {
    #[prost(uint32, tag = "1")]
    pub size: u32,
    #[prost(uint32, tag = "2")]
    pub fnv: u32,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct DownloadReq {
    #[prost(uint32, tag = "1")]
    pub size: u32,
    #[prost(uint32, tag = "2")]
    pub seed: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DownloadRsp {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct AuditStartReq {
    #[prost(uint32, tag = "1")]
    pub count: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AuditReq {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(string, tag = "2")]
    pub text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AuditRsp {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(string, tag = "2")]
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct AuditDoneInd {
    #[prost(uint32, tag = "1")]
    pub correct: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ShoutReq {
    #[prost(string, tag = "1")]
    pub text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ShoutInd {
    #[prost(uint32, tag = "1")]
    pub account_id: u32,
    #[prost(string, tag = "2")]
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct NopReq {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct NopRsp {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct KickReq {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct KickRsp {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct CloseReq {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
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

rust_messenger::messi_protocol! {
    /// A bank and its customers.
    pub Bank: server 40, client 41, messages from 0x100;
    ClientToServer, client_to_server::Messages: [
        OpenReq(OpenReq) = 1,
        DepositInd(DepositInd) = 2,
        StatementReq(StatementReq) = 3,
        UploadReq(UploadReq) = 4,
        DownloadReq(DownloadReq) = 5,
        AuditStartReq(AuditStartReq) = 6,
        AuditRsp(AuditRsp) = 7,
        ShoutReq(ShoutReq) = 8,
        NopReq(NopReq) = 9,
        KickReq(KickReq) = 10,
        CloseReq(CloseReq) = 11,
    ]
    ServerToClient, server_to_client::Messages: [
        OpenRsp(OpenRsp) = 1,
        JoinInd(JoinInd) = 2,
        StatementRsp(StatementRsp) = 3,
        UploadRsp(UploadRsp) = 4,
        DownloadRsp(DownloadRsp) = 5,
        AuditReq(AuditReq) = 6,
        AuditDoneInd(AuditDoneInd) = 7,
        ShoutInd(ShoutInd) = 8,
        NopRsp(NopRsp) = 9,
        KickRsp(KickRsp) = 10,
        CloseRsp(CloseRsp) = 20,
    ]
}
