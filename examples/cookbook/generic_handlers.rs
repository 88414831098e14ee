//! Generic handlers: one handler for several messages, and for several places in the table.
//!
//! Each type in the table is a source with an id of its own, so what distinguishes them gives the id.

use rust_messenger::prelude::*;
use rust_messenger::traits::{ExtendedMessage, Message};
use std::fmt::Debug;
use std::marker::PhantomData;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Bid(u32);
serde_message!(Bid, 1);

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Ask(u32);
serde_message!(Ask, 2);

/// Shows any message that can be shown. The handler's id is that of its message.
struct Show<M>(PhantomData<fn(M)>);
impl<M: Message<Id = u16>> Handler for Show<M> {
    type Id = u16;
    const ID: u16 = M::ID;
}
impl<M: Message<Id = u16>> New<()> for Show<M> {
    fn new<W: Writer>(_: &(), _: &W) -> Self {
        Show(PhantomData)
    }
}
impl<M: Message<Id = u16> + Debug> Handle<M> for Show<M> {
    fn handle<W: Writer>(&mut self, message: &M, _: &W) {
        println!("{message:?}");
    }
}

/// Whatever sends messages from outside.
struct Market;
handler!(Market, 10);

fn quote<M: ExtendedMessage>(message: M, writer: &impl Writer) {
    Market::send(&message, writer);
}

Messenger! {
    (),
    Worker:
        handlers: [ bids: Show<Bid>, asks: Show<Ask> ]
        routes: [ Market, Bid: [ bids ], Market, Ask: [ asks ] ]
}

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(64 * 1024)?);
    let (handles, writer) = (messenger.run(&()), messenger.writer()?);
    quote(Bid(99), &writer);
    quote(Ask(101), &writer);
    messenger.stop();
    handles.join()?;
    Ok(())
}
