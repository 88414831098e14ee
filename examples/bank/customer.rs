//! The handler behind a client: plays a customer by its script, or one without a script.

use crate::account::reversed;
use crate::bank::server_to_client::Messages;
use crate::bank::*;
use crate::client::Config;
use crate::scene::{Deed, Heard, Scene, Word};
use rust_messenger::messi::{
    Connected, Disconnected, FromServer, Member, Root, StartBridge, ToClientSide, ToServer, ToServerSide, Visitor,
};
use rust_messenger::traits::{Handle, Handler, New, Sender, Time, Writer};
use std::collections::VecDeque;
use std::time::Duration;

const GIVE_UP: &str = "I give up";
/// How long a play may take.
const LIMIT: Duration = Duration::from_secs(26);

/// Opens an account on every connection and answers audits. With a script it also does what is written there, and
/// fails on whatever it hears that is not written there.
pub struct Customer {
    config: Config,
    script: Option<VecDeque<Scene>>,
    rest: Option<Time>,
    limit: Option<Time>,
}

impl Handler for Customer {
    type Id = u16;
    const ID: u16 = 2;

    fn on_start<W: Writer>(&mut self, writer: &W) {
        self.limit = self.script.as_ref().map(|_| writer.now() + LIMIT);
    }

    fn on_loop<W: Writer>(&mut self, writer: &W) {
        let has_come = |time: Option<Time>| time.is_some_and(|time| time <= writer.now());
        if has_come(self.limit) {
            self.limit = None;
            self.fail("time is up", writer);
        } else if has_come(self.rest) {
            self.rest = None;
            self.hear(Heard::Rested, writer);
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        [self.rest, self.limit].into_iter().flatten().min()
    }
}

impl New<Config> for Customer {
    fn new<W: Writer>(config: &Config, _: &W) -> Self {
        let script = config.partner.as_ref().map(|_| config.role.script().into());
        Customer { config: config.clone(), script, rest: None, limit: None }
    }
}

impl Customer {
    fn hear<W: Writer>(&mut self, heard: Heard, writer: &W) {
        let Some(scene) = self.script.as_mut().and_then(VecDeque::front_mut) else { return };
        // What comes over the network comes in this order; the other's words come when they come.
        let is_word = |heard: &Heard| matches!(heard, Heard::Word(_));
        match scene.hears.iter().position(|expected| is_word(expected) == is_word(&heard)) {
            Some(place) if scene.hears[place] == heard => _ = scene.hears.remove(place),
            _ => return self.fail(&format!("heard {heard:?}"), writer),
        }
        if scene.hears.is_empty()
            && let Some(scene) = self.script.as_mut().and_then(VecDeque::pop_front)
        {
            for deed in scene.does {
                self.act(deed, writer);
            }
        }
    }

    fn act<W: Writer>(&mut self, deed: Deed, writer: &W) {
        match deed {
            Deed::Connect => Self::send(&StartBridge {}, writer),
            Deed::Send(message) => _ = message.visit(Send(writer)),
            Deed::Tell(text) => self.tell(text),
            Deed::Rest(time) => self.rest = Some(writer.now() + time),
            Deed::Leave => writer.stop(),
        }
    }

    fn tell(&self, text: &str) {
        if let Some(partner) = &self.config.partner {
            Self::send(&Word { text: text.to_owned() }, partner);
        }
    }

    fn fail<W: Writer>(&self, what: &str, writer: &W) {
        let left = self.script.as_ref().map_or(0, VecDeque::len);
        let what: String = what.chars().take(300).collect();
        writer.fail(format!("{}, {left} scenes before the end: {what}", self.config.role.name()));
        self.tell(GIVE_UP);
    }
}

/// Sends whichever message is set.
struct Send<'a, W>(&'a W);

impl<W: Writer> Visitor<ToServerSide> for Send<'_, W> {
    type Output = ();

    fn member<M: Member<ToServerSide>>(self, message: &M) {
        Customer::send(&ToServer { message: message.clone() }, self.0);
    }
}

impl Handle<Connected> for Customer {
    fn handle<W: Writer>(&mut self, _: &Connected, writer: &W) {
        Self::send(&ToServer { message: self.config.role.open_req() }, writer);
        self.hear(Heard::Connected, writer);
    }
}

impl Handle<Disconnected> for Customer {
    fn handle<W: Writer>(&mut self, event: &Disconnected, writer: &W) {
        self.hear(Heard::Disconnected(event.reason), writer);
    }
}

impl<M: Member<ToClientSide, Protocol = Bank>> Handle<FromServer<M>> for Customer
where
    ServerToClient: From<M>,
{
    fn handle<W: Writer>(&mut self, event: &FromServer<M>, writer: &W) {
        let message = ServerToClient::from(event.message.clone());
        if let Some(Messages::AuditReq(AuditReq { id, text })) = &message.messages {
            Self::send(&ToServer { message: AuditRsp { id: *id, text: reversed(text) } }, writer);
        }
        self.hear(Heard::Message(message), writer);
    }
}

impl Handle<Word> for Customer {
    fn handle<W: Writer>(&mut self, word: &Word, writer: &W) {
        match word.text.as_str() {
            // Whoever said it fails, and says why.
            GIVE_UP => writer.stop(),
            text => self.hear(Heard::Word(text.to_owned()), writer),
        }
    }
}
