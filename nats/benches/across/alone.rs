//! What a program does without a bridge: the same streams, headers and window, with async-nats.

use crate::support::catalog;
use rust_messenger_nats::async_nats::HeaderMap;
use rust_messenger_nats::async_nats::jetstream::context::{Context, ContextBuilder, PublishAckFuture};
use rust_messenger_nats::async_nats::jetstream::stream::{Config, DiscardPolicy};
use rust_messenger_nats::protocol::{Entry, Kind, Limits, Link, MessageHead, Names, Origin, Window};
use std::collections::VecDeque;
use std::time::Duration;

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub async fn context(url: &str) -> Context {
    let client = rust_messenger_nats::async_nats::ConnectOptions::new().connect(url).await.unwrap();
    ContextBuilder::new().max_ack_inflight(WINDOW).build(client)
}

pub const WINDOW: usize = 256;

/// As a bridge makes them.
pub async fn make(context: &Context, names: &Names) {
    let config = Config {
        name: names.stream(),
        subjects: vec![names.all()],
        discard: DiscardPolicy::New,
        duplicate_window: Duration::from_millis(100),
        allow_direct: true,
        ..Config::default()
    };
    context.create_stream(config).await.unwrap();
}

/// Publishes with what a bridge puts into the headers.
pub struct Publisher {
    context: Context,
    subject: String,
    window: Window,
    head: MessageHead,
    on_the_way: VecDeque<PublishAckFuture>,
}

impl Publisher {
    pub fn new(context: Context, names: &Names) -> Publisher {
        let origin = Origin { kind: Kind::Ring, incarnation: 0x1234_5678_9ABC_DEF0, bridge: 0x0FED_CBA9_8765_4321 };
        let layout = catalog().rows()[0].layout.clone();
        let head = MessageHead {
            origin,
            position: 4096,
            previous: None,
            time: None,
            cause: None,
            source: 1,
            message: 2,
            layout,
        };
        let mut window = Window::new(Limits { messages: WINDOW, bytes: usize::MAX });
        window.begin(0);
        let subject = names.message("A", "B").to_string();
        Publisher { context, subject, window, head, on_the_way: VecDeque::new() }
    }

    pub async fn publish(&mut self, payload: bytes::Bytes) {
        if self.on_the_way.len() >= WINDOW {
            self.acknowledged().await;
        }
        let link = self.window.send(self.head.position, payload.len());
        let (name, value) = Entry::Message(self.head.clone()).to_header();
        self.head.previous = Some(self.head.position);
        self.head.position += 64;
        let mut headers = HeaderMap::new();
        headers.insert(name, value);
        headers.insert("Nats-Msg-Id", Link::id(self.head.origin.bridge, link.number));
        headers.insert("Nats-Expected-Last-Sequence", link.sequence.to_string());
        if let Some(number) = link.behind {
            headers.insert("Nats-Expected-Last-Msg-Id", Link::id(self.head.origin.bridge, number));
        }
        let ack = self.context.publish_with_headers(self.subject.clone(), headers, payload).await.unwrap();
        self.on_the_way.push_back(ack);
    }

    async fn acknowledged(&mut self) {
        if let Some(ack) = self.on_the_way.pop_front() {
            self.window.acknowledged(ack.await.unwrap().sequence).unwrap();
        }
    }

    pub async fn finish(&mut self) {
        while !self.on_the_way.is_empty() {
            self.acknowledged().await;
        }
    }
}
