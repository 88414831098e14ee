//! What the two customers of the scenario hear and do, scene by scene: data, so that nothing is heard unchecked.

use crate::account::{fill, fnv, opened};
use crate::bank::*;
use crate::ledger::DOWNLOAD;
use crate::scene::{Deed, Heard, Scene};
use rust_messenger::messi::Reason;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Alice,
    Bob,
}

/// More than two pings.
const REST: Duration = Duration::from_millis(5500);
const UPLOAD: (u32, u32) = (60_000, 11);
const SEED: u32 = 7;

impl Role {
    pub const fn name(self) -> &'static str {
        match self {
            Role::Alice => "alice",
            Role::Bob => "bob",
        }
    }

    /// Sent first on every connection.
    pub fn open_req(self) -> OpenReq {
        OpenReq {
            owner: self.name().to_owned(),
            address: Some(Address { street: "Main Street 1".into(), city: "G\u{f6}teborg".into(), zip: 41101 }),
            token: (0..32).map(|place| 7 * place).collect(),
            limits: vec![-5, 0, 7, 1_000_000_000_000],
            kind: if self == Role::Alice { AccountKind::Savings } else { AccountKind::Checking }.into(),
            premium: self == Role::Alice,
            rate: 0.125,
        }
    }

    /// Connected, with this account, as everybody is told.
    fn has_opened(self, account_id: u32) -> Vec<Heard> {
        let answer = opened(account_id, &self.open_req());
        vec![Heard::Connected, hears(answer), self.has_joined(account_id)]
    }

    fn has_joined(self, account_id: u32) -> Heard {
        hears(JoinInd { account_id, owner: self.name().to_owned() })
    }

    pub fn script(self) -> Vec<Scene> {
        match self {
            Role::Alice => alice(),
            Role::Bob => bob(),
        }
    }
}

fn hears(message: impl Into<ServerToClient>) -> Heard {
    Heard::Message(message.into())
}

fn is_told(word: &str) -> Heard {
    Heard::Word(word.to_owned())
}

fn sends(message: impl Into<ClientToServer>) -> Deed {
    Deed::Send(message.into())
}

fn scene(hears: impl Into<Vec<Heard>>, does: impl Into<Vec<Deed>>) -> Scene {
    Scene { hears: hears.into(), does: does.into() }
}

fn entry(seq: u32) -> Entry {
    Entry { seq, amount: if seq == 100 { 0 } else { seq.into() }, memo: format!("d{seq}") }
}

fn deposit(seq: u32) -> Deed {
    let Entry { seq, amount, memo } = entry(seq);
    sends(DepositInd { seq, amount, memo })
}

fn statement() -> StatementRsp {
    StatementRsp { account_id: 1, balance: 4950, in_order: true, entries: (96..=100).map(entry).collect() }
}

fn audit(id: u32) -> Heard {
    hears(AuditReq { id, text: format!("audit-{id}") })
}

fn shout() -> String {
    "hello \u{e5}\u{e4}\u{f6}".to_owned()
}

fn alice() -> Vec<Scene> {
    let deposits = (1..=100).map(deposit).chain([sends(StatementReq { last: 5 })]);
    let data = fill(UPLOAD.0, UPLOAD.1);
    let uploaded = UploadRsp { size: UPLOAD.0, fnv: fnv(&data) };
    vec![
        scene(Role::Alice.has_opened(1), [Deed::Tell("come in")]),
        scene([Role::Bob.has_joined(2), is_told("I am in")], deposits.collect::<Vec<_>>()),
        scene([hears(statement())], [sends(UploadReq { data })]),
        scene([hears(uploaded)], [sends(DownloadReq { size: DOWNLOAD, seed: SEED })]),
        scene([hears(DownloadRsp { data: fill(DOWNLOAD, SEED) })], [sends(AuditStartReq { count: 3 })]),
        scene([audit(1), audit(2), audit(3), hears(AuditDoneInd { correct: 3 })], [Deed::Tell("shout")]),
        scene([hears(ShoutInd { account_id: 2, text: shout() }), is_told("I heard it")], [sends(NopReq {})]),
        scene([hears(NopRsp {})], [Deed::Rest(REST)]),
        scene([Heard::Rested], [sends(NopReq {}), Deed::Tell("are they awake")]),
        scene([hears(NopRsp {}), is_told("they are")], [Deed::Tell("annoy them")]),
        scene([Role::Bob.has_joined(3), is_told("I am back")], [sends(CloseReq {})]),
        scene([hears(CloseRsp { opens: 3, deposits: 100, shouts: 1, kicks: 1 })], [Deed::Tell("goodbye"), Deed::Leave]),
    ]
}

fn bob() -> Vec<Scene> {
    let mut kicked = vec![hears(KickRsp {}), Heard::Disconnected(Reason::ConnectionClosed)];
    kicked.extend(Role::Bob.has_opened(3));
    vec![
        scene([is_told("come in")], [Deed::Connect]),
        scene(Role::Bob.has_opened(2), [Deed::Tell("I am in")]),
        scene([is_told("shout")], [sends(ShoutReq { text: shout() })]),
        scene([hears(ShoutInd { account_id: 2, text: shout() })], [Deed::Tell("I heard it")]),
        scene([is_told("are they awake")], [sends(NopReq {})]),
        scene([hears(NopRsp {})], [Deed::Tell("they are")]),
        scene([is_told("annoy them")], [sends(KickReq {})]),
        scene(kicked, [Deed::Tell("I am back")]),
        scene([is_told("goodbye")], [Deed::Leave]),
    ]
}
