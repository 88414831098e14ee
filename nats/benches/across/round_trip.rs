//! How long a message takes to another machine and its answer takes back, in microseconds: one at a time, the median.

use crate::alone::{Publisher, context, make, runtime};
use crate::outward::names;
use crate::support::{Server, wait_until};
use futures_util::StreamExt;
use rust_messenger::message_bus::wait::Park;
use rust_messenger::message_bus::{ManyWriters, RingOptions};
use rust_messenger::messenger::Options;
use rust_messenger::prelude::*;
use rust_messenger::routing::Placement;
use rust_messenger_nats::async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use rust_messenger_nats::async_nats::jetstream::context::Context;
use rust_messenger_nats::protocol::Names;
use rust_messenger_nats::{Bridge, BridgeOptions};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// As many bytes as the smallest message of the other questions.
const SIZE: usize = crate::SIZES[0];

/// Those before are not measured.
const WARM: usize = 20;

#[derive(serde::Serialize, serde::Deserialize)]
struct Ball([u8; SIZE]);
rust_messenger::serde_message!(Ball, 1);

#[derive(Clone)]
struct Config {
    trips: usize,
    done: Sender<Vec<f64>>,
}

/// Serves the next ball when one is back.
struct West {
    config: Config,
    since: Instant,
    took: Vec<f64>,
}
handler!(West, 2);

impl New<Config> for West {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        West { config: config.clone(), since: Instant::now(), took: Vec::new() }
    }
}

impl Handle<Ball> for West {
    fn handle<W: Writer>(&mut self, ball: &Ball, writer: &W) {
        self.took.push(micros(self.since));
        if self.took.len() == self.config.trips + WARM {
            // Nobody waits for it where the bench has failed.
            let _ = self.config.done.send(std::mem::take(&mut self.took));
        } else {
            self.since = Instant::now();
            Self::send(ball, writer);
        }
    }
}

struct East;
handler!(East, 3);

impl New<Config> for East {
    fn new<W: Writer>(_: &Config, _: &W) -> Self {
        East
    }
}

impl Handle<Ball> for East {
    fn handle<W: Writer>(&mut self, ball: &Ball, writer: &W) {
        Self::send(ball, writer);
    }
}

Messenger! {
    Config,
    Here:
        handlers: [ west: West ]
        routes: [ East, Ball: [ west ] ]
    There:
        handlers: [ east: East ]
        routes: [ West, Ball: [ east ] ]
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

fn typical(took: &[f64]) -> f64 {
    crate::median(took[WARM..].to_vec())
}

pub fn bridge(server: &Server, round: usize, trips: usize) -> f64 {
    let (done, took): (_, Receiver<Vec<f64>>) = channel();
    let config = Config { trips, done };
    let table = Messenger::<()>::table();
    let nodes = ["west", "east"].map(|side| format!("{side}-{round}"));
    let started = nodes.each_ref().map(|node| {
        let placed = Placement::new().worker("Here", &nodes[0]).worker("There", &nodes[1]).on(node, table).unwrap();
        let options = Options { workers: Some(placed.workers().to_vec()), ..Options::default() };
        // Workers that sleep: whoever yields instead is late on a busy machine, where the other side of this does not.
        let bus = CircularBus::<ManyWriters, Park>::with_options(RingOptions::default()).unwrap();
        let messenger = Messenger::with_options(bus, options);
        let options = BridgeOptions::ring(&server.url(), names(node));
        let bridge = Bridge::start(&messenger, table, &placed, options).unwrap();
        let handles = messenger.run(&config);
        (messenger, bridge, handles)
    });
    for (_, bridge, _) in &started {
        wait_until("both ways", || {
            let stats = bridge.stats();
            stats.out.unwrap().is_running && stats.sources[0].is_running
        });
    }
    // As if one had come back.
    East::send(&Ball([7; SIZE]), &started[0].0.writer().unwrap());
    let took = took.recv_timeout(Duration::from_secs(100)).unwrap();
    for (messenger, _bridge, handles) in started {
        messenger.stop();
        handles.join().unwrap();
    }
    typical(&took)
}

async fn read(context: &Context, names: &Names) -> Ordered {
    let stream = context.get_stream(names.stream()).await.unwrap();
    stream.create_consumer(OrderedConfig::default()).await.unwrap().messages().await.unwrap()
}

pub fn alone(server: &Server, round: usize, trips: usize) -> f64 {
    let (west, east) = (names(&format!("west-alone-{round}")), names(&format!("east-alone-{round}")));
    let url = server.url();
    runtime().block_on(async {
        let context = context(&url).await;
        make(&context, &west).await;
        make(&context, &east).await;
    });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            runtime().block_on(async {
                let context = context(&url).await;
                let (mut arrivals, mut publisher) = (read(&context, &west).await, Publisher::new(context, &east));
                for _ in 0..trips + WARM {
                    let ball = arrivals.next().await.unwrap().unwrap();
                    publisher.publish(ball.payload.clone()).await;
                }
                publisher.finish().await;
            });
        });
        runtime().block_on(async {
            let context = context(&url).await;
            let (mut arrivals, mut publisher) = (read(&context, &east).await, Publisher::new(context, &west));
            let mut took = Vec::new();
            for _ in 0..trips + WARM {
                let since = Instant::now();
                publisher.publish(vec![7; SIZE].into()).await;
                arrivals.next().await.unwrap().unwrap();
                took.push(micros(since));
            }
            publisher.finish().await;
            typical(&took)
        })
    })
}
