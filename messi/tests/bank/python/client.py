"""Both clients of the bank scenario in tests/interop/README.md: `client.py PORT`.

The generated modules of bank.proto must be on PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import bank_pb2
from bank_client import BankClient, DisconnectReason
from bank_common import WIRE, fill, fnv

TOKEN = bytes(7 * i % 256 for i in range(32))


class Customer(BankClient):
    """Keeps what it is told, until the scenario asks for it."""

    def __init__(self, port: int, owner: str, kind: int, premium: bool) -> None:
        super().__init__(f"tcp://127.0.0.1:{port}", max_frame=2097152, wire=WIRE)
        self.owner = owner
        self.kind = kind
        self.premium = premium
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.joins: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.ends: list[DisconnectReason] = []

    async def on_connected(self) -> None:
        request = self.init_open_req()
        request.owner = self.owner
        request.address.street = "Main Street 1"
        request.address.city = "Göteborg"
        request.address.zip = 41101
        request.token = TOKEN
        request.limits.extend([-5, 0, 7, 1000000000000])
        request.kind = self.kind
        request.premium = self.premium
        request.rate = 0.125
        self.send()

    async def on_disconnected(self) -> None:
        assert self.disconnect_reason is not None
        self.ends.append(self.disconnect_reason)
        self.answers.put_nowait(self.disconnect_reason)

    async def on_join_ind(self, message: bank_pb2.JoinInd) -> None:
        self.joins.put_nowait((message.account_id, message.owner))

    async def on_audit_req(self, message: bank_pb2.AuditReq) -> None:
        answer = self.init_audit_rsp()
        answer.id = message.id
        answer.text = message.text[::-1]
        self.send()

    async def keep(self, message: Any) -> None:
        """Keeps an answer."""
        self.answers.put_nowait(message)

    on_open_rsp = on_statement_rsp = on_upload_rsp = on_download_rsp = on_audit_done_ind = keep
    on_shout_ind = on_nop_rsp = on_kick_rsp = on_close_rsp = keep

    async def expect(self, kind: Any) -> Any:
        """The next answer, which must be of this kind."""
        answer = await asyncio.wait_for(self.answers.get(), 10)
        assert answer is kind or type(answer) is kind, f"{self.owner}: {kind} was expected, and {answer} came"
        return answer

    async def expect_join(self, account_id: int, owner: str) -> None:
        """The next account that is opened must be this one."""
        joined = await asyncio.wait_for(self.joins.get(), 10)
        assert joined == (account_id, owner), f"{self.owner}: {joined}"

    async def expect_open(self, account_id: int) -> None:
        """The account was opened as asked."""
        answer = await self.expect(bank_pb2.OpenRsp)
        expected = bank_pb2.OpenRsp(
            account_id=account_id,
            owner=self.owner,
            address=bank_pb2.Address(street="Main Street 1", city="Göteborg", zip=41101),
            token_fnv=fnv(TOKEN),
            limits_total=1000000000002,
            kind=self.kind,
            premium=self.premium,
            rate=0.125,
        )
        assert answer == expected, answer


async def scenario(a: Customer, b: Customer) -> None:
    """The steps of the README."""
    a.start()
    await a.expect_open(1)
    await a.expect_join(1, "alice")
    b.start()
    await b.expect_open(2)
    await b.expect_join(2, "bob")
    await a.expect_join(2, "bob")

    for i in range(1, 101):
        deposit = a.init_deposit_ind()
        deposit.seq = i
        deposit.amount = i % 100
        deposit.memo = f"d{i}"
        a.send()
    a.init_statement_req().last = 5
    a.send()
    statement = await a.expect(bank_pb2.StatementRsp)
    assert (statement.account_id, statement.balance, statement.in_order) == (1, 4950, True), statement
    entries = [(entry.seq, entry.amount, entry.memo) for entry in statement.entries]
    assert entries == [(i, i % 100, f"d{i}") for i in range(96, 101)], entries

    data = fill(60000, 11)
    a.init_upload_req().data = data
    a.send()
    upload = await a.expect(bank_pb2.UploadRsp)
    assert (upload.size, upload.fnv) == (60000, fnv(data)), upload

    download = a.init_download_req()
    download.size = 1000000
    download.seed = 7
    a.send()
    assert (await a.expect(bank_pb2.DownloadRsp)).data == fill(1000000, 7)

    a.init_audit_start_req().count = 3
    a.send()
    assert (await a.expect(bank_pb2.AuditDoneInd)).correct == 3

    b.init_shout_req().text = "hello åäö"
    b.send()
    for customer in (a, b):
        shout = await customer.expect(bank_pb2.ShoutInd)
        assert (shout.account_id, shout.text) == (2, "hello åäö"), shout

    a.init_nop_req()
    a.send()
    await a.expect(bank_pb2.NopRsp)
    # What is waited for is that nothing happens.
    await asyncio.sleep(5.5)
    assert not a.ends and not b.ends, "disconnected while nothing was said"
    for customer in (a, b):
        customer.init_nop_req()
        customer.send()
        await customer.expect(bank_pb2.NopRsp)

    b.init_kick_req()
    b.send()
    await b.expect(bank_pb2.KickRsp)
    await b.expect(DisconnectReason.CONNECTION_CLOSED)
    await b.expect_open(3)
    await b.expect_join(3, "bob")
    await a.expect_join(3, "bob")

    a.init_close_req()
    a.send()
    totals = await a.expect(bank_pb2.CloseRsp)
    assert (totals.opens, totals.deposits, totals.shouts, totals.kicks) == (3, 100, 1, 1), totals
    assert not a.ends, a.ends


async def main(port: int) -> bool:
    """Plays the scenario and says whether all of it was right."""
    a = Customer(port, "alice", bank_pb2.SAVINGS, True)
    b = Customer(port, "bob", bank_pb2.CHECKING, False)
    try:
        await asyncio.wait_for(scenario(a, b), 28)
    except (AssertionError, asyncio.TimeoutError) as error:
        print(f"FAIL client.py {error!r}")
        return False
    finally:
        await asyncio.gather(a.stop(), b.stop())
    print("PASS client.py")
    return True


if __name__ == "__main__":
    sys.exit(not asyncio.run(main(int(sys.argv[1]))))
