//! The stream of another node, as this one reads it.

use super::credit::EXPIRES;
use super::settled::Receipt;
use super::takes::{TAKES, Takes};
use crate::connection::Connection;
use crate::consumer;
use crate::protocol::{Limits, Names, decimal};
use async_nats::jetstream::consumer::{Consumer, FromConsumer, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{ConsumerUpdateErrorKind, RawMessageErrorKind, Stream};
use async_nats::jetstream::{ErrorCode, consumer::pull::BatchConfig};
use async_nats::{Message, StatusCode, Subject};
use bytes::Bytes;
use std::sync::Arc;

/// Beside its payload: headers, the subject, where to send the acknowledgement.
const AROUND: usize = 4096;
/// How many bytes of metadata a consumer keeps at most. Its writer asks for them once a second.
const MOST_KEPT: usize = 32 << 10;

/// More tokens than the subject of an acknowledgement has, behind those that each has.
const MOST_TOKENS: usize = 16;

/// The server does not say.
pub(super) struct Silent;

/// What came on the inbox.
#[expect(clippy::large_enum_variant, reason = "one for each message, which is moved on at once")]
pub(super) enum Came {
    Message(Receipt, Message),
    /// A request has ended, with so many messages that did not come.
    Ended(Option<usize>),
    /// The consumer is not what it was: look again.
    Changed,
    Nothing,
}

/// Where a stream and its consumer are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// The sequence of the last message that is gone from its beginning.
    pub(super) before: u64,
    pub(super) last: u64,
    /// Up to where this node has acknowledged.
    pub(super) floor: u64,
    /// Whether the consumer was made just now, so that everything comes from the stream's first message on.
    pub(super) is_fresh: bool,
}

pub(super) enum Look {
    There(Ends),
    /// There is no such stream, or another one.
    Gone,
}

pub(super) struct Source {
    connection: Arc<Connection>,
    stream_name: String,
    consumer_name: String,
    inbox: String,
    created: Option<i128>,
    stream: Option<Stream>,
    consumer: Option<Consumer<pull::Config>>,
    /// What the consumer keeps.
    takes: Option<String>,
    /// The number of the last request, and of the last one to a consumer that is no more.
    asked: u64,
    ended: u64,
}

impl Source {
    /// The stream of `names`, as `node` reads it.
    pub(super) fn new(connection: &Arc<Connection>, names: &Names, node: &Names, inbox: String) -> Source {
        Source {
            connection: connection.clone(),
            stream_name: names.stream(),
            consumer_name: node.consumer(),
            inbox,
            created: None,
            stream: None,
            consumer: None,
            takes: None,
            asked: 0,
            ended: 0,
        }
    }

    pub(super) fn stream_name(&self) -> &str {
        &self.stream_name
    }

    /// Whether it was never seen.
    pub(super) fn is_new(&self) -> bool {
        self.created.is_none()
    }

    /// Finds the stream, and the consumer, which it makes if there is none; `None` if the server does not say.
    pub(super) async fn look(&mut self) -> Option<Look> {
        let stream = match self.connection.context.get_stream(&self.stream_name).await {
            Ok(stream) => stream,
            Err(error) => {
                return match error.kind() {
                    GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                        Some(Look::Gone)
                    }
                    _ => None,
                };
            }
        };
        let info = stream.cached_info();
        let (created, state) = (info.created.unix_timestamp_nanos(), info.state.clone());
        if self.created.is_some_and(|known| known != created) {
            return Some(Look::Gone);
        }
        self.created = Some(created);
        let is_fresh = match stream.consumer_info(&self.consumer_name).await {
            Ok(_) => false,
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => true,
            Err(_) => return None,
        };
        let config = consumer::config(self.consumer_name.clone());
        let consumer = stream.get_or_create_consumer(&self.consumer_name, config).await.ok()?;
        let info = consumer.cached_info();
        self.takes = info.config.metadata.get(TAKES).cloned();
        let (floor, is_pending) = (consumer::floor(info), info.num_ack_pending > 0);
        let before = if state.messages == 0 { state.last_sequence } else { state.first_sequence.saturating_sub(1) };
        self.stream = Some(stream);
        self.consumer = Some(consumer);
        // What was delivered to nobody comes again when its time is over, and until then what is behind it.
        if is_pending && !self.renew(floor).await {
            return None;
        }
        Some(Look::There(Ends { before, last: state.last_sequence, floor, is_fresh }))
    }

    /// Makes the consumer anew: then everything behind `floor` comes in its order. Returns whether the server says so.
    pub(super) async fn renew(&mut self, floor: u64) -> bool {
        let Some(stream) = &self.stream else { return false };
        self.ended = self.asked;
        // Nothing is removed from the stream while it has no consumer for a receiver.
        let _ = stream.delete_consumer(&self.consumer_name).await;
        let mut config = consumer::behind(floor, self.consumer_name.clone());
        config.metadata.extend(self.takes.clone().map(|takes| (TAKES.to_owned(), takes)));
        self.consumer = stream.create_consumer(config).await.ok();
        self.consumer.is_some()
    }

    /// What the consumer keeps of what was taken.
    pub(super) fn kept(&self) -> Takes {
        self.takes.as_deref().map(Takes::read).unwrap_or_default()
    }

    /// Has the consumer keep that. Returns whether it does.
    pub(super) async fn keep(&mut self, takes: Option<&Takes>) -> bool {
        let (Some(stream), Some(consumer)) = (&self.stream, &self.consumer) else { return false };
        let most = MOST_KEPT.min(self.connection.max_payload() / 2);
        let takes = takes.map(|takes| takes.text(most));
        if self.takes == takes {
            return true;
        }
        // Nothing else of it can be changed, so it is as the server says.
        let Ok(mut config) = pull::Config::try_from_consumer_config(consumer.cached_info().config.clone()) else {
            return false;
        };
        config.metadata.remove(TAKES);
        config.metadata.extend(takes.clone().map(|takes| (TAKES.to_owned(), takes)));
        match stream.update_consumer(config).await {
            Ok(consumer) => {
                (self.consumer, self.takes) = (Some(consumer), takes);
                true
            }
            // A server has no directory any more for one that was deleted and made by two programs at once: it delivers,
            // and keeps nothing.
            Err(error) if matches!(error.kind(), ConsumerUpdateErrorKind::JetStream(_)) => {
                let floor = consumer::floor(consumer.cached_info());
                self.takes = takes;
                self.renew(floor).await
            }
            Err(_) => false,
        }
    }

    /// The message `sequence`; `None`: there is none.
    pub(super) async fn message(&self, sequence: u64) -> Result<Option<StreamMessage>, Silent> {
        let stream = self.stream.as_ref().ok_or(Silent)?;
        match stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => Ok(None),
                RawMessageErrorKind::JetStream(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
                _ => Err(Silent),
            },
        }
    }

    /// Asks for so much. Returns whether it was sent.
    pub(super) async fn ask(&mut self, limits: Limits) -> bool {
        let Some(consumer) = &self.consumer else { return false };
        self.asked += 1;
        let batch = BatchConfig {
            batch: limits.messages,
            expires: Some(EXPIRES),
            // One message of any length comes, however little was asked for.
            max_bytes: limits.bytes.max(self.connection.max_payload() + AROUND),
            ..BatchConfig::default()
        };
        let inbox = Subject::from(format!("{}.{}", self.inbox, self.asked));
        consumer.request_batch(batch, inbox).await.is_ok()
    }

    pub(super) async fn acknowledge(&self, receipt: Receipt) -> bool {
        self.connection.client.publish(receipt.reply, Bytes::from_static(b"+ACK")).await.is_ok()
    }

    pub(super) fn read(&self, message: Message) -> Came {
        let Some(status) = message.status else {
            let receipt = message.reply.clone().and_then(receipt);
            return receipt.map_or(Came::Nothing, |receipt| Came::Message(receipt, message));
        };
        let number: Option<u64> = message.subject.rsplit('.').next().and_then(|token| token.parse().ok());
        if number.is_some_and(|number| number <= self.ended) {
            return Came::Nothing;
        }
        let text = message.description.as_deref().unwrap_or_default().to_ascii_lowercase();
        let missing = message.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
        let missing = missing.and_then(|missing| missing.as_str().parse().ok());
        match status {
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => Came::Ended(missing),
            StatusCode::REQUEST_TERMINATED if text.contains("maxbytes") || text.contains("batch completed") => {
                Came::Ended(missing)
            }
            StatusCode::IDLE_HEARTBEAT => Came::Nothing,
            _ => Came::Changed,
        }
    }
}

/// `$JS.ACK.stream.consumer.delivered.sequence.its sequence there.time.pending`, or with a domain and an account before the stream.
fn receipt(reply: Subject) -> Option<Receipt> {
    let rest = reply.strip_prefix("$JS.ACK.")?.as_bytes();
    // With it each message comes: gone over once, and by bytes, for the tokens are short.
    let (mut tokens, mut count) = ([rest; MOST_TOKENS], 0);
    for token in rest.split(|byte| *byte == b'.') {
        *tokens.get_mut(count)? = token;
        count += 1;
    }
    let place = match count {
        7 => 3,
        9.. => 5,
        _ => return None,
    };
    let number = |place: usize| decimal(tokens[place]);
    let (sequence, pending) = (number(place)?, number(place + 3)?);
    Some(Receipt { sequence, pending, reply })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_and_lag_are_read_from_where_the_acknowledgement_goes() {
        let of = |reply: &str| receipt(Subject::from(reply)).map(|receipt| (receipt.sequence, receipt.pending));
        assert_eq!(of("$JS.ACK.shop+till.store.1.42.43.1700000000000000000.9"), Some((42, 9)));
        assert_eq!(of("$JS.ACK.domain.account.shop+till.store.1.42.43.1700000000000000000.9"), Some((42, 9)));
        assert_eq!(of("$JS.ACK.domain.account.shop+till.store.1.42.43.1700000000000000000.9.random"), Some((42, 9)));
        let long = format!("$JS.ACK.{}", ["1"; 17].join("."));
        for other in
            ["", "$JS.ACK", "_INBOX.a.b.c.d.5.6.7.8", "$JS.ACK.s.c.1.x.3.4.5", "$JS.ACK.s.c.1.2.3.4.5.6", &long]
        {
            assert_eq!(of(other), None);
        }
    }
}
