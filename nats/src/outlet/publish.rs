//! Messages on their way into the stream.

use super::Left;
use super::outgoing::{HEADERS, Out, State};
use super::stream::Outgoing;
use crate::connection::lock;
use crate::error::BridgeError;
use crate::protocol::{Entry, MAX_POSITION, MessageHead};
use bytes::Bytes;
use rust_messenger::traits::{MessageBus, Next, ReadError, Reader};

/// How many messages are read at a time.
const BATCH: usize = 64;

impl<B: MessageBus> Out<B> {
    /// Publishes what the window takes. Returns whether there may be more.
    pub(super) fn publish(&mut self) -> Result<bool, BridgeError> {
        let Some(reader) = self.reader.as_mut() else { return Ok(false) };
        let (catalog, subjects, me) = (&self.catalog, &self.subjects, self.me);
        let next = &mut self.next;
        *next = HEADERS;
        let (window, previous, unacknowledged) = (&mut self.window, &mut self.previous, &mut self.unacknowledged);
        let (most, mut skipped, mut far) = (self.connection.max_payload(), 0, None);
        let mut batch = Vec::new();
        let read = reader.try_read_recorded(BATCH, |header, recorded, payload| {
            // What the previous one took ends where this begins, or before.
            if Some(header.position) <= *previous {
                return Next::Go;
            }
            let ids = (header.source, header.message);
            let (Some(row), Some(subject)) = (catalog.by_ids(ids.0, ids.1), subjects.get(&ids)) else {
                return Next::Go;
            };
            let bytes = payload.len() + HEADERS;
            if bytes > most {
                skipped += 1;
                return Next::Go;
            }
            if header.position >= MAX_POSITION {
                far = Some(header.position);
                return Next::Keep;
            }
            if !window.has_room(bytes) {
                *next = bytes;
                return Next::Keep;
            }
            let link = window.send(header.position, bytes);
            let entry = Entry::Message(MessageHead {
                origin: me,
                position: header.position,
                previous: *previous,
                time: recorded.map(|recorded| recorded.time.as_nanos()),
                cause: recorded.and_then(|recorded| recorded.cause),
                source: header.source,
                message: header.message,
                layout: row.layout.clone(),
            });
            *previous = Some(header.position);
            unacknowledged.push_back(header.position);
            let payload = Bytes::copy_from_slice(payload);
            batch.push(Outgoing { subject: subject.clone(), entry, link, payload });
            Next::Go
        });
        lock(&self.stats).skipped += skipped;
        if let Some(position) = far {
            return Err(BridgeError::TooFar { position });
        }
        let is_idle = batch.is_empty();
        if !is_idle {
            self.send(batch);
        } else if self.window.is_empty() {
            self.let_go()?;
        }
        match read {
            Ok(read) => Ok(read > 0),
            // What is kept is all that it may hold: less has to do.
            Err(ReadError::WindowFull) if self.window.is_empty() => {
                self.kept.clear();
                self.let_go().map(|()| true)
            }
            Err(ReadError::Empty | ReadError::WindowFull | ReadError::Closed) => Ok(!is_idle),
            Err(_) => Err(BridgeError::Lost { after: self.previous }),
        }
    }

    pub(super) fn send(&mut self, batch: Vec<Outgoing>) {
        let (stream, bridge, generation) = (&self.stream, self.me.bridge, self.generation);
        let count = batch.len() as u64;
        let all = async {
            for outgoing in batch {
                if !stream.publish(outgoing, bridge, generation).await {
                    return false;
                }
            }
            tokio::task::yield_now().await;
            true
        };
        // A connection that stands still takes no more than the client's queue.
        let sent = self.connection.run(async { tokio::time::timeout(self.options.patience, all).await });
        lock(&self.stats).published += count;
        if sent != Ok(true) {
            self.state = State::Looking;
        }
    }

    /// Whether all of it that stands before `end` is in the stream.
    pub(crate) fn has_sent_all_before(&self, end: u64) -> bool {
        let is_read = self.reader.as_ref().is_some_and(|reader| is_past(reader.position(), end));
        is_read && self.window.is_empty() && matches!(self.state, State::Running(_))
    }

    /// Reads on to `end`, and counts what will not go out.
    pub(crate) fn left(&mut self, end: u64) -> Left {
        let mut left = Left { on_the_way: self.window.messages(), unread: 0 };
        let (catalog, previous) = (&self.catalog, self.previous);
        let Some(reader) = self.reader.as_mut() else { return left };
        while !is_past(reader.position(), end) {
            let read = reader.try_read_up_to(BATCH, |header, _| {
                if is_past(header.position, end) {
                    return Next::Keep;
                }
                let goes_out = catalog.by_ids(header.source, header.message).is_some();
                left.unread += u64::from(goes_out && Some(header.position) > previous);
                Next::Go
            });
            match read {
                Ok(read) if read > 0 => {}
                // Nobody goes on in this ring.
                Err(ReadError::WindowFull) if reader.release_to(reader.position()).is_ok() => {}
                _ => break,
            }
        }
        left
    }
}

/// Positions wrap around the end of u64.
fn is_past(position: u64, end: u64) -> bool {
    position.wrapping_sub(end) as i64 >= 0
}
