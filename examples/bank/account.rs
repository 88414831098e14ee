//! One client's account.

use crate::bank::*;
use std::collections::VecDeque;

/// Entries that are kept.
const ENTRIES: usize = 16;
/// Characters of a memo that are kept: a statement must not become much larger than what was asked with.
const MEMO: usize = 1000;

/// One per connection.
#[derive(Default)]
pub struct Account {
    pub id: u32,
    balance: i64,
    deposits: u32,
    out_of_order: bool,
    /// The newest.
    entries: VecDeque<Entry>,
    pub audit: Audit,
    pub is_leaving: bool,
}

/// Questions from the bank to a client, one at a time.
#[derive(Default)]
pub struct Audit {
    count: u32,
    asked: u32,
    pub correct: u32,
    /// The last one is not answered yet.
    is_open: bool,
}

impl Account {
    pub fn deposit(&mut self, DepositInd { seq, amount, memo }: DepositInd) {
        self.deposits = self.deposits.wrapping_add(1);
        self.out_of_order |= seq != self.deposits;
        self.balance = self.balance.wrapping_add(amount);
        if self.entries.len() == ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { seq, amount, memo: memo.chars().take(MEMO).collect() });
    }

    pub fn statement(&self, last: u32) -> StatementRsp {
        let skipped = self.entries.len().saturating_sub(last as usize);
        StatementRsp {
            account_id: self.id,
            balance: self.balance,
            in_order: !self.out_of_order,
            entries: self.entries.iter().skip(skipped).cloned().collect(),
        }
    }
}

impl Audit {
    pub fn of(count: u32) -> Audit {
        Audit { count, ..Audit::default() }
    }

    /// The next question.
    pub fn next(&mut self) -> Option<AuditReq> {
        self.is_open = self.asked < self.count;
        self.asked += u32::from(self.is_open);
        self.is_open.then(|| AuditReq { id: self.asked, text: self.text() })
    }

    /// Whether the answer to the last question is right; `None` if nothing was asked.
    pub fn judge(&mut self, answer: &AuditRsp) -> Option<bool> {
        let is_right = answer.id == self.asked && answer.text == reversed(&self.text());
        self.correct += u32::from(self.is_open && is_right);
        self.is_open.then_some(is_right)
    }

    fn text(&self) -> String {
        format!("audit-{}", self.asked)
    }
}

/// The answer to one who opens account `account_id`.
pub fn opened(account_id: u32, request: &OpenReq) -> OpenRsp {
    OpenRsp {
        account_id,
        owner: request.owner.clone(),
        address: request.address.clone(),
        token_fnv: fnv(&request.token),
        limits_total: request.limits.iter().fold(0, |total, limit| total.wrapping_add(*limit)),
        kind: request.kind,
        premium: request.premium,
        rate: request.rate,
    }
}

pub fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

/// Bytes that everybody can make again.
pub fn fill(size: u32, seed: u32) -> Vec<u8> {
    (0..size).map(|place| seed.wrapping_add(place.wrapping_mul(31)) as u8).collect()
}

/// FNV-1a, 32 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
pub fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(2_166_136_261, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619))
}
