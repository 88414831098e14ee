//! How many messages go into a stream in a second, in thousands, each acknowledged.

use crate::alone::{Publisher, context, make, runtime};
use crate::support::{Server, catalog, wait_until};
use rust_messenger::CircularBus;
use rust_messenger::traits::{MessageBus, Publish};
use rust_messenger_nats::protocol::Names;
use rust_messenger_nats::{BridgeOptions, Outlet};
use std::time::Instant;

pub fn names(node: &str) -> Names {
    Names::new("bench", node).unwrap()
}

/// A ring whose quarter holds a window of the largest messages, and what a bridge of it is told.
pub fn ring(server: &Server, node: &str) -> (CircularBus, BridgeOptions) {
    let mut options = BridgeOptions::ring(&server.url(), names(node));
    // Such a ring allows larger messages than the server.
    options.skip_larger = true;
    (CircularBus::new(32 << 20).unwrap(), options)
}

pub fn bridge(server: &Server, node: &str, size: usize, messages: usize) -> f64 {
    let (bus, options) = ring(server, node);
    let outlet = Outlet::start(&bus, catalog(), options).unwrap();
    wait_until("a stream", || outlet.stats().is_running);
    let (writer, payload) = (bus.writer().unwrap(), vec![7; size]);
    let start = Instant::now();
    for _ in 0..messages {
        writer.write_bytes(1, 2, &payload).unwrap();
    }
    wait_until("acknowledgements", || outlet.stats().acknowledged == messages as u64);
    messages as f64 / start.elapsed().as_secs_f64() / 1000.0
}

pub fn alone(server: &Server, node: &str, size: usize, messages: usize) -> f64 {
    let names = names(node);
    runtime().block_on(async {
        let context = context(&server.url()).await;
        make(&context, &names).await;
        let mut publisher = Publisher::new(context, &names);
        let payload = vec![7; size];
        let start = Instant::now();
        for _ in 0..messages {
            publisher.publish(bytes::Bytes::copy_from_slice(&payload)).await;
        }
        publisher.finish().await;
        messages as f64 / start.elapsed().as_secs_f64() / 1000.0
    })
}
