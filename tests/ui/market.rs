//! What the cases share: a feed, a strategy that trades on its ticks, and a gateway for the orders.

#![allow(dead_code)]

use rust_messenger::traits::{Handle, Handler, New, Writer};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Config;

#[derive(Serialize, Deserialize)]
pub struct Tick;
rust_messenger::serde_message!(Tick, 1);

#[derive(Serialize, Deserialize)]
pub struct Order;
rust_messenger::serde_message!(Order, 2);

rust_messenger::messenger_id_enum!(HandlerId { Feed = 1, Strategy = 2, Gateway = 3 });

macro_rules! handler {
    ($name:ident) => {
        pub struct $name;

        impl Handler for $name {
            type Id = HandlerId;
            const ID: HandlerId = HandlerId::$name;
        }

        impl New<Config> for $name {
            fn new<W: Writer>(_: &Config, _: &W) -> Self {
                $name
            }
        }
    };
}

handler!(Feed);
handler!(Strategy);
handler!(Gateway);

impl Handle<Tick> for Strategy {
    fn handle<W: Writer>(&mut self, _: &Tick, _: &W) {}
}

impl Handle<Order> for Gateway {
    fn handle<W: Writer>(&mut self, _: &Order, _: &W) {}
}
