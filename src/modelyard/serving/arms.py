"""Which of a model's versions answers a request: the champion, a canary beside it, or both with a shadow unseen."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable
from typing import Any

from modelyard.records.service import ServedModel
from modelyard.serving.connection import Slot
from modelyard.serving.streamed import KINDS
from modelyard.serving.turn import Queue
from modelyard.wire.heads import Head
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed, Reading

Act = Callable[[Slot], None]
_WHOLE = 1 << 64


def divided(make: Callable[[Queue], Act], champion: Queue, rival: Queue | None, head: Head) -> Act:
    """What to do with a request, where ``make`` is what to do with it by one version.

    Without a rival nothing is decided. A canary takes its share, of clients by the header that its plan names (the
    same client is always answered by the same version) or of requests at random.
    """
    if rival is None:
        return make(champion)
    served = rival.live.served
    if served.arm == "shadow":
        return make(champion) if _streams(head) else _mirrored(make(champion), make(rival))
    key = head.headers.get(served.sticky.lower()) if served.sticky else None
    if key is not None:
        return make(rival if chosen(served, key) else champion)
    return _drawn(make(champion), make(rival), served.share)


def chosen(served: ServedModel, key: str) -> bool:
    """Whether a client is among the canary's: by the key and the model alone, so that a larger share keeps them."""
    digest = hashlib.blake2b(f"{served.model}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < served.share * _WHOLE


def _streams(head: Head) -> bool:
    return head.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower() in KINDS


def _drawn(main: Act, side: Act, share: float) -> Act:
    draw = random.random

    def act(slot: Slot) -> None:
        (side if draw() < share else main)(slot)

    return act


def _mirrored(main: Act, side: Act) -> Act:
    def act(slot: Slot) -> None:
        unseen: Any = Unseen(slot)
        main(slot)
        with contextlib.suppress(Exception):  # whatever the shadow has, nobody else shall notice
            side(unseen)

    return act


class Unseen:
    """A request that is answered to nobody; the answer is logged and counted."""

    parts = None
    gone = False

    def __init__(self, slot: Slot) -> None:
        self.body: bytes | Reading = slot.body
        self.size = slot.size
        self.client_id = slot.client_id

    def answered(self, body: bytes) -> None: ...
    def replied(self, framed: Framed) -> None: ...
    def refused(self, problem: Problem) -> None: ...
    def send(self) -> None: ...
