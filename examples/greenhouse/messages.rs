//! What is said in a greenhouse, in each way in which a message becomes bytes.

use rust_messenger::prelude::*;
use rust_messenger::traits::{DecodeError, DeserializeFrom, ExtendedMessage, Message};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

messenger_id_enum!(
    HandlerId {
        Station = 1,
        Parser = 2,
        Heating = 3,
        Watering = 4,
        Guard = 5,
        Gateway = 6,
        Device = 7,
        Tally = 8,
        Diary = 9,
        Gardener = 10,
    }
);

messenger_id_enum!(
    MessageId {
        Morning = 1,
        Line = 2,
        Reading = 3,
        Garbled = 4,
        Order = 5,
        Approved = 6,
        Refused = 7,
        Done = 8,
        Summary = 9,
    }
);

/// A day begins. From outside.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Morning {
    /// What the sensors will say.
    pub lines: Vec<String>,
    /// No device is to work harder than that, in percent.
    pub limit: u32,
}
serde_message!(Morning, MessageId::Morning);

/// What a sensor says, as it says it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Line {
    pub text: String,
}
serde_message!(Line, MessageId::Line);

zero_copy_message! {
    /// What it means. Plain memory: each reading goes to three handlers, and none of them copies it.
    #[derive(Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable)]
    #[repr(C)]
    pub struct Reading {
        pub number: u64,
        /// 0: degrees; 1: how moist the soil is, in percent.
        pub kind: u32,
        pub value: i32,
    },
    MessageId::Reading
}

/// It means nothing.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Garbled {
    pub text: String,
    pub reason: String,
}
serde_message!(Garbled, MessageId::Garbled);

/// A device is to work as hard as that. Protocol buffers: other programs give orders, too.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Order {
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(string, tag = "2")]
    pub device: String,
    #[prost(uint32, tag = "3")]
    pub percent: u32,
}
prost_message!(Order, MessageId::Order);

#[derive(Clone, PartialEq, prost::Message)]
pub struct Approved {
    #[prost(message, optional, tag = "1")]
    pub order: Option<Order>,
}
prost_message!(Approved, MessageId::Approved);

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    pub number: u64,
    pub reason: String,
}
serde_message!(Refused, MessageId::Refused);

/// A device does what order `number` says. By hand: devices know nothing but these eight bytes.
#[derive(Debug, PartialEq)]
pub struct Done {
    pub number: u64,
}

impl Message for Done {
    type Id = MessageId;
    const ID: MessageId = MessageId::Done;
}

impl ExtendedMessage for Done {
    fn get_size(&self) -> usize {
        8
    }

    fn write_into(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.number.to_le_bytes());
    }
}

impl DeserializeFrom for Done {
    fn deserialize_from(buffer: &[u8]) -> Done {
        Done::try_deserialize_from(buffer).unwrap()
    }

    fn try_deserialize_from(buffer: &[u8]) -> Result<Done, DecodeError> {
        let bytes = buffer.try_into().map_err(|_| DecodeError::new("an answer has eight bytes"))?;
        Ok(Done { number: u64::from_le_bytes(bytes) })
    }
}

/// How the day was.
#[derive(Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    pub readings: u64,
    pub garbled: u64,
    pub orders: u64,
    pub refused: u64,
    pub done: u64,
}
serde_message!(Summary, MessageId::Summary);
