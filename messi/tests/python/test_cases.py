"""The cases of `messi/tests/cases`, played with the connection in Python. The README there says what they are."""

from __future__ import annotations

import math
import re
import unittest
from collections import deque
from pathlib import Path
from unittest import mock

import messi_runtime
from messi_runtime import Connection, DisconnectReason, MessageType, Settings, Side, Wire

FOLDER = Path(__file__).resolve().parent.parent / "cases"
PIECES = (1 << 30, 1, 3, 7)
LACKS = {"refuse"}
OPEN = 1 << 62
YES_OR_NO: dict[str, object] = {"yes": True, "no": False}
REASONS = {reason.name.lower(): reason for reason in DisconnectReason}
BYTES = re.compile(r'(?:"([^"]*)"|((?:[0-9a-fA-F]{2})+))(?:\*([0-9]+))?')


class Fault(Exception):
    """A case is not as it says."""


class Case:
    """The lines of a case with their numbers in the file, from behind `case` to `end`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[tuple[int, str]] = []

    def needs(self) -> list[str]:
        """What it says that it needs."""
        return next((line.split()[1:] for _, line in self.lines if line.startswith("needs ")), [])


def read(path: Path) -> list[Case]:
    """The cases of a file."""
    cases: list[Case] = []
    is_inside = False
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if is_inside:
            cases[-1].lines.append((number, line))
            is_inside = line != "end"
        else:
            assert line.startswith("case "), f"{path.name}:{number}: outside of a case"
            cases.append(Case(line[5:]))
            is_inside = True
    assert not is_inside, f"{path.name}: the last case has no end"
    return cases


def number(word: str) -> int:
    """A number that is not less than 0."""
    if not (word.isascii() and word.isdigit()):
        raise Fault(f"`{word}` is no number")
    return int(word)


def window(word: str) -> int:
    """How many, or all."""
    return OPEN if word == "open" else number(word)


def choice(word: str, choices: dict[str, object]) -> object:
    """What a word stands for."""
    if word not in choices:
        raise Fault(f"`{word}` is none of {', '.join(choices)}")
    return choices[word]


def data(text: str) -> bytes:
    """Hexadecimal digits and text in quotes, either of which may be repeated."""
    found, at = bytearray(), 0
    while at < len(text):
        match = BYTES.match(text, at)
        if match is None or (match.end() < len(text) and text[match.end()] != " "):
            raise Fault(f"no bytes: {text[at:]}")
        word = bytes.fromhex(match[2]) if match[1] is None else match[1].encode("ascii")
        found += word * int(match[3] or 1)
        at = match.end() + 1
        if at == len(text):
            raise Fault("a space at the end")
    return bytes(found)


class Plan:
    """The settings of a case."""

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.side = Side.SERVER
        self.settings: dict[str, object] = {}
        self.needs: list[str] = []
        self.turn: int | None = None
        self.pieces = PIECES
        self.each = [""]
        self.seen: set[str] = set()

    def set(self, key: str, values: list[str]) -> None:
        """One line."""
        if (key == "side") != (not self.seen):
            raise Fault("`side` is the first setting")
        if key in self.seen:
            raise Fault(f"`{key}` is there twice")
        self.seen.add(key)
        if key == "needs":
            self.needs = values
            if not self.known.issuperset(values):
                raise Fault(f"{set(values) - self.known} is no capability")
        elif key == "each":
            self.each = values
        elif len(values) != 1:
            raise Fault(f"`{key}` has one value")
        else:
            self.set_one(key, values[0])

    def set_one(self, key: str, value: str) -> None:
        """One value."""
        if key == "side":
            self.side = Side(choice(value, {"client": "client", "server": "server"}))
            self.settings["keep_alive"] = 2 if self.side is Side.CLIENT else 3
        elif key == "wire":
            self.set_wire(value)
        elif key in ("strict", "any_traffic"):
            self.settings[key] = choice(value, {"yes": True})
        elif key in ("max_frame", "max_pending"):
            self.settings[key] = number(value)
        elif key in ("keep_alive", "handshake_time", "frame_time", "write_time"):
            self.need("keep_alive" if key == "keep_alive" else "limits")
            is_never = key == "keep_alive" and value == "never"
            self.settings[key] = None if is_never else number(value) / 1000
        elif key == "turn":
            self.need("turns")
            self.turn = number(value)
        elif key == "pieces":
            self.pieces = choice(value, {"whole": PIECES[:1]})  # type: ignore[assignment]
        else:
            raise Fault(f"`{key}` is no setting")

    def set_wire(self, value: str) -> None:
        """Which framing."""
        if value == "v2":
            return
        self.need("old_wires")
        if value.startswith("auto_"):
            if self.side is Side.CLIENT:
                raise Fault("a client has to know its wire")
            self.settings["detect"] = choice(value, {"auto_v1a": Wire.V1A, "auto_v1b": Wire.V1B})
        else:
            self.settings["wire"] = choice(value, {"v1a": Wire.V1A, "v1b": Wire.V1B})

    def need(self, capability: str) -> None:
        """The case must say that it needs this."""
        if capability not in self.needs:
            raise Fault(f"needs `{capability}`, and does not say so")


class Life:
    """A connection, the socket and the user that it has, and what came out of it."""

    def __init__(self, plan: Plan, piece: int) -> None:
        self.plan = plan
        self.piece = piece
        self.now = 0
        self.connection = Connection(plan.side, Settings(**plan.settings), 0)  # type: ignore[arg-type]
        # What arrived and was not read; how much more the peer reads; how many messages more the user takes.
        self.socket = bytearray()
        self.window = OPEN
        self.room = OPEN
        # What came out, with its times.
        self.sent: deque[tuple[int, int]] = deque()
        self.messages: deque[tuple[int, bytes]] = deque()
        self.end: tuple[int, DisconnectReason] | None = None
        self.held = 0
        self.is_end_said = self.is_full = False

    @property
    def seconds(self) -> float:
        """The time as a connection has it."""
        return self.now / 1000

    def settle(self) -> None:
        """Reads and writes until there is nothing more to do now."""
        connection = self.connection
        while self.end is None:
            count = self.write()
            if connection.wants_input and self.socket:
                piece = bytes(self.socket[: self.piece])
                del self.socket[: self.piece]
                self.take_in(piece)
            elif connection.wants_turn and self.plan.turn is None:
                self.take_in(b"")
            elif not count:
                break

    def write(self) -> int:
        """The peer reads what there is and it is to read."""
        chunk = self.connection.output(self.window) if self.window and self.connection.has_output else b""
        if chunk:
            self.sent.extend((self.now, byte) for byte in chunk)
            self.window -= len(chunk) if self.window != OPEN else 0
            self.connection.wrote(0, self.seconds)
        return len(chunk)

    def take_in(self, piece: bytes) -> None:
        """Decodes bytes, or goes on with what was left, as far as there is room: as if the inbox had just that."""
        turn = OPEN if self.plan.turn is None else self.plan.turn
        with mock.patch.multiple(messi_runtime, _INBOX_LEN=self.room, _FRAMES_PER_TURN=turn):
            reason = self.connection.receive(piece, self.seconds)
        # What it holds is seen, and taken when there is room again: a place that is free would be used.
        inbox = self.connection._inbox
        self.messages.extend((self.now, inbox[i]) for i in range(self.held, len(inbox)))
        self.held = len(inbox)
        if self.room == OPEN:
            self.take_all()
        if reason is not None:
            self.end = (self.now, reason)

    def take_all(self) -> None:
        """The user has taken what the inbox holds."""
        while self.connection.take(self.seconds) is not None:
            pass
        self.held = 0

    def set_room(self, room: int) -> None:
        """From now on the user takes so many messages."""
        self.take_all()
        self.room = room
        self.take_in(b"")

    def deadline(self) -> int | None:
        """The next one, in milliseconds: whoever wants to be called within one is called at its end."""
        deadline = self.connection.next_deadline()
        return None if deadline is None else math.ceil(round(deadline * 1000, 6))

    def pass_time(self, until: int) -> None:
        """Keeps every deadline up to this time."""
        ticks = 0
        while self.end is None and (deadline := self.deadline()) is not None and deadline <= until:
            ticks += 1
            if ticks > 10000:
                # What stays due would be a loop that never waits.
                raise Fault(f"the deadline at {deadline} is never done")
            self.now = max(self.now, deadline)
            exactly = self.connection.next_deadline()
            assert exactly is not None
            reason = self.connection.tick(max(self.seconds, exactly))
            if reason is not None:
                self.end = (self.now, reason)
            self.settle()
        self.now = until

    def check_all_said(self) -> None:
        """Nothing has happened that the case has not said."""
        if self.sent:
            raise Fault(f"at {self.sent[0][0]} {bytes(byte for _, byte in self.sent)[:32]!r} was sent")
        if self.messages:
            raise Fault(f"at {self.messages[0][0]} there was the message {self.messages[0][1]!r}")
        if self.end is not None and not self.is_end_said:
            raise Fault(f"at {self.end[0]} it ended: {self.end[1].name}")

    def step(self, line: str) -> None:
        """One line."""
        time, _, rest = line.partition(" ")
        verb, _, value = rest.partition(" ")
        if self.is_end_said:
            raise Fault("a step behind the end")
        if number(time) < self.now:
            raise Fault(f"it is {self.now} already")
        if self.is_full:
            self.plan.need("retry")
        self.pass_time(number(time))
        if verb in self.ASSERTIONS:
            self.ASSERTIONS[verb](self, value)
        elif verb in self.ACTIONS:
            self.check_all_said()
            self.ACTIONS[verb](self, value)
            self.settle()
        else:
            raise Fault(f"`{verb}` is no step")

    # What steps do.

    def arrive(self, value: str) -> None:
        self.socket += data(value)

    def send(self, value: str) -> None:
        self.same("the send", self.send_one(value), True)

    def full(self, value: str) -> None:
        self.is_full = True
        self.same("the send", self.send_one(value), False)

    def send_one(self, value: str) -> bool:
        is_client = self.plan.side is Side.CLIENT
        kind = MessageType.CLIENT_TO_SERVER_USER if is_client else MessageType.SERVER_TO_CLIENT_USER
        return self.connection.send(kind, data(value), self.seconds)

    def set_window(self, value: str) -> None:
        self.window = window(value)

    def give_room(self, value: str) -> None:
        self.plan.need("room")
        self.set_room(window(value))

    def refuse(self, value: str) -> None:
        self.plan.need("refuse")

    def turn(self, value: str) -> None:
        self.plan.need("turns")
        self.take_in(b"")

    def quiet(self, value: str) -> None: ...

    ACTIONS = {
        "<": arrive,
        "send": send,
        "full": full,
        "window": set_window,
        "room": give_room,
        "refuse": refuse,
        "turn": turn,
        "quiet": quiet,
    }

    # What steps assert.

    def same(self, what: str, actual: object, expected: object) -> None:
        if actual != expected:
            raise Fault(f"{what}: {actual}, and not {expected}")

    def check_sent(self, value: str) -> None:
        expected = [(self.now, byte) for byte in data(value)]
        sent = [self.sent.popleft() for _ in range(min(len(expected), len(self.sent)))]
        self.same("the bytes", sent, expected)

    def check_message(self, value: str) -> None:
        self.same("the message", self.messages.popleft() if self.messages else None, (self.now, data(value)))

    def check_end(self, value: str) -> None:
        self.is_end_said = True
        self.same("the end", self.end, (self.now, choice(value, dict(REASONS))))
        self.check_all_said()

    def check_pending(self, value: str) -> None:
        self.same("pending", self.connection.pending, number(value))

    def check_reads(self, value: str) -> None:
        self.same("reads", self.connection.wants_input, choice(value, YES_OR_NO))

    def check_more(self, value: str) -> None:
        self.plan.need("turns")
        self.same("more", self.connection.wants_turn, choice(value, YES_OR_NO))

    def check_reason(self, value: str) -> None:
        said = {f'{reason.value} {name} "{reason}"' for name, reason in REASONS.items()}
        if value not in said:
            raise Fault(f"`{value}` is no reason")

    def check_deadline(self, value: str) -> None:
        self.plan.need("deadlines")
        self.same("the deadline", self.deadline(), None if value == "none" else number(value))

    ASSERTIONS = {
        ">": check_sent,
        "message": check_message,
        "ends": check_end,
        "pending": check_pending,
        "reads": check_reads,
        "more": check_more,
        "reason": check_reason,
        "deadline": check_deadline,
    }


def play(case: Case, known: set[str]) -> tuple[int, str] | None:
    """Plays a case in all pieces and with each word. Returns the line at which it failed, and how."""
    plan = Plan(known)
    steps = case.lines
    try:
        while (line := steps[0])[1] != "end" and not line[1][0].isdigit():
            words = line[1].split(" ")
            plan.set(words[0], words[1:])
            steps = steps[1:]
        for piece in plan.pieces:
            for word in plan.each:
                life = Life(plan, piece)
                for line in steps:
                    if line[1] == "end":
                        life.check_all_said()
                    else:
                        life.step(line[1].replace("$", word))
    except Fault as fault:
        return line[0], str(fault)
    return None


def capabilities() -> set[str]:
    """All that the README knows."""
    rows = (FOLDER / "README.md").read_text("ascii").partition("\n| capability |")[2].splitlines()[2:]
    return {row.split("`")[1] for row in rows if row.startswith("| `")}


class CasesTest(unittest.TestCase):
    """Whoever starts this compares what is printed with the cases that are there."""

    def test_cases_are_as_they_say(self) -> None:
        for path in sorted(FOLDER.glob("*.case")):
            for case in read(path) if path.name != "wrong.case" else []:
                lacked = [need for need in case.needs() if need in LACKS]
                if lacked:
                    print(f"lacks {lacked[0]} for {case.name}")
                    continue
                with self.subTest(file=path.name, case=case.name):
                    self.assertIsNone(play(case, capabilities()))
                    print(f"played {case.name}")

    def test_wrong_cases_fail_at_their_line(self) -> None:
        path = FOLDER / "wrong.case"
        lines = path.read_text("ascii").splitlines()
        wrong = [number for number, line in enumerate(lines, 2) if line == "# wrong"]
        cases = read(path)
        self.assertEqual(len(cases), len(wrong))
        self.assertGreater(len(cases), 50)
        for case, line in zip(cases, wrong):
            if LACKS.isdisjoint(case.needs()):
                with self.subTest(case=case.name):
                    failed = play(case, capabilities())
                    self.assertIsNotNone(failed, "it passes")
                    self.assertEqual(failed and failed[0], line, failed)


if __name__ == "__main__":
    unittest.main()
