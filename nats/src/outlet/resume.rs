//! Where it goes on: the stream says so.

use super::NAME;
use super::outgoing::{HEADERS, Out, State};
use super::stream::{Look, Outgoing, hello};
use crate::connection::lock;
use crate::error::BridgeError;
use crate::protocol::{Decision, Kind, Last};
use bytes::Bytes;
use rust_messenger::traits::{CursorError, MessageBus, Reader, SubscribeError};
use std::time::Instant;

impl<B: MessageBus> Out<B> {
    /// Asks what the stream ends with, and goes on there.
    pub(super) fn look(&mut self) -> Result<(), BridgeError> {
        lock(&self.stats).looks += 1;
        self.generation += 1;
        let Some(last) = self.last()? else {
            self.pause();
            return Ok(());
        };
        let most = self.bus.max_payload() + HEADERS;
        if most > self.connection.max_payload() && !self.options.skip_larger {
            return Err(BridgeError::TooLarge { bus: most, server: self.connection.max_payload() });
        }
        match self.resume.decide(&last).map_err(BridgeError::Resume)? {
            Decision::Hello { sequence, after, before } => {
                let link = self.window.hello(sequence);
                let entry = hello(self.me, after, before);
                let subject = self.options.names.hello().to_string().into();
                self.state = State::Greeting(Instant::now());
                self.send(vec![Outgoing { subject, entry, link, payload: Bytes::new() }]);
            }
            Decision::GoOn { sequence, after } => {
                self.window.begin(sequence);
                // What is in the stream is acknowledged, though the words of it were lost.
                if let Some(after) = after.filter(|after| Some(*after) > self.last_acknowledged) {
                    self.release(after)?;
                }
                self.unacknowledged.clear();
                self.go_on(after)?;
                self.state = State::Running(Instant::now());
            }
        }
        Ok(())
    }

    /// The end of the stream, which is made if it never was; `None` if the server does not say.
    fn last(&mut self) -> Result<Option<Last>, BridgeError> {
        let connection = self.connection.clone();
        let is_new = self.stream.is_new();
        match connection.run(self.stream.look())? {
            Some(Look::Last(last)) => Ok(Some(last)),
            Some(Look::Gone) if is_new => {
                connection.run(self.stream.make());
                Ok(None)
            }
            Some(Look::Gone) => Err(BridgeError::StreamGone { stream: self.options.names.stream() }),
            None => Ok(None),
        }
    }

    /// Has the reader read next what comes after `after`.
    fn go_on(&mut self, after: Option<u64>) -> Result<(), BridgeError> {
        self.previous = after;
        let Some(reader) = self.reader.as_mut() else { return Ok(()) };
        let lost = BridgeError::Lost { after };
        let back = match (self.options.kind, after) {
            // It reads on up to there.
            (_, Some(after)) if reader.position() <= after => return Ok(()),
            (Kind::Ring, None) if reader.position() == self.begin => return Ok(()),
            (Kind::Ring, Some(after)) if self.last_acknowledged == Some(after) && after < self.released => {
                self.released
            }
            (Kind::Ring, None) => self.begin,
            (_, Some(after)) => after,
            (Kind::Journal, None) => return self.subscribe_from(None),
        };
        self.kept.retain(|message| Some(*message) <= after);
        match (reader.rewind_to(back), self.options.kind) {
            (Ok(()), _) => Ok(()),
            (Err(_), Kind::Journal) => self.subscribe_from(after),
            (Err(_), Kind::Ring) => Err(lost),
        }
    }

    /// Of a journal: begins anew at `from`, or with its oldest message.
    fn subscribe_from(&mut self, from: Option<u64>) -> Result<(), BridgeError> {
        self.reader = None; // Its cursor has one reader at a time.
        self.kept.clear();
        let oldest = |asked| match self.bus.subscribe_held(NAME, Some(asked)) {
            Err(SubscribeError::Journal(CursorError::NotRetained { oldest, .. })) if from.is_none() => {
                self.bus.subscribe_held(NAME, Some(oldest))
            }
            other => other,
        };
        let reader = oldest(from.unwrap_or(0)).map_err(|error| match error {
            SubscribeError::Journal(CursorError::NotRetained { .. }) => BridgeError::Lost { after: from },
            other => BridgeError::Subscribe(other),
        })?;
        self.released = reader.position();
        self.reader = Some(reader);
        Ok(())
    }
}
