//! The connection to a server, as an outlet uses it.

use crate::bell::Bell;
use crate::outlet::OutletError;
use crate::protocol::{Entry, Hello, Last, Link, MESSAGE, Origin};
use crate::settings::OutletOptions;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, ErrorCode, publish::PublishAck, response::Response};
use async_nats::{Client, Event, HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use rust_messenger::traits::Poller;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// How long a server may take to answer one question.
const QUESTION: Duration = Duration::from_secs(2);
/// The shortest time that a server remembers ids for: the ids here are for the chain.
const REMEMBERED: Duration = Duration::from_millis(100);

/// What came from the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Connected,
    Disconnected,
    /// Of a publish of that generation.
    Answer(u64, Answer),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Stored(u64),
    /// The stream ends otherwise than was expected.
    Elsewhere,
    /// The stream takes no more.
    Full,
    /// Nobody has such a stream, or whatever else there is.
    Failed,
}

/// A message on its way out.
pub(crate) struct Outgoing {
    pub(crate) subject: Arc<str>,
    pub(crate) entry: Entry,
    pub(crate) link: Link,
    pub(crate) payload: Bytes,
}

/// What a look at the stream found.
pub(crate) enum Look {
    Last(Last),
    /// There is no such stream.
    Gone,
}

pub(crate) struct Server {
    client: Client,
    context: jetstream::Context,
    stream: String,
    all: String,
    inbox: String,
    inputs: Arc<Mutex<VecDeque<Input>>>,
    /// When the stream was made: another one of its name is not it.
    created: Option<i128>,
    config: Config,
}

impl Server {
    /// Begins to connect, and never ends.
    pub(crate) fn connect(options: &OutletOptions, bell: &Arc<Bell>) -> Result<Server, OutletError> {
        let inputs = Arc::new(Mutex::new(VecDeque::new()));
        let push = {
            let (inputs, bell) = (inputs.clone(), bell.clone());
            move |input| {
                inputs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push_back(input);
                bell.notify();
            }
        };
        let on_event = push.clone();
        let connect = options
            .connect
            .clone()
            .retry_on_initial_connect()
            .connection_timeout(QUESTION)
            .ping_interval(QUESTION)
            .client_capacity(2 * options.window.messages.max(16))
            .reconnect_delay_callback(|attempt| Duration::from_millis((5 << attempt.min(6)) as u64))
            .event_callback(move |event| {
                match event {
                    Event::Connected => on_event(Input::Connected),
                    Event::Disconnected | Event::Closed => on_event(Input::Disconnected),
                    _ => {}
                }
                std::future::ready(())
            });
        let servers: Vec<String> = options.servers.split(',').map(|server| server.trim().to_owned()).collect();
        let (client, context, inbox) = bell.run(async {
            let client = connect.connect(servers).await.map_err(|error| OutletError::Connect(error.kind()))?;
            let inbox = client.new_inbox();
            let failed = |_| OutletError::Connect(async_nats::ConnectErrorKind::Io);
            let mut answers = client.subscribe(format!("{inbox}.*")).await.map_err(failed)?;
            tokio::spawn(async move {
                while let Some(message) = answers.next().await {
                    let generation = message.subject.rsplit('.').next().and_then(|token| token.parse().ok());
                    push(Input::Answer(generation.unwrap_or(0), answer(message.status, &message.payload)));
                }
            });
            let mut context = jetstream::new(client.clone());
            context.set_timeout(QUESTION);
            Ok((client, context, inbox))
        })?;
        let config = Config {
            name: options.names.stream(),
            subjects: vec![options.names.all()],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            max_bytes: options.max_bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1),
            duplicate_window: REMEMBERED,
            num_replicas: 1,
            allow_direct: true,
            ..Config::default()
        };
        let (stream, all) = (options.names.stream(), options.names.all());
        Ok(Server { client, context, stream, all, inbox, inputs, created: None, config })
    }

    pub(crate) fn next_input(&self) -> Option<Input> {
        self.inputs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop_front()
    }

    pub(crate) fn has_input(&self) -> bool {
        !self.inputs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).is_empty()
    }

    /// Whether the stream was never seen.
    pub(crate) fn is_new(&self) -> bool {
        self.created.is_none()
    }

    /// The largest message with its headers that the server takes.
    pub(crate) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// The end of the stream; `None` if the server does not say.
    pub(crate) async fn look(&mut self) -> Result<Option<Look>, OutletError> {
        let stream = match self.context.get_stream(&self.stream).await {
            Ok(stream) => stream,
            Err(error) => {
                return Ok(match error.kind() {
                    jetstream::context::GetStreamErrorKind::JetStream(error)
                        if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                    {
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
        let (is, wanted) = (&info.config, &self.config);
        if (&is.subjects, is.retention, is.discard) != (&wanted.subjects, wanted.retention, wanted.discard) {
            return Err(OutletError::OtherStream { stream: self.stream.clone() });
        }
        self.created = Some(created);
        let sequence = info.state.last_sequence;
        if info.state.messages == 0 {
            return Ok(Some(Look::Last(Last { sequence, entry: None })));
        }
        let Ok(message) = stream.get_last_raw_message_by_subject(&self.all).await else { return Ok(None) };
        if message.sequence < sequence {
            // The last message was removed.
            return Ok(Some(Look::Last(Last { sequence, entry: None })));
        }
        let headers = message.headers.iter().flat_map(|(name, values)| {
            let name: &str = name.as_ref();
            values.iter().map(move |value| (name, value.as_str()))
        });
        let entry = Some(Entry::from_headers(headers));
        Ok(Some(Look::Last(Last { sequence: message.sequence, entry })))
    }

    /// Makes the stream. Returns whether the server says so.
    pub(crate) async fn make_stream(&self) -> bool {
        self.context.create_stream(&self.config).await.is_ok()
    }

    pub(crate) async fn publish(&self, outgoing: Outgoing, bridge: u64, generation: u64) -> bool {
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
        let subject = subject.to_string();
        self.client.publish_with_reply_and_headers(subject, reply, headers, payload).await.is_ok()
    }
}

/// A hello of `me`.
pub(crate) fn hello(me: Origin, after: Option<u64>, before: Option<crate::protocol::Reached>) -> Entry {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Entry::Hello(Hello { origin: me, after, time: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), before })
}

fn answer(status: Option<StatusCode>, payload: &[u8]) -> Answer {
    if status.is_some() {
        return Answer::Failed;
    }
    match serde_json::from_slice::<Response<PublishAck>>(payload) {
        Ok(Response::Ok(ack)) if !ack.duplicate => Answer::Stored(ack.sequence),
        Ok(Response::Ok(_)) => Answer::Elsewhere,
        Ok(Response::Err { error }) => match error.error_code() {
            ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_MESSAGE_ID => Answer::Elsewhere,
            ErrorCode::STREAM_STORE_FAILED => Answer::Full,
            _ => Answer::Failed,
        },
        Err(_) => Answer::Failed,
    }
}
