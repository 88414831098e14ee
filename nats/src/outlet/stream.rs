//! The node's own stream.

use crate::connection::Connection;
use crate::consumer;
use crate::error::BridgeError;
use crate::options::BridgeOptions;
use crate::protocol::{Entry, Hello, Last, Link, MESSAGE, Names, Origin, Reached};
use async_nats::HeaderMap;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{ErrorCode, publish::PublishAck, response::Response};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The shortest time that a server remembers ids for: the ids here are for the chain.
const REMEMBERED: Duration = Duration::from_millis(100);

/// What the server says to a publish.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored(u64),
    /// The stream ends otherwise than was expected.
    Elsewhere,
    /// The stream takes no more.
    Full,
    /// Nobody has such a stream, or whatever else there is.
    Failed,
}

impl Answer {
    /// With the generation that it belongs to.
    pub(super) fn read(message: &async_nats::Message) -> (Option<u64>, Answer) {
        let generation = message.subject.rsplit('.').next().and_then(|token| token.parse().ok());
        if message.status.is_some() {
            return (generation, Answer::Failed);
        }
        let answer = match serde_json::from_slice::<Response<PublishAck>>(&message.payload) {
            Ok(Response::Ok(ack)) if !ack.duplicate => Answer::Stored(ack.sequence),
            Ok(Response::Ok(_)) => Answer::Elsewhere,
            Ok(Response::Err { error }) => match error.error_code() {
                ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_MESSAGE_ID => Answer::Elsewhere,
                ErrorCode::STREAM_STORE_FAILED => Answer::Full,
                _ => Answer::Failed,
            },
            Err(_) => Answer::Failed,
        };
        (generation, answer)
    }
}

/// A message on its way out.
pub(super) struct Outgoing {
    pub(super) subject: Arc<str>,
    pub(super) entry: Entry,
    pub(super) link: Link,
    pub(super) payload: Bytes,
}

/// A hello of `me`.
pub(super) fn hello(me: Origin, after: Option<u64>, before: Option<Reached>) -> Entry {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Entry::Hello(Hello { origin: me, after, time: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), before })
}

/// What a look at the stream found.
pub(super) enum Look {
    Last(Last),
    /// There is no such stream.
    Gone,
}

/// What was removed.
pub(super) struct Purge {
    /// Everything before this message.
    pub(super) before: u64,
    /// Whether all receivers have all that there is.
    pub(super) is_all: bool,
}

pub(super) struct Stream {
    connection: Arc<Connection>,
    name: String,
    all: String,
    inbox: String,
    config: Config,
    /// The names of the receivers' consumers, and whether each was seen.
    receivers: Vec<String>,
    has_receivers: bool,
    /// When it was made: another one of its name is not it.
    created: Option<i128>,
}

impl Stream {
    pub(super) fn new(
        options: &BridgeOptions,
        connection: &Arc<Connection>,
        inbox: String,
    ) -> Result<Stream, BridgeError> {
        let (name, all) = (options.names.stream(), options.names.all());
        let config = Config {
            name: name.clone(),
            subjects: vec![all.clone()],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            max_bytes: options.max_bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1),
            duplicate_window: REMEMBERED,
            num_replicas: 1,
            allow_direct: true,
            ..Config::default()
        };
        let consumer = |node: &String| match Names::new(options.names.system(), node) {
            Ok(names) => Ok(names.consumer()),
            Err(error) => Err(BridgeError::Name { node: node.clone(), error }),
        };
        let receivers = options.receivers.iter().map(consumer).collect::<Result<_, _>>()?;
        Ok(Stream {
            connection: connection.clone(),
            name,
            all,
            inbox,
            config,
            receivers,
            has_receivers: false,
            created: None,
        })
    }

    /// Whether it was never seen.
    pub(super) fn is_new(&self) -> bool {
        self.created.is_none()
    }

    /// The end of the stream; `None` if the server does not say.
    pub(super) async fn look(&mut self) -> Result<Option<Look>, BridgeError> {
        let stream = match self.connection.context.get_stream(&self.name).await {
            Ok(stream) => stream,
            Err(error) => {
                return Ok(match error.kind() {
                    GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                        Some(Look::Gone)
                    }
                    _ => None,
                });
            }
        };
        let info = stream.cached_info();
        let created = info.created.unix_timestamp_nanos();
        if self.created.is_some_and(|known| known != created) {
            return Ok(Some(Look::Gone));
        }
        let setup = |config: &Config| (config.subjects.clone(), config.retention, config.discard, config.storage);
        if setup(&info.config) != setup(&self.config) {
            return Err(BridgeError::OtherStream { stream: self.name.clone() });
        }
        self.created = Some(created);
        // Before the first message, so that each receiver has what comes after it.
        if !self.has_receivers {
            for name in &self.receivers {
                if stream.get_or_create_consumer(name, consumer::config(name.clone())).await.is_err() {
                    return Ok(None);
                }
            }
            self.has_receivers = true;
        }
        let sequence = info.state.last_sequence;
        if info.state.messages == 0 {
            return Ok(Some(Look::Last(Last { sequence, entry: None })));
        }
        let Ok(message) = stream.get_last_raw_message_by_subject(&self.all).await else { return Ok(None) };
        if message.sequence < sequence {
            // The last message was removed.
            return Ok(Some(Look::Last(Last { sequence, entry: None })));
        }
        let entry = Some(Entry::from_headers(consumer::pairs(&message.headers)));
        Ok(Some(Look::Last(Last { sequence: message.sequence, entry })))
    }

    /// Makes the stream, if the server will.
    pub(super) async fn make(&self) {
        // The next look says whether it is there.
        let _ = self.connection.context.create_stream(&self.config).await;
    }

    pub(super) async fn publish(&self, outgoing: Outgoing, bridge: u64, generation: u64) -> bool {
        let Outgoing { subject, entry, link, payload } = outgoing;
        let (name, value) = entry.to_header();
        let mut headers = HeaderMap::new();
        let name = if name == MESSAGE { "Rm-Message" } else { "Rm-Hello" };
        headers.insert(name, value);
        headers.insert("Nats-Msg-Id", Link::id(bridge, link.number));
        headers.insert("Nats-Expected-Last-Sequence", link.sequence.to_string());
        if let Some(number) = link.behind {
            headers.insert("Nats-Expected-Last-Msg-Id", Link::id(bridge, number));
        }
        let reply = format!("{}.{generation}", self.inbox);
        let client = &self.connection.client;
        client.publish_with_reply_and_headers(subject.to_string(), reply, headers, payload).await.is_ok()
    }

    /// Removes what lies before the lowest message that a receiver has acknowledged last. `None`: not every receiver said
    /// how far it is, so nothing is removed.
    pub(super) async fn purge(&self) -> Option<Purge> {
        let stream = self.connection.context.get_stream(&self.name).await.ok()?;
        let (first, last) = (stream.cached_info().state.first_sequence, stream.cached_info().state.last_sequence);
        let mut before = last;
        for receiver in &self.receivers {
            let info = stream.consumer_info(receiver).await.ok()?;
            before = before.min(consumer::floor(&info));
        }
        if before > first {
            stream.purge().sequence(before).await.ok()?;
        }
        Some(Purge { before, is_all: before == last })
    }
}
