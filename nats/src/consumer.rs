//! How a node reads another one's stream: its durable consumer there.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, Info, pull};
use std::time::Duration;

/// How long the server waits for an acknowledgement before it delivers again. A bridge that was killed has left messages
/// unacknowledged, and so long the next one waits for them.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(1);
/// How many messages the server delivers and awaits an acknowledgement of.
const MOST_PENDING: i64 = 4096;

/// Of the consumer `name`, from the stream's first message on. Whoever comes first makes it: the node that writes the stream,
/// before its first message, or the one that reads it. An acknowledgement is for all messages before it, too.
pub(crate) fn config(name: String) -> pull::Config {
    behind(0, name)
}

/// Of the consumer `name` that has everything up to the message `floor`.
pub(crate) fn behind(floor: u64, name: String) -> pull::Config {
    let deliver_policy = match floor {
        0 => DeliverPolicy::All,
        floor => DeliverPolicy::ByStartSequence { start_sequence: floor + 1 },
    };
    pull::Config {
        durable_name: Some(name),
        deliver_policy,
        ack_policy: AckPolicy::All,
        ack_wait: ACK_WAIT,
        max_ack_pending: MOST_PENDING,
        ..pull::Config::default()
    }
}

/// Up to where everything is acknowledged.
pub(crate) fn floor(info: &Info) -> u64 {
    match (info.ack_floor.consumer_sequence, info.config.deliver_policy) {
        (0, DeliverPolicy::ByStartSequence { start_sequence }) => start_sequence.saturating_sub(1),
        // One that has acknowledged nothing says where the stream began when it was made.
        (0, _) => 0,
        _ => info.ack_floor.stream_sequence,
    }
}

/// Headers, one by one.
pub(crate) fn pairs(headers: &async_nats::HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().flat_map(|(name, values)| {
        let name: &str = name.as_ref();
        values.iter().map(move |value| (name, value.as_str()))
    })
}
