//! The handler behind the server: answers requests, in the order in which they came.

use crate::bank::client_to_server::Messages;
use crate::bank::{Bank, ClientToServer};
use crate::ledger::{Counts, Ledger};
use crate::server::{BusCounter, Config};
use rust_messenger::messi::{
    ClientConnected, ClientDisconnected, ClientId, FromClient, Listening, Member, ToServerSide,
};
use rust_messenger::traits::{Handle, Handler, New, Time, Writer};
use std::collections::VecDeque;
use std::time::Duration;

/// A request of ten bytes may ask for a megabyte. When the bus is full, it is therefore the requests that wait, here,
/// and not their answers in the worker's outbox. They are few: while an outbox waits, the bridge finds no room on the
/// bus, and reads no socket.
pub struct Teller {
    config: Config,
    ledger: Ledger,
    waiting: VecDeque<(ClientId, Errand)>,
    /// The last answer did not fit the bus, and is in the outbox.
    is_full: bool,
    is_closing: bool,
    /// When to end.
    limit: Option<Time>,
}

enum Errand {
    Come,
    Ask(Messages),
    Leave,
}

/// How long the scenario may take.
const LIMIT: Duration = Duration::from_secs(26);
/// How long its clients may stay when the bank has closed.
const CLOSING: Duration = Duration::from_secs(4);
/// How long anything is served after that.
const CLOSING_ANY: Duration = Duration::from_millis(300);

impl Handler for Teller {
    type Id = u16;
    const ID: u16 = 1;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        self.limit = (!self.config.any).then(|| writer.now() + LIMIT);
    }

    // The outbox is empty when this runs.
    fn on_loop<W: Writer>(&mut self, writer: &W) {
        self.is_full = false;
        self.work(writer);
        let is_late = self.limit.is_some_and(|limit| limit <= writer.now());
        let is_done = self.is_closing && if self.config.any { is_late } else { self.ledger.is_empty() };
        let counts = self.ledger.counts;
        if is_done && (self.config.any || counts == Counts::SCENARIO) {
            writer.stop();
        } else if is_done {
            writer.fail(format!("{counts:?} is not the scenario"));
        } else if is_late {
            writer.fail(format!("time is up, closing: {}, {counts:?}", self.is_closing));
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        if self.waiting.is_empty() { self.limit } else { Some(Time::default()) }
    }

    fn on_stop(&mut self) {
        println!("served {:?}", self.ledger.counts);
    }
}

impl New<Config> for Teller {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        let (config, ledger, waiting) = (config.clone(), Ledger::default(), VecDeque::new());
        Teller { config, ledger, waiting, is_full: false, is_closing: false, limit: None }
    }
}

impl Teller {
    fn take<W: Writer>(&mut self, client: ClientId, errand: Errand, writer: &W) {
        self.waiting.push_back((client, errand));
        self.work(writer);
    }

    fn work<W: Writer>(&mut self, writer: &W) {
        while !self.is_full
            && let Some((client, errand)) = self.waiting.pop_front()
        {
            match errand {
                Errand::Come => self.ledger.came(client),
                Errand::Leave => self.ledger.left(client),
                Errand::Ask(request) => {
                    if let Messages::CloseReq(_) = request {
                        self.is_closing = true;
                        self.limit = Some(writer.now() + if self.config.any { CLOSING_ANY } else { CLOSING });
                    }
                    let mut counter = BusCounter { writer, is_full: false };
                    self.ledger.answer(client, request, &mut counter);
                    self.is_full = counter.is_full;
                }
            }
        }
    }
}

impl Handle<Listening> for Teller {
    fn handle<W: Writer>(&mut self, listening: &Listening, _: &W) {
        // Nobody may want to know.
        let _ = self.config.ready.send(listening.port);
    }
}

impl Handle<ClientConnected> for Teller {
    fn handle<W: Writer>(&mut self, event: &ClientConnected, writer: &W) {
        self.take(event.client, Errand::Come, writer);
    }
}

impl<M: Member<ToServerSide, Protocol = Bank>> Handle<FromClient<M>> for Teller
where
    ClientToServer: From<M>,
{
    fn handle<W: Writer>(&mut self, request: &FromClient<M>, writer: &W) {
        if let Some(message) = ClientToServer::from(request.message.clone()).messages {
            self.take(request.client, Errand::Ask(message), writer);
        }
    }
}

impl Handle<ClientDisconnected> for Teller {
    fn handle<W: Writer>(&mut self, event: &ClientDisconnected, writer: &W) {
        // Nobody wants these any more.
        let is_download = |errand: &Errand| matches!(errand, Errand::Ask(Messages::DownloadReq(_)));
        self.waiting.retain(|(client, errand)| *client != event.client || !is_download(errand));
        self.take(event.client, Errand::Leave, writer);
    }
}
