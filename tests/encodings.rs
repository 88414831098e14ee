//! How messages become bytes and come back: each encoding there and back over a bus, and what becomes of bytes that are
//! no such message. Such bytes are an error; they never panic, and they reserve no memory on their own word.

#![cfg(any(feature = "serde", feature = "bincode", feature = "prost", feature = "zero_copy"))]
// Each encoding uses its own part of the helpers.
#![allow(dead_code)]

use rust_messenger::traits::{
    DecodeError, DeserializeFrom, EncodeError, Encoded, ExtendedMessage, Handler, Message, MessageBus, Publish, Reader,
    Sender, WriteError,
};
use rust_messenger::{CircularBus, message_bus};
use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Borrow;
use std::cell::Cell;
use std::fmt::Debug;

// ------------------------------------------------------------------------------------------------------------ helpers

/// Everything is sent in the name of this handler.
struct Source;

impl Handler for Source {
    type Id = u16;
    const ID: u16 = 1;
}

/// A bus and both of its ends.
struct Wire {
    writer: message_bus::RingWriter,
    reader: message_bus::RingReader,
}

impl Wire {
    /// Its memory is full of ones, so that a byte that nobody wrote shows.
    fn new() -> Wire {
        let bus = CircularBus::new(1 << 16).unwrap();
        let mut wire = Wire { reader: bus.subscribe("test").unwrap(), writer: bus.writer().unwrap() };
        for _ in 0..if cfg!(miri) { 10 } else { 100 } {
            wire.writer.try_write_bytes(1, 1, &[0xFF; 1000]).unwrap();
            wire.receive(|payload| assert_eq!(payload, [0xFF; 1000]));
        }
        wire
    }

    fn send<M: ExtendedMessage>(&self, message: &M) -> Result<(), WriteError> {
        Source::try_send(message, &self.writer)
    }

    fn receive<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> T {
        let seen = self.reader.try_read(|_, payload| see(payload)).expect("a message");
        self.reader.release();
        seen
    }

    /// Sends a message and decodes it where it lies in the bus.
    fn there_and_back<M: ExtendedMessage + Encoded + PartialEq + Debug>(&mut self, message: &M) {
        self.send(message).unwrap();
        self.receive(|payload| {
            assert_eq!(payload.len(), message.get_size());
            assert_eq!(payload.as_ptr() as usize % 8, 0, "a payload is aligned to 8 bytes");
            assert_eq!(M::decode(payload).unwrap().borrow(), message);
        });
    }
}

fn encoded<M: ExtendedMessage>(message: &M) -> Vec<u8> {
    let mut bytes = vec![0xFF; message.get_size()];
    message.write_into(&mut bytes);
    bytes
}

/// What the thread has allocated at once, at most, since it last asked. Counted by the allocator of this test.
struct Counting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    // A thread that ends has no use for the number.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

#[allow(unsafe_code)]
// SAFETY: both methods hand their arguments on to the system's allocator as they are, and so keep its contract; what
// is counted on the way does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's obligations are those of this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are those of this call.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The largest single allocation while `run` runs.
fn largest_allocation(run: impl FnOnce()) -> usize {
    LARGEST.set(0);
    run();
    LARGEST.get()
}

/// serde reserves this much for a collection on the word of its length, and no more.
const SERDE_CAP: usize = 1 << 20;

#[cfg(any(feature = "serde", feature = "bincode", feature = "prost"))]
fn cases() -> proptest::test_runner::Config {
    // Miri has no files to persist failures in, and takes its time.
    let cases = if cfg!(miri) { 1 } else { 512 };
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}

/// Not by a regular expression, which takes Miri minutes to read.
#[cfg(any(feature = "serde", feature = "bincode", feature = "prost"))]
fn text() -> impl proptest::strategy::Strategy<Value = String> + Clone {
    use proptest::strategy::Strategy;
    proptest::collection::vec(proptest::char::any(), 0..20).prop_map(String::from_iter)
}

/// An id for a message that this file writes by hand.
macro_rules! id {
    ($message:ty, $id:literal) => {
        impl Message for $message {
            type Id = u16;
            const ID: u16 = $id;
        }
    };
}

// ------------------------------------------------------------------------------------------------------------ by hand

/// Claims `claims` bytes, writes `writes`.
struct Liar {
    claims: usize,
    writes: usize,
}

id!(Liar, 9);

impl ExtendedMessage for Liar {
    fn get_size(&self) -> usize {
        self.claims
    }

    fn write_into(&self, buffer: &mut [u8]) {
        assert!(buffer.iter().all(|&byte| byte == 0), "memory lent to a hand-written message is zeroed");
        buffer[..self.writes].fill(7);
    }

    fn encode(&self, space: &mut rust_messenger::traits::Space<'_>) -> Result<(), EncodeError> {
        space.put(&vec![7; self.writes])
    }
}

/// The same, left to the provided `encode`.
struct Short;

id!(Short, 10);

impl ExtendedMessage for Short {
    fn get_size(&self) -> usize {
        Liar { claims: 20, writes: 3 }.get_size()
    }

    fn write_into(&self, buffer: &mut [u8]) {
        Liar { claims: 20, writes: 3 }.write_into(buffer);
    }
}

#[test]
fn what_an_encoder_leaves_is_zero() {
    let mut wire = Wire::new();
    let expected = [[7; 3].as_slice(), &[0; 17]].concat();
    wire.send(&Liar { claims: 20, writes: 3 }).unwrap();
    wire.receive(|payload| assert_eq!(payload, expected));
    wire.send(&Short).unwrap();
    wire.receive(|payload| assert_eq!(payload, expected));
}

#[test]
fn an_encoder_that_needs_more_than_it_claimed_is_an_error() {
    let mut wire = Wire::new();
    let error = wire.send(&Liar { claims: 20, writes: 21 }).unwrap_err();
    assert_eq!(error, WriteError::Encode(EncodeError::TooLong { claimed: 20 }));
    // Its slot is stepped over.
    wire.send(&Liar { claims: 4, writes: 4 }).unwrap();
    wire.receive(|payload| assert_eq!(payload, [7; 4]));
}

// -------------------------------------------------------------------------------------------------------------- serde

#[cfg(any(feature = "serde", feature = "bincode"))]
mod serde_types {
    use super::*;
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize, Serializer};
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub enum Side {
        Buy,
        Sell { limit: i64 },
    }

    /// One of everything that a length or a tag stands in front of.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Order {
        pub id: u64,
        pub name: String,
        pub side: Side,
        pub parts: Vec<u64>,
        pub note: Option<String>,
        pub tags: BTreeMap<u16, bool>,
    }

    pub fn order() -> impl Strategy<Value = Order> {
        let side = prop_oneof![Just(Side::Buy), any::<i64>().prop_map(|limit| Side::Sell { limit })];
        let parts = proptest::collection::vec(any::<u64>(), 0..20);
        let note = proptest::option::of(text());
        let tags = proptest::collection::btree_map(any::<u16>(), any::<bool>(), 0..5);
        (any::<u64>(), text(), side, parts, note, tags).prop_map(|(id, name, side, parts, note, tags)| Order {
            id,
            name,
            side,
            parts,
            note,
            tags,
        })
    }

    /// Serializes as `first` bytes when it is measured, and as `then` bytes when it is written. Its type is too large
    /// to be encoded without being measured.
    pub struct Unsteady {
        pub asked: Cell<bool>,
        pub first: usize,
        pub then: usize,
        _large: [u8; 128],
    }

    impl Unsteady {
        pub fn new(first: usize, then: usize) -> Self {
            Unsteady { asked: Cell::new(false), first, then, _large: [0; 128] }
        }
    }

    impl Serialize for Unsteady {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let len = if self.asked.replace(true) { self.then } else { self.first };
            let mut tuple = serializer.serialize_tuple(len)?;
            for _ in 0..len {
                tuple.serialize_element(&7_u8)?;
            }
            tuple.end()
        }
    }

    impl<'de> Deserialize<'de> for Unsteady {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Unsteady::new(0, 0))
        }
    }

    /// Refuses to be serialized, after a first field that does not.
    #[derive(Debug, Serialize, Deserialize)]
    pub struct Refusing {
        pub number: u32,
        #[serde(serialize_with = "refuse")]
        pub secret: u32,
    }

    fn refuse<S: Serializer>(_: &u32, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("this one stays here"))
    }

    /// Collections of which the first thing in the bytes is a length.
    #[derive(Debug, Serialize, Deserialize)]
    pub struct Numbers(pub Vec<u64>);

    #[derive(Debug, Serialize, Deserialize)]
    pub struct Text(pub String);

    #[derive(Debug, Serialize, Deserialize)]
    pub struct Map(pub BTreeMap<u64, String>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub struct Nothing;
}

/// The laws of an encoding of serde types; the types are wrapped, because each encoding makes them messages again.
#[cfg(any(feature = "serde", feature = "bincode"))]
macro_rules! serde_laws {
    ($module:ident, $message:ident, $length:expr) => {
        mod $module {
            use super::*;
            use proptest::prelude::*;
            use serde::{Deserialize, Serialize};
            use serde_types::Unsteady;

            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            struct Order(serde_types::Order);
            #[derive(Serialize, Deserialize)]
            struct Unsteadily(Unsteady);
            #[derive(Debug, Serialize, Deserialize)]
            struct Refusing(serde_types::Refusing);
            #[derive(Debug, Serialize, Deserialize)]
            struct Numbers(serde_types::Numbers);
            #[derive(Debug, Serialize, Deserialize)]
            struct Text(serde_types::Text);
            #[derive(Debug, Serialize, Deserialize)]
            struct Map(serde_types::Map);
            #[derive(Debug, PartialEq, Serialize, Deserialize)]
            struct Nothing(serde_types::Nothing);

            rust_messenger::$message!(Order, 1);
            rust_messenger::$message!(Unsteadily, 2);
            rust_messenger::$message!(Refusing, 3);
            rust_messenger::$message!(Numbers, 4);
            rust_messenger::$message!(Text, 5);
            rust_messenger::$message!(Map, 6);
            rust_messenger::$message!(Nothing, 7);

            #[test]
            fn there_and_back() {
                let wire = std::cell::RefCell::new(Wire::new());
                proptest!(cases(), |(order in serde_types::order())| wire.borrow_mut().there_and_back(&Order(order)));
                wire.into_inner().there_and_back(&Nothing(serde_types::Nothing));
            }

            #[test]
            fn a_part_of_a_message_is_an_error() {
                proptest!(cases(), |(order in serde_types::order())| {
                    let bytes = encoded(&Order(order));
                    for end in 0..bytes.len() {
                        prop_assert!(Order::try_deserialize_from(&bytes[..end]).is_err(), "{end} of {} bytes", bytes.len());
                    }
                });
            }

            #[test]
            fn more_than_a_message_is_an_error() {
                proptest!(cases(), |(order in serde_types::order(), more in 1_usize..9)| {
                    let mut bytes = encoded(&Order(order));
                    bytes.resize(bytes.len() + more, 0);
                    prop_assert!(Order::try_deserialize_from(&bytes).is_err());
                });
                assert!(Nothing::try_deserialize_from(&[0]).is_err());
            }

            #[test]
            fn any_bytes_are_a_message_or_an_error() {
                proptest!(cases(), |(bytes: Vec<u8>)| {
                    let _ = Order::try_deserialize_from(&bytes);
                });
                // Nearly a message is where decoders go furthest.
                proptest!(cases(), |(order in serde_types::order(), at: proptest::sample::Index, byte: u8)| {
                    let mut bytes = encoded(&Order(order));
                    *at.get_mut(&mut bytes) = byte;
                    let _ = Order::try_deserialize_from(&bytes);
                });
            }

            #[test]
            fn a_length_reserves_nothing_on_its_own_word() {
                for claim in [u64::MAX, u64::MAX / 2, 1 << 40, 1 << 32] {
                    let length: &dyn Fn(u64) -> Vec<u8> = &$length;
                    let bytes = [length(claim).as_slice(), &[1; 40]].concat();
                    let largest = largest_allocation(|| {
                        assert!(Numbers::try_deserialize_from(&bytes).is_err());
                        assert!(Map::try_deserialize_from(&bytes).is_err());
                    });
                    assert!(largest <= SERDE_CAP, "{largest} bytes for a claim of {claim}");
                    let largest = largest_allocation(|| assert!(Text::try_deserialize_from(&bytes).is_err()));
                    assert!(largest <= 1024, "{largest} bytes for a claim of {claim}");
                }
            }

            #[test]
            fn shorter_than_measured_is_filled_with_zeros() {
                let mut wire = Wire::new();
                wire.send(&Unsteadily(Unsteady::new(20, 3))).unwrap();
                wire.receive(|payload| assert_eq!(payload, [[7; 3].as_slice(), &[0; 17]].concat()));
            }

            #[test]
            fn longer_than_measured_is_an_error() {
                let mut wire = Wire::new();
                let error = wire.send(&Unsteadily(Unsteady::new(3, 20))).unwrap_err();
                assert_eq!(error, WriteError::Encode(EncodeError::TooLong { claimed: 3 }));
                wire.there_and_back(&Nothing(serde_types::Nothing));
            }

            #[test]
            fn a_refusal_is_an_error() {
                let mut wire = Wire::new();
                let refusing = Refusing(serde_types::Refusing { number: 1, secret: 2 });
                match wire.send(&refusing) {
                    Err(WriteError::Encode(EncodeError::Refused(_))) => {}
                    other => panic!("{other:?}"),
                }
                wire.there_and_back(&Nothing(serde_types::Nothing));
                // What cannot say why leaves nothing behind.
                let mut bytes = [0xFF; 8];
                refusing.write_into(&mut bytes);
                assert_eq!(bytes, [0; 8]);
            }

            #[test]
            fn the_form_that_panics_says_why() {
                let panic = std::panic::catch_unwind(|| Text::deserialize_from(&[0xFF; 3])).unwrap_err();
                let text = panic.downcast_ref::<String>().expect("a text");
                assert!(text.starts_with("undecodable: "), "{text}");
            }
        }
    };
}

/// How often a message is asked for its fields on the way to the bus.
#[cfg(feature = "serde")]
mod once {
    use super::*;
    use serde::{Deserialize, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Asked {
        #[serde(skip)]
        times: Cell<u32>,
        text: String,
    }

    impl Serialize for Asked {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.times.set(self.times.get() + 1);
            self.text.serialize(serializer)
        }
    }

    rust_messenger::serde_message!(Asked, 8);

    fn times(length: usize) -> u32 {
        let mut wire = Wire::new();
        let asked = Asked { times: Cell::new(0), text: "x".repeat(length) };
        wire.send(&asked).unwrap();
        wire.receive(|payload| assert!(payload.ends_with(asked.text.as_bytes()) && payload.len() > length));
        asked.times.get()
    }

    #[test]
    fn a_small_message_is_encoded_once() {
        assert_eq!(times(100), 1);
        // What turns out to be long is measured after all.
        assert_eq!(times(1000), 3);
    }
}

// A length is a varint there, of up to ten bytes.
#[cfg(feature = "serde")]
serde_laws!(postcard, serde_message, |length| {
    let (mut bytes, mut rest) = (Vec::new(), length);
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
});

// A length is eight bytes there.
#[cfg(feature = "bincode")]
serde_laws!(bincode, bincode_message, |length| length.to_le_bytes().to_vec());

// -------------------------------------------------------------------------------------------------------------- prost

#[cfg(feature = "prost")]
mod prost {
    use super::*;
    use ::proptest::prelude::*;

    #[derive(Clone, PartialEq, ::prost::Message)]
    struct Order {
        #[prost(uint64, tag = "1")]
        id: u64,
        #[prost(string, tag = "2")]
        name: String,
        #[prost(sint64, repeated, tag = "3")]
        parts: Vec<i64>,
        #[prost(message, optional, boxed, tag = "4")]
        parent: Option<Box<Order>>,
        #[prost(bytes = "vec", tag = "5")]
        blob: Vec<u8>,
    }

    rust_messenger::prost_message!(Order, 1);

    fn order() -> impl Strategy<Value = Order> {
        let leaf = (any::<u64>(), text(), proptest::collection::vec(any::<i64>(), 0..20), any::<Vec<u8>>())
            .prop_map(|(id, name, parts, blob)| Order { id, name, parts, parent: None, blob });
        (leaf.clone(), proptest::option::of(leaf))
            .prop_map(|(order, parent)| Order { parent: parent.map(Box::new), ..order })
    }

    #[test]
    fn there_and_back() {
        let wire = std::cell::RefCell::new(Wire::new());
        proptest!(cases(), |(order in order())| wire.borrow_mut().there_and_back(&order));
        let mut wire = wire.into_inner();
        // The default value has no bytes at all.
        assert_eq!(Order::default().get_size(), 0);
        wire.there_and_back(&Order::default());
    }

    /// A part that ends between two fields is a message, with fewer fields: protocol buffers have no end mark.
    #[test]
    fn a_part_of_a_message_is_an_error_or_another_message() {
        proptest!(cases(), |(order in order())| {
            let bytes = encoded(&order);
            for end in 0..bytes.len() {
                if let Ok(part) = Order::try_deserialize_from(&bytes[..end]) {
                    prop_assert_ne!(part, order.clone());
                }
            }
        });
    }

    #[test]
    fn more_than_a_message() {
        let order = Order { id: 7, ..Order::default() };
        // No field has the number 0.
        assert!(Order::try_deserialize_from(&[encoded(&order), vec![0]].concat()).is_err());
        // A field that this program does not know comes from a newer one, and is stepped over.
        assert_eq!(Order::try_deserialize_from(&[encoded(&order), vec![0x78, 1]].concat()), Ok(order));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error() {
        proptest!(cases(), |(bytes: Vec<u8>)| {
            let _ = Order::try_deserialize_from(&bytes);
        });
        proptest!(cases(), |(order in order(), at: proptest::sample::Index, byte: u8)| {
            let mut bytes = encoded(&Order { id: 1, ..order });
            *at.get_mut(&mut bytes) = byte;
            let _ = Order::try_deserialize_from(&bytes);
        });
    }

    #[test]
    fn a_length_reserves_nothing_on_its_own_word() {
        // Fields 2 to 5 with a length of 2^63 - 1, and of 2^31 - 1.
        for claim in [[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F].as_slice(), &[0xFF, 0xFF, 0xFF, 0xFF, 7]] {
            for field in 2..=5 {
                let bytes = [&[field << 3 | 2], claim, &[1; 40]].concat();
                let largest = largest_allocation(|| assert!(Order::try_deserialize_from(&bytes).is_err()));
                assert!(largest <= 1024, "{largest} bytes for field {field}");
            }
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let mut bytes = Vec::new();
        for _ in 0..1000 {
            let mut outer = vec![4 << 3 | 2];
            ::prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
            outer.append(&mut bytes);
            bytes = outer;
        }
        let error = Order::try_deserialize_from(&bytes).unwrap_err();
        assert!(error.to_string().contains("recursion"), "{error}");
    }
}

// ---------------------------------------------------------------------------------------------------------- zero_copy

#[cfg(feature = "zero_copy")]
mod zero_copy {
    use super::*;
    use rust_messenger::SendInPlace;
    use rust_messenger::testing::Recorder;
    use rust_messenger::traits::Report;
    use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, TryFromBytes};

    #[derive(Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable)]
    #[repr(C)]
    struct Tick {
        price: u64,
        size: u32,
        venue: [u8; 4],
    }
    rust_messenger::zero_copy_message!(Tick, 1);

    /// Not every byte is one of these.
    #[derive(Debug, PartialEq, TryFromBytes, IntoBytes, KnownLayout, Immutable)]
    #[repr(u8)]
    enum Side {
        Buy = 1,
        Sell = 2,
    }

    /// Has patterns that are no value, but the zero pattern is one.
    #[derive(Debug, PartialEq, FromZeros, IntoBytes, KnownLayout, Immutable)]
    #[repr(C)]
    struct Flag {
        number: u32,
        raised: bool,
        rest: [u8; 3],
    }
    rust_messenger::zero_copy_message!(Flag, 2);
    rust_messenger::zero_copy_message!(Side, 3);

    #[derive(Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable)]
    #[repr(C)]
    struct Byte(u8);
    rust_messenger::zero_copy_message!(Byte, 4);

    #[derive(Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable)]
    #[repr(C)]
    struct Nothing;
    rust_messenger::zero_copy_message!(Nothing, 5);

    /// Bytes where the bus would put them: aligned to 8.
    #[repr(C, align(8))]
    struct Aligned<const N: usize>([u8; N]);

    #[test]
    fn there_and_back_and_always_aligned() {
        let mut wire = Wire::new();
        for number in 0..5000_u32 {
            let tick = Tick { price: u64::MAX - u64::from(number), size: number, venue: *b"XSTO" };
            // Odd sizes in between, so that the next one would be askew if anything were.
            wire.there_and_back(&Byte(number as u8));
            wire.there_and_back(&tick);
            wire.there_and_back(&Flag { number, raised: number % 2 == 0, rest: [1, 2, 3] });
            wire.there_and_back(&Nothing);
            wire.there_and_back(&if number % 3 == 0 { Side::Buy } else { Side::Sell });
            if cfg!(miri) && number == 20 {
                break;
            }
        }
    }

    #[test]
    fn a_pattern_that_is_no_value_is_an_error() {
        let bytes = Aligned([1, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(Flag::decode(&bytes.0), Ok(&Flag { number: 1, raised: true, rest: [0; 3] }));
        for bad in 2..=u8::MAX {
            let bytes = Aligned([1, 0, 0, 0, bad, 0, 0, 0]);
            assert!(Flag::decode(&bytes.0).is_err(), "{bad} is no bool");
        }
        assert_eq!(Side::decode(&[2]), Ok(&Side::Sell));
        for bad in [0, 3, 255] {
            assert!(Side::decode(&[bad]).is_err(), "{bad} is no side");
        }
    }

    #[test]
    fn another_length_is_an_error() {
        let bytes = Aligned([0; 64]);
        for length in (0..64).filter(|&length| length != size_of::<Tick>()) {
            assert!(Tick::decode(&bytes.0[..length]).is_err(), "{length} bytes");
        }
        assert!(Nothing::decode(&[0]).is_err());
    }

    #[test]
    fn askew_is_an_error() {
        let bytes = Aligned([0; 32]);
        for offset in 1..8 {
            assert!(Tick::decode(&bytes.0[offset..offset + size_of::<Tick>()]).is_err(), "at {offset}");
        }
    }

    #[test]
    fn in_place_begins_with_zeros() {
        let recorder = Recorder::new();
        Source::send_in_place::<Tick, _>(&recorder, |tick| {
            assert_eq!(*tick, Tick { price: 0, size: 0, venue: [0; 4] });
            tick.price = 7;
        });
        Source::send_in_place::<Flag, _>(&recorder, |flag| flag.raised = true);
        assert_eq!(recorder.sent::<Tick>(), [&Tick { price: 7, size: 0, venue: [0; 4] }]);
        assert_eq!(recorder.sent::<Flag>(), [&Flag { number: 0, raised: true, rest: [0; 3] }]);
        assert_eq!(recorder.reports().count(), 0);
    }

    #[test]
    fn in_place_without_room_is_reported() {
        let recorder = Recorder::new().with_max_payload(511);
        #[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
        #[repr(C)]
        struct Large([u64; 64]);
        rust_messenger::zero_copy_message!(Large, 6);
        Source::send_in_place::<Large, _>(&recorder, |_| panic!("there is nowhere to put it"));
        let reports: Vec<_> = recorder.reports().collect();
        match reports[..] {
            [Report::Unsent { source: 1, message: 6, error: WriteError::TooLarge { size: 512, max: 511 } }] => {}
            _ => panic!("{reports:?}"),
        };
    }
}

// ------------------------------------------------------------------------------------------------ hand-written decode

/// A hand-written `deserialize_from` panics on bytes that are no such message; the bus must not.
#[test]
fn a_panic_of_a_hand_written_decode_is_an_error() {
    #[derive(Debug)]
    struct Picky;

    impl DeserializeFrom for Picky {
        fn deserialize_from(buffer: &[u8]) -> Self {
            match buffer {
                [] => panic!("nothing there"),
                [0] => std::panic::panic_any(7),
                _ => panic!("{} bytes", buffer.len()),
            }
        }
    }

    assert_eq!(Picky::try_deserialize_from(&[]).unwrap_err(), DecodeError::new("nothing there"));
    assert_eq!(Picky::try_deserialize_from(&[1, 2]).unwrap_err(), DecodeError::new("2 bytes"));
    assert_eq!(Picky::try_deserialize_from(&[0]).unwrap_err(), DecodeError::new("a panic without a text"));
}
