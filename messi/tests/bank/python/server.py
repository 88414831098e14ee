"""The server of the bank scenario in tests/interop/README.md: `server.py PORT`.

The generated modules of bank.proto must be on PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from dataclasses import dataclass, field

import bank_pb2
from bank_common import WIRE, fill, fnv
from bank_server import BankServer, DisconnectReason, RemoteClient


@dataclass
class Account:
    """What is known of one connection."""

    account_id: int = 0
    deposits: int = 0
    in_order: bool = True
    balance: int = 0
    entries: deque[bank_pb2.DepositInd] = field(default_factory=lambda: deque(maxlen=16))
    audits: int = 0
    asked: int = 0
    correct: int = 0


class Bank(BankServer):
    """Counts what it does, for the end."""

    def __init__(self, port: int) -> None:
        super().__init__(f"tcp://127.0.0.1:{port}", max_clients=3, max_frame=131072, wire=WIRE)
        self.accounts: dict[RemoteClient, Account] = {}
        self.counts = dict.fromkeys(EXPECTED, 0)
        self.is_closing = False
        self.done = asyncio.Event()

    async def on_client_connected(self, client: RemoteClient) -> None:
        self.counts["connects"] += 1
        self.accounts[client] = Account()

    async def on_client_disconnected(self, client: RemoteClient, reason: DisconnectReason) -> None:
        self.counts["disconnects"] += 1
        del self.accounts[client]
        if self.is_closing and not self.accounts:
            self.done.set()

    async def on_open_req(self, client: RemoteClient, message: bank_pb2.OpenReq) -> None:
        self.counts["opens"] += 1
        account = self.accounts[client]
        account.account_id = self.counts["opens"]
        answer = self.init_open_rsp()
        answer.account_id = account.account_id
        answer.owner = message.owner
        answer.address.CopyFrom(message.address)
        answer.token_fnv = fnv(message.token)
        answer.limits_total = sum(message.limits)
        answer.kind = message.kind
        answer.premium = message.premium
        answer.rate = message.rate
        self.reply()
        joined = self.init_join_ind()
        joined.account_id = account.account_id
        joined.owner = message.owner
        self.broadcast()

    async def on_deposit_ind(self, client: RemoteClient, message: bank_pb2.DepositInd) -> None:
        self.counts["deposits"] += 1
        account = self.accounts[client]
        account.deposits += 1
        account.in_order = account.in_order and message.seq == account.deposits
        account.balance += message.amount
        account.entries.append(message)

    async def on_statement_req(self, client: RemoteClient, message: bank_pb2.StatementReq) -> None:
        account = self.accounts[client]
        answer = self.init_statement_rsp()
        answer.account_id = account.account_id
        answer.balance = account.balance
        answer.in_order = account.in_order
        for entry in list(account.entries)[max(0, len(account.entries) - message.last) :]:
            answer.entries.add(seq=entry.seq, amount=entry.amount, memo=entry.memo)
        self.reply()

    async def on_upload_req(self, client: RemoteClient, message: bank_pb2.UploadReq) -> None:
        self.counts["uploads"] += 1
        answer = self.init_upload_rsp()
        answer.size = len(message.data)
        answer.fnv = fnv(message.data)
        self.reply()

    async def on_download_req(self, client: RemoteClient, message: bank_pb2.DownloadReq) -> None:
        self.counts["downloads"] += 1
        self.init_download_rsp().data = fill(min(message.size, 1000000), message.seed)
        self.reply()

    async def on_audit_start_req(self, client: RemoteClient, message: bank_pb2.AuditStartReq) -> None:
        account = self.accounts[client]
        account.audits, account.asked, account.correct = message.count, 0, 0
        self.audit(client)

    async def on_audit_rsp(self, client: RemoteClient, message: bank_pb2.AuditRsp) -> None:
        account = self.accounts[client]
        if message.id == account.asked and message.text == f"audit-{account.asked}"[::-1]:
            account.correct += 1
            self.counts["audits"] += 1
        self.audit(client)

    def audit(self, client: RemoteClient) -> None:
        """Asks the client the next question, or tells it how many answers were right."""
        account = self.accounts[client]
        if account.asked == account.audits:
            self.init_audit_done_ind().correct = account.correct
        else:
            account.asked += 1
            question = self.init_audit_req()
            question.id = account.asked
            question.text = f"audit-{account.asked}"
        self.send(client)

    async def on_shout_req(self, client: RemoteClient, message: bank_pb2.ShoutReq) -> None:
        self.counts["shouts"] += 1
        shout = self.init_shout_ind()
        shout.account_id = self.accounts[client].account_id
        shout.text = message.text
        self.broadcast()

    async def on_nop_req(self, client: RemoteClient, message: bank_pb2.NopReq) -> None:
        self.counts["nops"] += 1
        self.init_nop_rsp()
        self.reply()

    async def on_kick_req(self, client: RemoteClient, message: bank_pb2.KickReq) -> None:
        self.counts["kicks"] += 1
        self.init_kick_rsp()
        self.reply()
        self.disconnect()

    async def on_close_req(self, client: RemoteClient, message: bank_pb2.CloseReq) -> None:
        answer = self.init_close_rsp()
        answer.opens = self.counts["opens"]
        answer.deposits = self.counts["deposits"]
        answer.shouts = self.counts["shouts"]
        answer.kicks = self.counts["kicks"]
        self.reply()
        self.is_closing = True


EXPECTED = {
    "connects": 3,
    "disconnects": 3,
    "opens": 3,
    "deposits": 100,
    "uploads": 1,
    "downloads": 1,
    "audits": 3,
    "shouts": 1,
    "nops": 3,
    "kicks": 1,
}


async def main(port: int) -> bool:
    """Serves one scenario and says whether all of it was seen."""
    async with Bank(port) as bank:
        print(f"READY {bank.addresses[0][1]}", flush=True)
        try:
            await asyncio.wait_for(bank.done.wait(), 30)
        except asyncio.TimeoutError:
            print("FAIL nobody closed the bank", bank.counts)
            return False
    is_right = bank.counts == EXPECTED
    print("PASS" if is_right else "FAIL", "server.py", bank.counts)
    return is_right


if __name__ == "__main__":
    sys.exit(not asyncio.run(main(int(sys.argv[1]))))
