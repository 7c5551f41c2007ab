"""What a request's head comes down to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelyard.wire.problem import Problem


class Entry:
    """A head, read once: what to do, how long the body is, how the connection goes on.

    ``steady`` means HTTP/1.1, kept alive, GET or POST, nothing compressed: its replies have the plain frame.
    ``plain`` means in addition that it has a body and nothing is told of it.
    ``refusal`` writes a refusal in the surface's form; ``coding`` is the compression that the client asks for, ``extra``
    are further header lines of every reply. ``client_id`` is what the client called the request and is told so again,
    ``known_as`` what it is logged as: that, or its trace. ``seen`` is what is told of it, where anything is. A ``fleeting`` one is
    not remembered: its head hardly comes again, or would be answered otherwise then.
    """

    __slots__ = (
        "act",
        "bodiless",
        "client_id",
        "coding",
        "extra",
        "fleeting",
        "keep_alive",
        "known_as",
        "length",
        "plain",
        "refusal",
        "seen",
        "steady",
        "version",
    )

    def __init__(
        self,
        act: Callable[[Any], None],
        *,
        length: int = 0,
        keep_alive: bool = True,
        version: str = "1.1",
        refusal: Callable[[Problem], bytes] = Problem.native,
        bodiless: bool = False,
        client_id: str | None = None,
        coding: str | None = None,
        extra: bytes = b"",
        known_as: str | None = None,
        seen: Any = None,
        fleeting: bool = False,
    ) -> None:
        self.act = act
        self.length = length
        self.keep_alive = keep_alive
        self.version = version
        self.refusal = refusal
        self.bodiless = bodiless
        self.client_id = client_id
        self.coding = coding
        self.extra = extra
        self.known_as = known_as or client_id
        self.seen = seen
        self.fleeting = fleeting
        plain = not bodiless and client_id is None and coding is None and not extra
        self.steady = keep_alive and version == "1.1" and plain
        self.plain = self.steady and seen is None and length > 0

    def closing(self) -> Entry:
        """The same, with the connection closed after it."""
        return Entry(
            self.act,
            length=self.length,
            keep_alive=False,
            version=self.version,
            refusal=self.refusal,
            bodiless=self.bodiless,
            client_id=self.client_id,
            coding=self.coding,
            extra=self.extra,
            known_as=self.known_as,
            seen=self.seen,
            fleeting=self.fleeting,
        )
