//! From a root as it came to a member on the bus.

use super::*;
use crate::messi::protocol::Root;
use crate::testing::Recorder;
use proptest::prelude::*;
use prost::Message as _;

mod protocol {
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Point {
        #[prost(uint32, tag = "1")]
        pub x: u32,
        #[prost(uint32, tag = "2")]
        pub y: u32,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Nothing {}

    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum Up {
        #[prost(message, tag = "1")]
        Point(Point),
        #[prost(message, tag = "2")]
        Nothing(Nothing),
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct ClientToServer {
        #[prost(oneof = "Up", tags = "1, 2")]
        pub messages: Option<Up>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Answer {}

    #[derive(Clone, Copy, PartialEq, prost::Oneof)]
    pub enum Down {
        #[prost(message, tag = "1")]
        Answer(Answer),
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct ServerToClient {
        #[prost(oneof = "Down", tags = "1")]
        pub messages: Option<Down>,
    }

    crate::messi_protocol! {
        pub Points: server 50, client 51, messages from 0x200;
        ClientToServer, Up: [ Point(Point) = 1, Nothing(Nothing) = 2 ]
        ServerToClient, Down: [ Answer(Answer) = 1 ]
    }
}

use protocol::{ClientToServer, Nothing, Point, Up};

/// The id and the bytes behind the client's id that come to the bus of these bytes.
fn published(root: &[u8]) -> Option<(u16, Vec<u8>)> {
    let recorder = Recorder::new();
    let client = ClientId::from(PeerId { key: 3, generation: 4 });
    let message = ClientToServer::decode(root).unwrap();
    let visitor = PublishFrom { source: 50, client: Some(client), root, allow: None, writer: &recorder };
    message.visit(visitor)?.unwrap().unwrap();
    let (header, bytes) = recorder.messages().last().unwrap();
    let message = bytes.split_first_chunk().filter(|(head, _)| **head == client.0.to_le_bytes()).unwrap().1;
    Some((header.message, message.to_vec()))
}

/// A field with these bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// What a later version of the protocol says more than this one is not lost on the bus.
#[test]
fn a_member_comes_to_the_bus_as_it_came() {
    let id = FromClient::<Point>::ID;
    // `x` is not as short as it could be, field 7 is unknown, and so are fields 5 and 6 of the root.
    let point = [1 << 3, 0x85, 0x00, 7 << 3 | 2, 2, 8, 9, 2 << 3, 6];
    let root = [field(5, b"before"), field(1, &point), vec![6 << 3, 1]].concat();
    assert_eq!(published(&field(1, &point)), Some((id, point.to_vec())));
    assert_eq!(published(&root), Some((id, point.to_vec())));
    assert_eq!(published(&field(1, b"")), Some((id, Vec::new())));
    assert_eq!(published(&field(5, b"unknown")), None);
    assert_eq!(published(b""), None);
}

/// A member in pieces is their sum, and then it comes as this version understands it.
#[test]
fn a_member_in_pieces_comes_to_the_bus_as_one() {
    let id = FromClient::<Point>::ID;
    let (x, y) = ([1 << 3, 5, 7 << 3, 1], [2 << 3, 6]);
    let whole = Point { x: 5, y: 6 }.encode_to_vec();
    assert_eq!(published(&[field(1, &x), field(1, &y)].concat()), Some((id, whole)));
    // Another one in between takes the first piece away.
    let replaced = published(&[field(1, &x), field(2, b""), field(1, &y)].concat());
    assert_eq!(replaced, Some((id, Point { x: 0, y: 6 }.encode_to_vec())));
    // The last one is the one that is set.
    assert_eq!(published(&[field(1, &x), field(2, b"")].concat()), Some((FromClient::<Nothing>::ID, Vec::new())));
    assert_eq!(published(&[field(2, b""), field(1, &x)].concat()), Some((id, x.to_vec())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 12 } else { 256 }))]
    /// Whatever a root is made of, the bus has the member that is set in it.
    #[test]
    fn the_bus_has_what_is_set(fields in prop::collection::vec((1..5_u8, 0..4_u32, 0..4_u32), 0..6)) {
        let root: Vec<u8> = fields.iter().flat_map(|(number, x, y)| match number {
            1 => field(1, &Point { x: *x, y: *y }.encode_to_vec()),
            2 => field(2, &[3 << 3, *x as u8][..(*y as usize % 2) * 2]),
            3 => vec![3 << 3, *x as u8],
            _ => field(4, &vec![*y as u8; *x as usize]),
        }).collect();
        match (ClientToServer::decode(&root[..]).unwrap().messages, published(&root)) {
            (None, published) => prop_assert_eq!(published, None),
            (Some(Up::Point(point)), Some((id, bytes))) => {
                prop_assert_eq!((id, Point::decode(&bytes[..]).unwrap()), (FromClient::<Point>::ID, point));
            }
            (Some(Up::Nothing(_)), Some((id, bytes))) => {
                prop_assert_eq!(id, FromClient::<Nothing>::ID);
                prop_assert!(Nothing::decode(&bytes[..]).is_ok());
            }
            (set, published) => prop_assert!(false, "{:?} is set, {:?} published", set, published),
        }
    }
}
