//! Data from an async task: a task must not block, so it tries, and lets other tasks run while the bus is full.
//!
//! Any runtime will do. The one below has one task, and polls it again as soon as it yields.

use rust_messenger::messenger::OutsideWriter;
use rust_messenger::prelude::*;
use rust_messenger::traits::{MessageBus, WriteError};
use std::task::{Context, Poll, Waker};

#[derive(serde::Serialize, serde::Deserialize)]
struct Reading(u32);
serde_message!(Reading, 1);

struct Sensor;
handler!(Sensor, 1);

#[derive(Default)]
struct Count(u32);
impl Handler for Count {
    type Id = u16;
    const ID: u16 = 2;
    fn on_stop(&mut self) {
        println!("received {} in order", self.0);
    }
}
impl Handle<Reading> for Count {
    fn handle<W: Writer>(&mut self, reading: &Reading, _: &W) {
        self.0 += u32::from(reading.0 == self.0);
    }
}

Messenger! { (), Worker: handlers: [ count: Count = |_| Count::default() ] routes: [ Sensor, Reading: [ count ] ] }

/// One future for all numbers, which owns the writer: so the task may go from thread to thread.
fn produce<B: MessageBus>(count: u32, writer: OutsideWriter<B>) -> impl Future<Output = Result<(), WriteError>> + Send {
    let mut next = 0;
    std::future::poll_fn(move |context| {
        while next < count {
            match Sensor::try_send(&Reading(next), &writer) {
                Ok(()) => next += 1,
                Err(WriteError::Full) => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    })
}

pub fn main(_: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let messenger = Messenger::new(CircularBus::new(1024)?);
    let handles = messenger.run(&());
    let mut task = std::pin::pin!(produce(1000, messenger.writer()?));
    while task.as_mut().poll(&mut Context::from_waker(Waker::noop()))?.is_pending() {}
    messenger.stop();
    handles.join()?;
    Ok(())
}
