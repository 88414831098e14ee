//! How many messages of a stream arrive in a second, in thousands, from the first to the last.

use crate::alone::{context, runtime};
use crate::outward::{names, ring};
use crate::support::{Server, catalog};
use futures_util::StreamExt;
use rust_messenger::traits::{MessageBus, Next, Reader};
use rust_messenger_nats::Inlet;
use rust_messenger_nats::async_nats::jetstream::consumer::pull::OrderedConfig;
use std::time::{Duration, Instant};

fn rate(messages: usize, first: Option<Instant>) -> f64 {
    (messages - 1) as f64 / first.unwrap().elapsed().as_secs_f64() / 1000.0
}

/// Up to a reader of the bus.
pub fn bridge(server: &Server, node: &str, reader: &str, messages: usize) -> f64 {
    let (bus, options) = ring(server, reader);
    let mut worker = bus.subscribe("worker").unwrap();
    let inlet = Inlet::start(&bus, [(node.to_owned(), catalog())], options).unwrap();
    let (mut count, mut first) = (0, None);
    while count < messages {
        worker.wait(Some(Duration::from_secs(1)));
        let _ = worker.try_read_up_to(usize::MAX, |_, _| {
            first.get_or_insert_with(Instant::now);
            count += 1;
            Next::Go
        });
        assert!(!inlet.has_ended());
    }
    rate(messages, first)
}

pub fn alone(server: &Server, node: &str, messages: usize) -> f64 {
    runtime().block_on(async {
        let stream = context(&server.url()).await.get_stream(names(node).stream()).await.unwrap();
        let consumer = stream.create_consumer(OrderedConfig::default()).await.unwrap();
        let mut arrivals = consumer.messages().await.unwrap();
        // The hello.
        arrivals.next().await.unwrap().unwrap();
        let mut first = None;
        for _ in 0..messages {
            arrivals.next().await.unwrap().unwrap();
            first.get_or_insert_with(Instant::now);
        }
        rate(messages, first)
    })
}
