"""One kept connection of a user: writes a request, reads its reply, tells how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Line(asyncio.Protocol):
    """HTTP/1.1 with one request at a time. ``ended`` is told 200, another status, or what went wrong."""

    def __init__(self, ended: Callable[[Line, str], None]) -> None:
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._have = b""
        self._need = -1
        self._status = ""
        self._close = False
        self.waiting = False

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> None:
        assert self._transport is not None
        self.waiting = True
        self._have, self._need = b"", -1
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self.waiting:
            return
        self._have = self._have + data if self._have else data
        if self._need < 0 and not self._head():
            return
        if len(self._have) >= self._need:
            self._end(self._status)

    def _head(self) -> bool:
        """Whether the head has come; sets the length of the whole reply."""
        stop = self._have.find(b"\r\n\r\n")
        if stop < 0:
            return False
        head = self._have[:stop].lower() + b"\r\n"
        self._status = self._have[9:12].decode("latin-1")
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            self._end("a reply without Content-Length")
            self.close()
            return False
        length = head[at + 17 : head.find(b"\r\n", at + 2)].strip()
        if not length.isdigit():
            self._end("a reply of no length")
            self.close()
            return False
        self._close = b"\r\nconnection: close" in head
        self._need = stop + 4 + int(length)
        return True

    def _end(self, how: str) -> None:
        self.waiting = False
        if self._close:
            self.close()
        self._ended(self, how)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.waiting:
            self.waiting = False
            self._ended(self, "connection reset" if exc is not None else "connection closed")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
