"""What supervisor and worker say to each other over their socket pair: one JSON line a message."""

from __future__ import annotations

import msgspec

from modelyard.records.service import ServicePlan


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Open the plan's models beside the live ones. ``series`` lists (model, version, cells)."""

    turn: int
    plan: ServicePlan
    series: list[tuple[str, int, int]]


class Switch(msgspec.Struct, frozen=True, tag="switch"):
    """Answer with what was loaded."""

    turn: int


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Forget what was loaded; go on with what is live, even when that is nothing."""

    turn: int


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    turn: int


class Switched(msgspec.Struct, frozen=True, tag="switched"):
    turn: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    turn: int
    error: str


Order = Load | Switch | Drop
Word = Loaded | Switched | Failed

_ORDERS: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_WORDS: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)


def line(message: Order | Word) -> bytes:
    return msgspec.json.encode(message) + b"\n"


class Lines:
    """A byte stream cut into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines


def order(content: bytes) -> Order:
    return _ORDERS.decode(content)


def word(content: bytes) -> Word:
    return _WORDS.decode(content)
