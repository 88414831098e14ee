//! Handlers and ids in several crates, here modules. Each crate has an enum of its own for its ids, in a range of its
//! own; the crate with the table sees them all, and does not compile if two of them are equal.

use rust_messenger::{CircularBus, Messenger};

/// The crate that all others depend on: the messages.
mod messages {
    rust_messenger::messenger_id_enum!(MessageId { Order = 1, Fill = 2 });

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Order(pub u32);
    rust_messenger::serde_message!(Order, MessageId::Order);

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Fill(pub u32);
    rust_messenger::serde_message!(Fill, MessageId::Fill);
}

/// A crate of handlers.
mod trading {
    use super::messages::{Fill, Order};
    use rust_messenger::traits::{Handle, Handler, New, Sender, Writer};
    rust_messenger::messenger_id_enum!(HandlerId { Trader = 100, Venue = 101 });

    macro_rules! handler {
        ($handler:ident { $($start:tt)* }) => {
            pub struct $handler;
            impl Handler for $handler { type Id = HandlerId; const ID: HandlerId = HandlerId::$handler; $($start)* }
            impl<C> New<C> for $handler { fn new<W: Writer>(_: &C, _: &W) -> Self { $handler } }
        };
    }
    handler!(Trader { fn on_start<W: Writer>(&mut self, writer: &W) { Self::send(&Order(7), writer); } });
    handler!(Venue {});

    impl Handle<Order> for Venue {
        fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
            Self::send(&Fill(order.0), writer);
        }
    }
    impl Handle<Fill> for Trader {
        fn handle<W: Writer>(&mut self, fill: &Fill, writer: &W) {
            println!("filled: {}", fill.0);
            writer.stop();
        }
    }
}

use {messages::Fill, messages::Order, trading::Trader, trading::Venue};
Messenger! {
    (),
    Floor: handlers: [ trader: Trader, venue: Venue ] routes: [ Trader, Order: [ venue ], Venue, Fill: [ trader ] ]
}

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    Messenger::new(CircularBus::new(64 * 1024)?).run(&()).join()?;
    Ok(())
}
