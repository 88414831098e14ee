//! Three handlers on two workers talk over the bus and end by themselves.
//!
//! The messages are serde types in bincode, wired by hand with the three message traits: this is what the one-line
//! macros write for you, and what code from before those macros looks like.
//!
//! ```sh
//! cargo run --example serde_bincode
//! ```

mod config {
    /// What handlers are made from. Every worker gets a clone.
    #[derive(Clone)]
    pub struct Config {
        pub greeting: String,
        /// The volley ends at this value.
        pub last: u16,
    }
}

mod messages {
    use rust_messenger::traits;

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    pub struct MessageA {
        pub val: u16,
    }

    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    pub struct MessageB {
        pub other_val: u16,
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
}

mod handlers {
    use crate::config::Config;
    use crate::messages::{MessageA, MessageB};
    use rust_messenger::traits::{Handle, Handler, New, Sender, Writer};

    rust_messenger::messenger_id_enum!(
        HandlerId {
            HandlerA = 1,
            HandlerB = 2,
            HandlerC = 3,
        }
    );

    /// Serves, and returns every A with a B.
    pub struct HandlerA {
        last: u16,
    }

    impl Handler for HandlerA {
        type Id = HandlerId;
        const ID: HandlerId = HandlerId::HandlerA;

        fn on_start<W: Writer>(&mut self, writer: &W) {
            Self::send(&MessageB { other_val: 0 }, writer);
        }
    }

    impl New<Config> for HandlerA {
        fn new<W: Writer>(config: &Config, _: &W) -> Self {
            println!("{}", config.greeting);
            HandlerA { last: config.last }
        }
    }

    impl Handle<MessageA> for HandlerA {
        fn handle<W: Writer>(&mut self, message: &MessageA, writer: &W) {
            if message.val < self.last {
                Self::send(&MessageB { other_val: message.val + 1 }, writer);
            } else {
                writer.stop();
            }
        }
    }

    /// Returns every B with an A.
    pub struct HandlerB;

    impl Handler for HandlerB {
        type Id = HandlerId;
        const ID: HandlerId = HandlerId::HandlerB;
    }

    impl New<Config> for HandlerB {
        fn new<W: Writer>(_: &Config, _: &W) -> Self {
            HandlerB
        }
    }

    impl Handle<MessageB> for HandlerB {
        fn handle<W: Writer>(&mut self, message: &MessageB, writer: &W) {
            Self::send(&MessageA { val: message.other_val + 1 }, writer);
        }
    }

    /// Keeps the score, on a thread of its own.
    pub struct HandlerC {
        seen: u16,
    }

    impl Handler for HandlerC {
        type Id = HandlerId;
        const ID: HandlerId = HandlerId::HandlerC;

        fn on_stop(&mut self) {
            println!("HandlerC saw {} messages", self.seen);
        }
    }

    impl New<Config> for HandlerC {
        fn new<W: Writer>(_: &Config, _: &W) -> Self {
            HandlerC { seen: 0 }
        }
    }

    impl Handle<MessageA> for HandlerC {
        fn handle<W: Writer>(&mut self, message: &MessageA, _: &W) {
            self.seen += 1;
            println!("HandlerC received {message:?}");
        }
    }
}

rust_messenger::Messenger! {
    config::Config,
    WorkerA:
        handlers: [ handler_a: handlers::HandlerA, handler_b: handlers::HandlerB ]
        routes: [
            handlers::HandlerA, messages::MessageB: [ handler_b ],
            handlers::HandlerB, messages::MessageA: [ handler_a ],
        ]
    WorkerB:
        handlers: [ handler_c: handlers::HandlerC ]
        routes: [ handlers::HandlerB, messages::MessageA: [ handler_c ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = config::Config { greeting: "Hello from the config".to_owned(), last: 9 };
    let messenger = Messenger::new(rust_messenger::CircularBus::new(64 * 1024)?);
    let handles = messenger.run(&config);
    handles.join()?;
    println!("{}", Messenger::graph());
    Ok(())
}
