"""All kinds of fields, and names that Python has for itself."""

from __future__ import annotations

import asyncio
import importlib
import pickle
import unittest
from typing import Any

import kinds_client
import kinds_pb2
import kinds_server
from google.protobuf import json_format, timestamp_pb2
from google.protobuf.internal import api_implementation
from sub import shared_types_pb2

PATIENCE = 30.0


def kinds() -> Any:
    """A message with something in every field."""
    message = kinds_pb2.Kinds(
        a_double=0.1,
        a_float=0.5,
        an_int32=-(2**31),
        an_int64=-(2**63),
        a_uint32=2**32 - 1,
        a_uint64=2**64 - 1,
        a_sint32=-1,
        a_sint64=-(2**63),
        a_fixed32=2**32 - 1,
        a_fixed64=2**64 - 1,
        a_sfixed32=-(2**31),
        a_sfixed64=-(2**63),
        a_bool=True,
        a_string="åäö",
        some_bytes=bytes(range(256)),
        level=kinds_pb2.HIGH,
        nested=kinds_pb2.Kinds.Nested(number=1, inner=kinds_pb2.Kinds.Nested.ONE),
        maybe=0,
        packed=[1, 2, 3],
        unpacked=[4, 5],
        many=[kinds_pb2.Kinds.Nested(number=2)],
        counts={"a": 1},
        shared=shared_types_pb2.Shared(length=1.5),
        at=timestamp_pb2.Timestamp(seconds=1),
        deep=kinds_pb2.Kinds.Nested.Deep(data=b"x"),
        old=3,
        itself=kinds_pb2.Kinds(a_bool=True),
        levels=[kinds_pb2.LOW, kinds_pb2.HIGH],
    )
    message.by_number[7].number = 8
    return message


class MessagesTest(unittest.TestCase):
    """The messages mean what the file says."""

    def test_golden_bytes(self) -> None:
        message = kinds_pb2.Kinds(an_int32=-1, maybe=0, packed=[1, 300], unpacked=[1, 300], level=kinds_pb2.HIGH, old=1)
        golden = "18ffffffffffffffffff01 8001ffffffffffffffffff01 900100 9a010301ac02 a00101 a001ac02 e00101"
        self.assertEqual(message.SerializeToString(), bytes.fromhex(golden))

    def test_everything_comes_back(self) -> None:
        message = kinds()
        again = kinds_pb2.Kinds.FromString(message.SerializeToString())
        self.assertEqual(again, message)
        self.assertEqual(len(again.ListFields()), 29)
        self.assertTrue(again.HasField("maybe"))
        self.assertFalse(kinds_pb2.Kinds().HasField("maybe"))
        self.assertEqual(again.WhichOneof("choice"), "deep")
        self.assertEqual(pickle.loads(pickle.dumps(message)), message)

    def test_names_in_json(self) -> None:
        message = kinds_pb2.Kinds(a_double=1, old=2)
        self.assertEqual(json_format.MessageToDict(message), {"aDouble": 1, "ancient": 2})

    def test_enums(self) -> None:
        self.assertEqual(kinds_pb2.Level.Value("HIGH"), -1)
        self.assertEqual(kinds_pb2.Level.items(), [("LOW", 0), ("NONE", 0), ("HIGH", -1), ("True", 7)])
        self.assertEqual(kinds_pb2.NONE, kinds_pb2.LOW)

    def test_options_of_others(self) -> None:
        options = kinds_pb2.Kinds.DESCRIPTOR.fields_by_name["old"].GetOptions()
        self.assertTrue(options.deprecated)
        length = shared_types_pb2.Shared.DESCRIPTOR.fields_by_name["length"]
        # The runtime that is all Python does not look for options that came later than it.
        if api_implementation.Type() != "python":
            self.assertEqual(length.GetOptions().Extensions[shared_types_pb2.unit], "m")
        # Those of nanopb are unknown here, and harmless.
        self.assertIsNotNone(kinds_pb2.Kinds.DESCRIPTOR.fields_by_name["a_string"].GetOptions())

    def test_public_imports(self) -> None:
        self.assertIs(kinds_pb2.Shared, shared_types_pb2.Shared)

    def test_keywords(self) -> None:
        none = getattr(kinds_pb2, "None")()
        setattr(none, "from", 1)
        getattr(none, "class").SetInParent()
        getattr(none, "in").SetInParent()
        setattr(getattr(none, "in"), "yield", 2)
        self.assertEqual(type(none).FromString(none.SerializeToString()), none)
        other = getattr(importlib.import_module("class.None_pb2"), "lambda")
        self.assertIsInstance(getattr(none, "in"), other)


class SidesTest(unittest.IsolatedAsyncioTestCase):
    """Members with such names get where they should."""

    async def test_every_member_both_ways(self) -> None:
        requests = ["from", "kinds", "camelCase", "nested_deep", "shared", "time", "__bare", "keyword"]
        answers = ["kinds", "None", "last", "before_last"]
        got: asyncio.Queue[Any] = asyncio.Queue()

        def keep(name: str) -> Any:
            async def handler(self: Any, *arguments: Any) -> None:
                got.put_nowait((name, arguments[-1]))

            return handler

        def subclass(base: Any, names: list[str]) -> Any:
            return type("Mine", (base,), {f"on_{name}": keep(name) for name in names})

        for base, names in ((kinds_server.KindsServer, requests), (kinds_client.KindsClient, answers)):
            self.assertEqual([name for name in vars(base) if name.startswith("on_")], [f"on_{name}" for name in names])
        server = subclass(kinds_server.KindsServer, requests)("tcp://127.0.0.1:0", keep_alive_timeout=None)
        async with server:
            uri = f"tcp://127.0.0.1:{server.addresses[0][1]}"
            async with subclass(kinds_client.KindsClient, answers)(uri) as client:
                while not (client.is_connected and server.clients):
                    await asyncio.sleep(0.001)
                for name in requests:
                    prepared = getattr(client, f"init_{name}")()
                    if name == "kinds":
                        prepared.CopyFrom(kinds())
                    self.assertTrue(client.send())
                    self.assertEqual(await asyncio.wait_for(got.get(), PATIENCE), (name, prepared))
                for name in answers:
                    prepared = getattr(server, f"init_{name}")()
                    self.assertEqual(server.broadcast(), 1)
                    self.assertEqual(await asyncio.wait_for(got.get(), PATIENCE), (name, prepared))


if __name__ == "__main__":
    unittest.main()
