//! Three handlers on two workers talk over the bus and end by themselves.
//!
//! The messages are serde types in bincode, wired by hand with the three message traits: this is what the one-line
//! macros write for you, and what code from before those macros looks like.
//!
//! ```sh
//! cargo run --example serde_bincode
//! ```

mod config {
    /// What handlers are made from; every worker gets a clone. The volley ends at `last`.
    #[derive(Clone)]
    pub struct Config {
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

    rust_messenger::messenger_id_enum!(MessageId { MessageA = 0, MessageB = 1 });

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

    rust_messenger::messenger_id_enum!(HandlerId { HandlerA = 1, HandlerB = 2, HandlerC = 3 });

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

    /// What the other two have in common: an id, and nothing to remember.
    macro_rules! stateless_handler {
        ($handler:ident) => {
            pub struct $handler;

            impl Handler for $handler {
                type Id = HandlerId;
                const ID: HandlerId = HandlerId::$handler;
            }

            impl New<Config> for $handler {
                fn new<W: Writer>(_: &Config, _: &W) -> Self {
                    $handler
                }
            }
        };
    }

    stateless_handler!(HandlerB);
    stateless_handler!(HandlerC);

    impl Handle<MessageB> for HandlerB {
        fn handle<W: Writer>(&mut self, message: &MessageB, writer: &W) {
            Self::send(&MessageA { val: message.other_val + 1 }, writer);
        }
    }

    impl Handle<MessageA> for HandlerC {
        fn handle<W: Writer>(&mut self, message: &MessageA, _: &W) {
            println!("HandlerC received {message:?}");
        }
    }
}

rust_messenger::Messenger! {
    config::Config,
    WorkerA:
        handlers: [ handler_a: handlers::HandlerA, handler_b: handlers::HandlerB ]
        routes: [ handlers::HandlerA, messages::MessageB: [ handler_b ],
                  handlers::HandlerB, messages::MessageA: [ handler_a ] ]
    WorkerB:
        handlers: [ handler_c: handlers::HandlerC ]
        routes: [ handlers::HandlerB, messages::MessageA: [ handler_c ] ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(rust_messenger::CircularBus::new(64 * 1024)?);
    messenger.run(&config::Config { last: 9 }).join()?;
    println!("{}", Messenger::graph());
    Ok(())
}
