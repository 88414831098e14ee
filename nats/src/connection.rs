//! The connection to a server, and what comes in on it.

use crate::bell::{Bell, Clapper};
use crate::error::BridgeError;
use crate::options::BridgeOptions;
use async_nats::jetstream;
use async_nats::{Client, Event};
use futures_util::StreamExt;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How long a server may take to answer one question.
const QUESTION: Duration = Duration::from_secs(2);

/// How long the client's queue may take no more.
const MOMENT: Duration = Duration::from_millis(100);

/// What came from the server.
#[derive(Debug)]
pub(crate) enum Input {
    Connected,
    Disconnected,
    /// The server, or the client, complains.
    Trouble(String),
    /// For that half of the bridge: the last token of the subject that it answers, and the message.
    Came(usize, async_nats::Message),
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// In order, from the runtime to whoever sleeps in the bell.
#[derive(Clone)]
struct Inputs {
    queue: Arc<Mutex<VecDeque<Input>>>,
    clapper: Clapper,
}

impl Inputs {
    fn push(&self, input: Input) {
        let mut queue = lock(&self.queue);
        let is_first = queue.is_empty();
        queue.push_back(input);
        drop(queue);
        // Whoever takes the first one takes them all.
        if is_first {
            self.clapper.ring();
        }
    }
}

pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) context: jetstream::Context,
    inputs: Inputs,
    bell: Arc<Bell>,
}

impl Connection {
    /// Begins to connect, and never ends.
    pub(crate) fn begin(options: &BridgeOptions, bell: &Arc<Bell>) -> Result<Connection, BridgeError> {
        if options.exposed().is_some() {
            return Err(BridgeError::Exposed);
        }
        let inputs = Inputs { queue: Arc::default(), clapper: bell.clapper() };
        let events = inputs.clone();
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
                    Event::Connected => events.push(Input::Connected),
                    Event::Disconnected | Event::Closed => events.push(Input::Disconnected),
                    Event::ServerError(error) => events.push(Input::Trouble(error.to_string())),
                    Event::ClientError(error) => events.push(Input::Trouble(error.to_string())),
                    _ => {}
                }
                std::future::ready(())
            });
        let servers: Vec<String> = options.servers.split(',').map(|server| server.trim().to_owned()).collect();
        bell.run(async {
            let client = connect.connect(servers).await.map_err(|error| BridgeError::Connect(error.kind()))?;
            let mut context = jetstream::new(client.clone());
            context.set_timeout(QUESTION);
            Ok(Connection { client, context, inputs, bell: bell.clone() })
        })
    }

    /// An inbox for that half of the bridge: what is answered to `INBOX.token` comes in.
    pub(crate) fn inbox(&self, half: usize) -> Result<String, BridgeError> {
        let inbox = self.client.new_inbox();
        let inputs = self.inputs.clone();
        self.run(async {
            let mut answers = self
                .client
                .subscribe(format!("{inbox}.*"))
                .await
                .map_err(|_| BridgeError::Connect(async_nats::ConnectErrorKind::Io))?;
            tokio::spawn(async move {
                while let Some(message) = answers.next().await {
                    inputs.push(Input::Came(half, message));
                }
            });
            Ok(inbox)
        })
    }

    /// Runs `future` to its end. Nothing else goes on meanwhile but what the server says.
    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.bell.run(future)
    }

    /// As [`run`](Self::run), but gives up after a moment: a connection that stands still takes no more than the client's
    /// queue.
    pub(crate) fn run_briefly<F: Future>(&self, future: F) -> Option<F::Output> {
        self.run(async { tokio::time::timeout(MOMENT, future).await }).ok()
    }

    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// All that has come.
    pub(crate) fn take_inputs(&self) -> VecDeque<Input> {
        std::mem::take(&mut *lock(&self.inputs.queue))
    }

    pub(crate) fn has_input(&self) -> bool {
        !lock(&self.inputs.queue).is_empty()
    }

    /// The largest message with its headers that the server takes.
    pub(crate) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Names;

    #[test]
    fn nothing_of_a_connection_stays_when_it_ends() {
        let bell = Arc::new(Bell::new().unwrap());
        let options = BridgeOptions::ring("nats://127.0.0.1:1", Names::new("shop", "till").unwrap());
        let connection = Connection::begin(&options, &bell).unwrap();
        connection.inbox(0).unwrap();
        drop(connection);
        // A task that held the bell would keep the runtime, and so the connection and itself.
        assert_eq!(Arc::strong_count(&bell), 1);
    }
}
