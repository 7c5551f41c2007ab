"""Replies as bytes."""

from __future__ import annotations

import gzip
import zlib
from email.utils import formatdate

from modelyard.wire.problem import REASONS
from modelyard.wire.reading import JSON

CODINGS = frozenset({"gzip", "deflate"})
"""Compressions that are used when a client asks for one of them alone; the lists of browsers and libraries are
no wish, and compressing costs more than most answers."""


def compressed(body: bytes, coding: str) -> bytes:
    return gzip.compress(body, 1) if coding == "gzip" else zlib.compress(body, 1)


class Frames:
    """Writes reply heads; ``tick`` renews the date, once a second. ``steady % (length, body)`` is a JSON answer on a
    connection that stays open."""

    def __init__(self) -> None:
        self.tick()

    def tick(self) -> None:
        date = formatdate(usegmt=True).encode()
        self.steady = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: "
            + date
            + b"\r\ncontent-length: %d\r\n\r\n%b"
        )
        self._date = date

    def chunked(self, kind: bytes, *, headers: bytes, close: bool) -> bytes:
        """The head of a reply whose body follows in chunks. ``headers`` are lines ended by CRLF."""
        if close:
            headers += b"connection: close\r\n"
        return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ndate: %b\r\n%btransfer-encoding: chunked\r\n\r\n" % (
            kind,
            self._date,
            headers,
        )

    def whole(
        self,
        status: int,
        body: bytes,
        *,
        kind: bytes = JSON,
        headers: bytes = b"",
        connection: bytes = b"",
        bodiless: bool = False,
    ) -> bytes:
        """Any reply. ``headers`` are lines ended by CRLF, ``connection`` is ``close``, ``keep-alive`` or
        nothing, ``bodiless`` answers HEAD."""
        if connection:
            headers += b"connection: " + connection + b"\r\n"
        head = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ndate: %b\r\n%bcontent-length: %d\r\n\r\n" % (
            status,
            REASONS[status].encode(),
            kind,
            self._date,
            headers,
            len(body),
        )
        return head if bodiless else head + body
