"""What a request's head comes down to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Entry:
    """A head, read once: what to do, how long the body is, how the connection goes on.

    ``steady`` means HTTP/1.1, kept alive, GET or POST: its replies have the plain frame. ``inference``
    chooses the form of a refusal.
    """

    __slots__ = ("act", "bodiless", "client_id", "inference", "keep_alive", "length", "steady", "version")

    def __init__(
        self,
        act: Callable[[Any], None],
        *,
        length: int = 0,
        keep_alive: bool = True,
        version: str = "1.1",
        inference: bool = False,
        bodiless: bool = False,
        client_id: str | None = None,
    ) -> None:
        self.act = act
        self.length = length
        self.keep_alive = keep_alive
        self.version = version
        self.inference = inference
        self.bodiless = bodiless
        self.client_id = client_id
        self.steady = keep_alive and version == "1.1" and not bodiless and client_id is None

    def closing(self) -> Entry:
        """The same, with the connection closed after it."""
        return Entry(
            self.act,
            length=self.length,
            keep_alive=False,
            version=self.version,
            inference=self.inference,
            bodiless=self.bodiless,
            client_id=self.client_id,
        )
