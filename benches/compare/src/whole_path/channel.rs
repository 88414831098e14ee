//! A std channel of the enum of all messages, and a thread that matches: what one writes without a framework.

use super::{Meter, Order, Path};
use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// As many messages as the small rings of the other workloads hold.
const ROOM: usize = 1 << 14;

enum Message {
    Order(Order),
    Answer(Order),
    Stop,
}

pub struct Channel;

/// What an actor of that kind does with a message: what it answers, or None at the end.
fn answered(meter: &mut Meter, message: Message) -> Option<Message> {
    match message {
        Message::Order(order) => Some(Message::Answer(order)),
        Message::Answer(order) if meter.see(&order) => None,
        Message::Answer(_) => Some(Message::Order(Order::number(meter.next))),
        Message::Stop => None,
    }
}

impl Path for Channel {
    fn outside(mut meter: Meter) {
        let (sender, receiver) = sync_channel(ROOM);
        let total = meter.total;
        let sink = thread::spawn(move || {
            for message in receiver {
                match message {
                    Message::Order(order) | Message::Answer(order) => {
                        if meter.see(&order) {
                            break;
                        }
                    }
                    Message::Stop => break,
                }
            }
        });
        for number in 0..total {
            sender.send(Message::Order(Order::number(number))).expect("the receiver waits for the last one");
        }
        sink.join().expect("every order is as it was sent");
    }

    /// A queue of one's own: within one thread nobody needs a channel.
    fn in_one(mut meter: Meter) {
        let mut queue = VecDeque::from([Message::Order(Order::number(0))]);
        while let Some(message) = queue.pop_front() {
            queue.extend(answered(&mut meter, message));
        }
    }

    fn between(mut meter: Meter) {
        let (asks, asked) = sync_channel(ROOM);
        let (answers, answer) = sync_channel(ROOM);
        let mut other = meter.clone();
        let right = thread::spawn(move || {
            while let Ok(Message::Order(order)) = asked.recv() {
                forward(&answers, answered(&mut other, Message::Order(order)));
            }
        });
        asks.send(Message::Order(Order::number(0))).expect("the other side waits");
        while let Ok(message) = answer.recv() {
            let Some(message) = answered(&mut meter, message) else { break };
            forward(&asks, Some(message));
        }
        forward(&asks, Some(Message::Stop));
        right.join().expect("the other side ends");
    }
}

fn forward(to: &SyncSender<Message>, message: Option<Message>) {
    if let Some(message) = message {
        to.send(message).expect("the other side waits");
    }
}
