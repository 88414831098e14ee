//! Handlers and ids in several crates, here modules. Each crate has an enum of its own for its ids, in a range of its
//! own; the crate with the table sees them all, and does not compile if two of them are equal.

use rust_messenger::prelude::*;

/// The crate that all others depend on: the messages.
mod messages {
    use rust_messenger::prelude::*;
    messenger_id_enum!(MessageId { Order = 1, Fill = 2 });

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Order(pub u32);
    serde_message!(Order, MessageId::Order);

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Fill(pub u32);
    serde_message!(Fill, MessageId::Fill);
}

/// A crate of handlers.
mod trading {
    use super::messages::{Fill, Order};
    use rust_messenger::prelude::*;
    messenger_id_enum!(HandlerId { Trader = 100, Venue = 101 });

    #[derive(Default)]
    pub struct Trader;
    handler!(Trader, HandlerId::Trader, default);

    #[derive(Default)]
    pub struct Venue;
    handler!(Venue, HandlerId::Venue, default);

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
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    let handles = messenger.run(&());
    Trader::send(&Order(7), &messenger.writer()?);
    handles.join()?;
    Ok(())
}
