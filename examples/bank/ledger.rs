//! The bank itself: what it counts, and what each request comes to. Knows no bus and no network.

use crate::account::{Account, Audit, fill, fnv, opened};
use crate::bank::client_to_server::Messages;
use crate::bank::*;
use rust_messenger::messi::{ClientId, Member, ToClientSide};
use std::collections::HashMap;

/// What goes out over the counter.
pub trait Counter {
    /// To one client.
    fn reply<M: Member<ToClientSide, Protocol = Bank>>(&mut self, client: ClientId, message: M);

    /// To all that are here.
    fn announce<M: Member<ToClientSide, Protocol = Bank>>(&mut self, message: M);

    /// Shows a client the door.
    fn show_out(&mut self, client: ClientId);
}

/// What has happened, over all clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connects: u32,
    pub disconnects: u32,
    pub opens: u32,
    pub deposits: u32,
    pub uploads: u32,
    pub downloads: u32,
    pub audits: u32,
    pub shouts: u32,
    pub nops: u32,
    pub kicks: u32,
}

impl Counts {
    /// What the scenario comes to.
    pub const SCENARIO: Counts = Counts {
        connects: 3,
        disconnects: 3,
        opens: 3,
        deposits: 100,
        uploads: 1,
        downloads: 1,
        audits: 3,
        shouts: 1,
        nops: 3,
        kicks: 1,
    };
}

/// The largest download in bytes.
pub const DOWNLOAD: u32 = 1_000_000;

#[derive(Default)]
pub struct Ledger {
    pub counts: Counts,
    accounts: HashMap<ClientId, Account>,
}

impl Ledger {
    pub fn came(&mut self, client: ClientId) {
        self.counts.connects += 1;
        self.accounts.insert(client, Account::default());
    }

    pub fn left(&mut self, client: ClientId) {
        self.counts.disconnects += 1;
        self.accounts.remove(&client);
    }

    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub fn answer(&mut self, client: ClientId, request: Messages, counter: &mut impl Counter) {
        // Nothing more from one who was shown out, though more may have come before the door was shut.
        let Some(account) = self.accounts.get_mut(&client).filter(|account| !account.is_leaving) else { return };
        let counts = &mut self.counts;
        match request {
            Messages::OpenReq(request) => {
                counts.opens += 1;
                account.id = counts.opens;
                counter.reply(client, opened(account.id, &request));
                counter.announce(JoinInd { account_id: account.id, owner: request.owner });
            }
            Messages::DepositInd(deposit) => {
                counts.deposits += 1;
                account.deposit(deposit);
            }
            Messages::StatementReq(request) => counter.reply(client, account.statement(request.last)),
            Messages::UploadReq(UploadReq { data }) => {
                counts.uploads += 1;
                counter.reply(client, UploadRsp { size: data.len() as u32, fnv: fnv(&data) });
            }
            Messages::DownloadReq(DownloadReq { size, seed }) => {
                counts.downloads += 1;
                counter.reply(client, DownloadRsp { data: fill(size.min(DOWNLOAD), seed) });
            }
            Messages::AuditStartReq(AuditStartReq { count }) => {
                account.audit = Audit::of(count);
                ask(client, &mut account.audit, counter);
            }
            Messages::AuditRsp(answer) => {
                // Unless nobody asked.
                if let Some(is_right) = account.audit.judge(&answer) {
                    counts.audits += u32::from(is_right);
                    ask(client, &mut account.audit, counter);
                }
            }
            Messages::ShoutReq(ShoutReq { text }) => {
                counts.shouts += 1;
                counter.announce(ShoutInd { account_id: account.id, text });
            }
            Messages::NopReq(NopReq {}) => {
                counts.nops += 1;
                counter.reply(client, NopRsp {});
            }
            Messages::KickReq(KickReq {}) => {
                counts.kicks += 1;
                account.is_leaving = true;
                counter.reply(client, KickRsp {});
                counter.show_out(client);
            }
            Messages::CloseReq(CloseReq {}) => {
                let Counts { opens, deposits, shouts, kicks, .. } = *counts;
                counter.reply(client, CloseRsp { opens, deposits, shouts, kicks });
            }
        }
    }
}

/// The next question of an audit, or what it has come to.
fn ask(client: ClientId, audit: &mut Audit, counter: &mut impl Counter) {
    match audit.next() {
        Some(question) => counter.reply(client, question),
        None => counter.reply(client, AuditDoneInd { correct: audit.correct }),
    }
}
