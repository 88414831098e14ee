//! The vocabulary as users write it: messages by hand and in one line, in all encodings, mixed in one table; ids of
//! all kinds. Everything here runs through a real messenger.

use rust_messenger::traits::{
    self, DeserializeFrom, ExtendedMessage, Handle, Handler, Message, New, Report, Sender, Writer,
};
use rust_messenger::{CircularBus, Options};
use std::sync::{Arc, Mutex};

/// What was received, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs a table to its end, and returns what its handlers noted.
macro_rules! log_of {
    ($table:ident) => {{
        let log = Log::default();
        let messenger = $table::new(CircularBus::new(16 * 1024).unwrap());
        messenger.run(&log).join().unwrap();
        log.lines()
    }};
}

/// A handler that is made from the log.
macro_rules! handler {
    ($handler:ident, $id:literal $(, $on_start:item)?) => {
        struct $handler {
            #[allow(dead_code)]
            log: Log,
        }

        impl Handler for $handler {
            type Id = u16;
            const ID: u16 = $id;
            $($on_start)?
        }

        impl New<Log> for $handler {
            fn new<W: Writer>(log: &Log, _: &W) -> Self {
                $handler { log: log.clone() }
            }
        }
    };
}

// ------------------------------------------------------------------------------------------------------------ by hand

/// The traits of a serde message by hand, with bincode 1.3 as a dependency of the user's own.
mod by_hand_with_bincode {
    use super::*;

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct MessageA {
        val: u16,
    }

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct MessageB {
        other_val: u16,
        text: String,
    }

    rust_messenger::messenger_id_enum!(
        MessageId {
            MessageA = 0,
            MessageB = 1,
        }
    );

    macro_rules! impl_message_traits {
        ($type:ty, $id:expr) => {
            impl traits::Message for $type {
                type Id = MessageId;
                const ID: MessageId = $id;
            }

            impl traits::DeserializeFrom for $type {
                fn deserialize_from(buffer: &[u8]) -> Self {
                    bincode::deserialize(buffer).unwrap()
                }
            }

            impl traits::ExtendedMessage for $type {
                fn get_size(&self) -> usize {
                    bincode::serialized_size(self).unwrap() as usize
                }

                fn write_into(&self, buffer: &mut [u8]) {
                    bincode::serialize_into(buffer, self).unwrap();
                }
            }
        };
    }

    impl_message_traits!(MessageA, MessageId::MessageA);
    impl_message_traits!(MessageB, MessageId::MessageB);

    handler!(
        HandlerA,
        1,
        fn on_start<W: Writer>(&mut self, writer: &W) {
            Self::send(&MessageB { other_val: 0, text: "first".to_owned() }, writer);
        }
    );
    handler!(HandlerB, 2);

    impl Handle<MessageA> for HandlerA {
        fn handle<W: Writer>(&mut self, message: &MessageA, writer: &W) {
            self.log.note(format!("{message:?}"));
            writer.stop();
        }
    }

    impl Handle<MessageB> for HandlerB {
        fn handle<W: Writer>(&mut self, message: &MessageB, writer: &W) {
            self.log.note(format!("{message:?}"));
            Self::send(&MessageA { val: message.other_val + 1 }, writer);
        }
    }

    rust_messenger::Messenger! {
        Log,
        WorkerA: handlers: [ a: HandlerA ] routes: [ HandlerB, MessageA: [ a ] ]
        WorkerB: handlers: [ b: HandlerB ] routes: [ HandlerA, MessageB: [ b ] ]
    }

    #[test]
    fn is_delivered() {
        assert_eq!(log_of!(Messenger), [r#"MessageB { other_val: 0, text: "first" }"#, "MessageA { val: 1 }"]);
    }

    #[test]
    fn bytes_of_another_message_are_an_error() {
        assert!(MessageB::try_deserialize_from(&[1, 2, 3]).unwrap_err().to_string().starts_with("undecodable: "));
    }
}

/// The same with prost as a dependency of the user's own.
mod by_hand_with_prost {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct MessageA {
        #[prost(uint32, tag = "1")]
        val: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct MessageB {
        #[prost(uint32, tag = "1")]
        other_val: u32,
        #[prost(string, tag = "2")]
        text: String,
    }

    rust_messenger::messenger_id_enum!(
        MessageId {
            MessageA = 0,
            MessageB = 1,
        }
    );

    macro_rules! impl_message_traits {
        ($type:ty, $id:expr) => {
            impl traits::Message for $type {
                type Id = MessageId;
                const ID: MessageId = $id;
            }

            impl traits::DeserializeFrom for $type {
                fn deserialize_from(buffer: &[u8]) -> Self {
                    prost::Message::decode(buffer).unwrap()
                }
            }

            impl traits::ExtendedMessage for $type {
                fn get_size(&self) -> usize {
                    prost::Message::encoded_len(self)
                }

                fn write_into(&self, mut buffer: &mut [u8]) {
                    prost::Message::encode_raw(self, &mut buffer);
                }
            }
        };
    }

    impl_message_traits!(MessageA, MessageId::MessageA);
    impl_message_traits!(MessageB, MessageId::MessageB);

    handler!(
        HandlerA,
        1,
        fn on_start<W: Writer>(&mut self, writer: &W) {
            Self::send(&MessageB { other_val: 0, text: "first".to_owned() }, writer);
        }
    );
    handler!(HandlerB, 2);

    impl Handle<MessageA> for HandlerA {
        fn handle<W: Writer>(&mut self, message: &MessageA, writer: &W) {
            self.log.note(format!("{message:?}"));
            writer.stop();
        }
    }

    impl Handle<MessageB> for HandlerB {
        fn handle<W: Writer>(&mut self, message: &MessageB, writer: &W) {
            self.log.note(format!("{message:?}"));
            Self::send(&MessageA { val: message.other_val + 1 }, writer);
        }
    }

    rust_messenger::Messenger! {
        Log,
        WorkerA: handlers: [ a: HandlerA ] routes: [ HandlerB, MessageA: [ a ] ]
        WorkerB: handlers: [ b: HandlerB ] routes: [ HandlerA, MessageB: [ b ] ]
    }

    #[test]
    fn is_delivered() {
        assert_eq!(log_of!(Messenger), [r#"MessageB { other_val: 0, text: "first" }"#, "MessageA { val: 1 }"]);
    }

    #[test]
    fn bytes_of_another_message_are_an_error() {
        assert!(MessageB::try_deserialize_from(&[0xFF]).unwrap_err().to_string().starts_with("undecodable: "));
    }
}

// ----------------------------------------------------------------------------------------------------- what goes wrong

/// A decode written by hand that panics: the message is reported and skipped, and the worker lives.
mod undecodable {
    use super::*;

    /// Is its own number; 13 is not one.
    struct Superstitious(u8);

    impl Message for Superstitious {
        type Id = u16;
        const ID: u16 = 3;
    }

    impl ExtendedMessage for Superstitious {
        fn get_size(&self) -> usize {
            1
        }

        fn write_into(&self, buffer: &mut [u8]) {
            buffer[0] = self.0;
        }
    }

    impl DeserializeFrom for Superstitious {
        fn deserialize_from(buffer: &[u8]) -> Self {
            assert_ne!(buffer[0], 13, "not this one");
            Superstitious(buffer[0])
        }
    }

    handler!(
        Dealer,
        1,
        fn on_start<W: Writer>(&mut self, writer: &W) {
            for number in 12..=14 {
                Self::send(&Superstitious(number), writer);
            }
        }
    );
    handler!(Player, 2);

    impl Handle<Superstitious> for Player {
        fn handle<W: Writer>(&mut self, message: &Superstitious, writer: &W) {
            self.log.note(message.0.to_string());
            if message.0 == 14 {
                writer.stop();
            }
        }
    }

    rust_messenger::Messenger! {
        Log,
        Only: handlers: [ dealer: Dealer, player: Player ] routes: [ Dealer, Superstitious: [ player ] ]
    }

    #[test]
    fn is_reported_and_skipped() {
        let (log, reports) = (Log::default(), Log::default());
        let on_report: Arc<dyn Fn(&Report) + Send + Sync> = {
            let reports = reports.clone();
            Arc::new(move |report| reports.note(report.to_string()))
        };
        let options = Options { on_report: Some(on_report), ..Options::default() };
        let messenger = Messenger::with_options(CircularBus::new(4096).unwrap(), options);
        let summary = messenger.run(&log).join().unwrap();
        assert_eq!(log.lines(), ["12", "14"]);
        assert_eq!(summary.undecodable, 1);
        let [report] = reports.lines().try_into().unwrap();
        assert!(report.starts_with("message 3 from source 1 at position "), "{report}");
        assert!(report.contains("not this one"), "{report}");
    }
}

// ---------------------------------------------------------------------------------------------------------------- ids

/// Ids may be numbers, enums made here, and enums with ideas of their own; all in one table.
mod ids {
    use super::*;

    macro_rules! message {
        ($message:ident, $id_type:ty, $id:expr) => {
            struct $message;

            impl Message for $message {
                type Id = $id_type;
                const ID: $id_type = $id;
            }

            impl ExtendedMessage for $message {
                fn get_size(&self) -> usize {
                    0
                }

                fn write_into(&self, _: &mut [u8]) {}
            }

            impl DeserializeFrom for $message {
                fn deserialize_from(_: &[u8]) -> Self {
                    $message
                }
            }
        };
    }

    rust_messenger::messenger_id_enum! {
        /// Documented, and with another derive.
        #[derive(PartialOrd)]
        Ids {
            /// So is this one.
            First = 1 << 4,
            Second = 0xFFFF,
        }
    }

    /// What a bus carries is `Into<u16>`; the compiler compares what `as u16` says. They need not be the same.
    #[derive(Clone, Copy)]
    enum Own {
        Third,
        Fourth,
    }

    impl From<Own> for u16 {
        fn from(id: Own) -> u16 {
            match id {
                Own::Third => 300,
                Own::Fourth => 400,
            }
        }
    }

    message!(Number, u16, 7);
    message!(First, Ids, Ids::First);
    message!(Second, Ids, Ids::Second);
    message!(Third, Own, Own::Third);
    message!(Fourth, Own, Own::Fourth);

    struct Caller;

    impl Handler for Caller {
        type Id = Own;
        const ID: Own = Own::Fourth;

        fn on_start<W: Writer>(&mut self, writer: &W) {
            Self::send(&Number, writer);
            Self::send(&First, writer);
            Self::send(&Second, writer);
            Self::send(&Third, writer);
            Self::send(&Fourth, writer);
        }
    }

    impl New<Log> for Caller {
        fn new<W: Writer>(_: &Log, _: &W) -> Self {
            Caller
        }
    }

    handler!(Callee, 2);

    macro_rules! handle {
        ($($message:ident),*) => { $(
            impl Handle<$message> for Callee {
                fn handle<W: Writer>(&mut self, _: &$message, writer: &W) {
                    self.log.note(stringify!($message));
                    if stringify!($message) == "Fourth" {
                        writer.stop();
                    }
                }
            }
        )* };
    }

    handle!(Number, First, Second, Third, Fourth);

    rust_messenger::Messenger! {
        Log,
        One: handlers: [ caller: Caller ] routes: []
        Two:
            handlers: [ callee: Callee ]
            routes: [
                Caller, Number: [ callee ],
                Caller, First: [ callee ],
                Caller, Second: [ callee ],
                Caller, Third: [ callee ],
                Caller, Fourth: [ callee ],
            ]
    }

    #[test]
    fn numbers_and_enums_in_one_table() {
        assert_eq!(log_of!(Messenger), ["Number", "First", "Second", "Third", "Fourth"]);
        assert_eq!((u16::from(Ids::First), u16::from(Ids::Second)), (16, 65535));
        assert!(Ids::First < Ids::Second && Ids::First != Ids::Second);
        assert_eq!(format!("{:?}", Ids::First), "First");
    }
}

// ---------------------------------------------------------------------------------------------------- all in one table

/// Every encoding there is, and one by hand, through one table, from a handler and from outside.
#[cfg(all(feature = "serde", feature = "bincode", feature = "prost", feature = "zero_copy"))]
mod mixed {
    use super::*;
    use rust_messenger::SendInPlace;
    use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

    rust_messenger::messenger_id_enum!(Id { Postcard = 1, Bincode = 2, Prost = 3, Plain = 4, ByHand = 5 });

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Postcard(String);
    rust_messenger::serde_message!(Postcard, Id::Postcard);

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Bincode(Vec<u8>);
    rust_messenger::bincode_message!(Bincode, Id::Bincode);

    #[derive(Clone, PartialEq, prost::Message)]
    struct Prost {
        #[prost(sint32, tag = "1")]
        value: i32,
    }
    rust_messenger::prost_message!(Prost, Id::Prost);

    #[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
    #[repr(C)]
    struct Plain {
        price: u64,
    }

    // An id of its own kind, and the form for a type that is a message already.
    impl Message for Plain {
        type Id = Id;
        const ID: Id = Id::Plain;
    }
    rust_messenger::zero_copy_message!(Plain);

    #[derive(Debug)]
    struct ByHand(String);

    impl Message for ByHand {
        type Id = Id;
        const ID: Id = Id::ByHand;
    }

    impl ExtendedMessage for ByHand {
        fn get_size(&self) -> usize {
            self.0.len()
        }

        fn write_into(&self, buffer: &mut [u8]) {
            buffer.copy_from_slice(self.0.as_bytes());
        }
    }

    impl DeserializeFrom for ByHand {
        fn deserialize_from(buffer: &[u8]) -> Self {
            ByHand(String::from_utf8(buffer.to_vec()).unwrap())
        }
    }

    handler!(
        Sending,
        1,
        fn on_start<W: Writer>(&mut self, writer: &W) {
            Self::send(&Postcard("a text".to_owned()), writer);
            Self::send(&Bincode(vec![1, 2, 3]), writer);
            Self::send(&Prost { value: -5 }, writer);
            Self::send(&Plain { price: 6 }, writer);
            Self::send_in_place::<Plain, _>(writer, |plain| plain.price = 7);
            Self::send(&ByHand("by hand".to_owned()), writer);
        }
    );
    handler!(Receiving, 2);

    /// What threads outside write in its name comes last, and stops the messenger.
    struct Outside;

    impl Handler for Outside {
        type Id = u16;
        const ID: u16 = 3;
    }

    impl Handle<Postcard> for Receiving {
        fn handle<W: Writer>(&mut self, message: &Postcard, _: &W) {
            self.log.note(format!("{message:?}"));
        }
    }

    impl Handle<Bincode> for Receiving {
        fn handle<W: Writer>(&mut self, message: &Bincode, _: &W) {
            self.log.note(format!("{message:?}"));
        }
    }

    impl Handle<Prost> for Receiving {
        fn handle<W: Writer>(&mut self, message: &Prost, writer: &W) {
            self.log.note(format!("{message:?}"));
            if message.value == 0 {
                writer.stop();
            }
        }
    }

    impl Handle<Plain> for Receiving {
        fn handle<W: Writer>(&mut self, message: &Plain, _: &W) {
            self.log.note(format!("{message:?}"));
        }
    }

    impl Handle<ByHand> for Receiving {
        fn handle<W: Writer>(&mut self, message: &ByHand, _: &W) {
            self.log.note(format!("{message:?}"));
        }
    }

    rust_messenger::Messenger! {
        Log,
        One: handlers: [ sending: Sending ] routes: []
        Two:
            handlers: [ receiving: Receiving ]
            routes: [
                Sending, Postcard: [ receiving ],
                Sending, Bincode: [ receiving ],
                Sending, Prost: [ receiving ],
                Sending, Plain: [ receiving ],
                Sending, ByHand: [ receiving ],
                Outside, Prost: [ receiving ],
            ]
    }

    #[test]
    fn every_encoding_in_one_table() {
        let log = Log::default();
        let messenger = Messenger::new(CircularBus::new(16 * 1024).unwrap());
        let handles = messenger.run(&log);
        let writer = messenger.writer().unwrap();
        // Outside and inside write to one bus; the end is for when all of the inside has arrived.
        while log.lines().len() < 6 && !handles.is_finished() {
            std::thread::yield_now();
        }
        Outside::send(&Prost::default(), &writer);
        let summary = handles.join().unwrap();
        assert_eq!((summary.unsent, summary.undecodable), (0, 0));
        let expected = [
            r#"Postcard("a text")"#,
            "Bincode([1, 2, 3])",
            "Prost { value: -5 }",
            "Plain { price: 6 }",
            "Plain { price: 7 }",
            r#"ByHand("by hand")"#,
            "Prost { value: 0 }",
        ];
        assert_eq!(log.lines(), expected);
    }
}
