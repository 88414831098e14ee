//! Orders on their way to devices, and the devices.

use crate::messages::{Approved, Done, HandlerId, Morning, Order, Refused};
use rust_messenger::prelude::*;
use std::collections::{BTreeSet, VecDeque};

/// Refuses orders over the limit of the day.
#[derive(Default)]
pub struct Guard {
    limit: u32,
}
handler!(Guard, HandlerId::Guard, default);

impl Handle<Morning> for Guard {
    fn handle<W: Writer>(&mut self, morning: &Morning, _: &W) {
        self.limit = morning.limit;
    }
}

impl Handle<Order> for Guard {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        if order.percent <= self.limit {
            Self::send(&Approved { order: Some(order.clone()) }, writer);
        } else {
            let reason = format!("{} at {} %, and {} % are allowed", order.device, order.percent, self.limit);
            Self::send(&Refused { number: order.number, reason }, writer);
        }
    }
}

/// The devices' line takes so many orders at a time.
pub const AT_A_TIME: usize = 4;

/// Passes orders on in their order, and no more at a time than the line takes.
#[derive(Default)]
pub struct Gateway {
    waiting: VecDeque<Order>,
    open: BTreeSet<u64>,
}
handler!(Gateway, HandlerId::Gateway, default);

impl Gateway {
    fn pass_on<W: Writer>(&mut self, writer: &W) {
        while self.open.len() < AT_A_TIME
            && let Some(order) = self.waiting.pop_front()
        {
            self.open.insert(order.number);
            Self::send(&order, writer);
        }
    }
}

impl Handle<Approved> for Gateway {
    fn handle<W: Writer>(&mut self, approved: &Approved, writer: &W) {
        self.waiting.extend(approved.order.clone());
        self.pass_on(writer);
    }
}

impl Handle<Done> for Gateway {
    fn handle<W: Writer>(&mut self, done: &Done, writer: &W) {
        self.open.remove(&done.number);
        self.pass_on(writer);
    }
}

/// Plays the heater and the valve.
#[derive(Default)]
pub struct Device;
handler!(Device, HandlerId::Device, default);

impl Handle<Order> for Device {
    fn handle<W: Writer>(&mut self, order: &Order, writer: &W) {
        Self::send(&Done { number: order.number }, writer);
    }
}
