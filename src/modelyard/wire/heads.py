"""HTTP/1.1 requests: a strict reader of single heads, and one of whole messages.

Both parse with llhttp. ``read`` serves a steady connection, where the caller frames the body by its
declared length and may remember the result for equal bytes. Everything else (chunked or compressed
bodies, ``Expect``, HTTP/1.0) goes through ``Messages``, which does its own framing.
"""

from __future__ import annotations

import urllib.parse
import zlib

import httptools

from modelyard.wire.problem import Problem


class Head:
    """The head of one request; names of headers are lower case."""

    __slots__ = ("headers", "keep_alive", "length", "method", "path", "simple", "version")

    def __init__(
        self, *, method: str, path: str, headers: dict[str, str], version: str, keep_alive: bool
    ) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.version = version
        self.keep_alive = keep_alive
        self.length = _length(headers)
        self.simple = version == "1.1" and keep_alive and _ODD.isdisjoint(headers)


_ODD = frozenset({"transfer-encoding", "content-encoding", "expect"})


def _length(headers: dict[str, str]) -> int:
    value = headers.get("content-length", "0")
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise Problem(400, f"Content-Length is {value[:40]!r}, which is no number of bytes.", close=True)
    return int(value)


class _Collector:
    """llhttp's callbacks for one message."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.begin()

    def begin(self) -> None:
        self.url = b""
        self.headers: dict[str, str] = {}
        self.head: Head | None = None

    def let_go(self) -> None:
        """Break the circle of parser and callbacks, which only a garbage collection would find."""
        del self.parser

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        if key in self.headers:
            if key in ("content-length", "host", "authorization", "inference-header-content-length"):
                raise Problem(400, f"The header {key} is there twice: send it once.", close=True)
            text = f"{self.headers[key]}, {text}"
        self.headers[key] = text

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise Problem(505, f"HTTP/{version} is not spoken here: use HTTP/1.1.", close=True)
        if version == "1.1" and "host" not in self.headers:
            raise Problem(400, "The header Host is missing: HTTP/1.1 asks for it.", close=True)
        self.head = Head(
            method=self.parser.get_method().decode("latin-1"),
            path=_path(self.url),
            headers=self.headers,
            version=version,
            keep_alive=self.parser.should_keep_alive(),
        )


def _path(url: bytes) -> str:
    try:
        raw = httptools.parse_url(url).path or b"/"
    except httptools.HttpParserInvalidURLError:
        raise Problem(400, "The request's target is no valid URL.", close=True) from None
    return urllib.parse.unquote(raw.decode("latin-1"), errors="replace")


def _malformed(error: Exception) -> Problem:
    cause = error.__context__
    if isinstance(cause, Problem):
        return cause
    return Problem(400, f"This is no well-formed HTTP request: {error}.", close=True)


def read(head: bytes) -> Head:
    """The head that ``head`` holds, with its closing blank line; ``Problem`` when it is none."""
    collector = _Collector()
    try:
        collector.parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # an upgrade may be declined by answering as if it was not asked for
    except httptools.HttpParserError as error:
        raise _malformed(error) from None
    finally:
        collector.let_go()
    if collector.head is None:
        raise Problem(400, "This is no well-formed HTTP request: its head is not complete.", close=True)
    return collector.head


class Messages(_Collector):
    """A connection's byte stream as whole messages, their bodies as they were sent.

    ``feed`` returns the messages that are complete, in order; ``expanded`` undoes a body's compression.
    Bounds: ``head`` and ``body`` bytes; over them ``Problem`` 431 or 413.
    """

    def __init__(self, *, head: int, body: int) -> None:
        super().__init__()
        self._limits = (head, body)
        self._head_bytes = 0
        self._body = bytearray()
        self._ready: list[tuple[Head, bytes]] = []
        self.wants_continue = False
        self.busy = False

    def on_message_begin(self) -> None:
        self.begin()
        self._head_bytes = 0
        self._body = bytearray()
        self.busy = True

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value) + 4)
        super().on_header(name, value)

    def _count_head(self, more: int) -> None:
        self._head_bytes += more
        if self._head_bytes > self._limits[0]:
            raise head_too_large(self._limits[0])

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        assert self.head is not None
        if self.head.length > self._limits[1]:
            raise body_too_large(self._limits[1])
        expect = self.headers.get("expect")
        if expect is not None:
            if expect.lower() != "100-continue":
                raise Problem(417, f"Expect: {expect[:40]} is not understood here.", close=True)
            self.wants_continue = True

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > self._limits[1]:
            raise body_too_large(self._limits[1])

    def on_message_complete(self) -> None:
        assert self.head is not None
        self.busy = False
        self.wants_continue = False
        self._ready.append((self.head, bytes(self._body)))

    def feed(self, data: bytes) -> list[tuple[Head, bytes]]:
        """Parse on; on ``Problem`` the messages before it are in ``ready``."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise Problem(
                501, "Upgrade is not offered here: send the request without it.", close=True
            ) from None
        except httptools.HttpParserError as error:
            raise _malformed(error) from None
        return self.ready()

    def ready(self) -> list[tuple[Head, bytes]]:
        """The complete messages not yet handed out."""
        ready, self._ready = self._ready, []
        return ready


def expanded(head: Head, body: bytes, limit: int) -> bytes:
    """The body without the compression that ``head`` declares; ``Problem`` 413 beyond ``limit`` bytes.

    A few kilobytes may become ``limit``: whoever reads many messages at once expands one at a time.
    """
    coding = head.headers.get("content-encoding", "identity").lower()
    if coding in ("identity", ""):
        return body
    windows = {"gzip": 31, "x-gzip": 31, "deflate": 15}
    if coding not in windows:
        raise Problem(
            415, f"Content-Encoding {coding[:40]} is not understood: use gzip, deflate or none.", close=True
        )
    expander = zlib.decompressobj(windows[coding])
    try:
        content = expander.decompress(body, limit + 1)
    except zlib.error:
        raise Problem(400, f"The body is no {coding}, as Content-Encoding says.", close=True) from None
    if len(content) > limit:
        raise body_too_large(limit)
    if not expander.eof:
        raise Problem(400, f"The {coding} body ends too early.", close=True)
    return content


def head_too_large(limit: int) -> Problem:
    return Problem(431, f"The request's head is longer than {limit} bytes.", close=True)


def body_too_large(limit: int) -> Problem:
    return Problem(413, f"The body is longer than {limit} bytes: send fewer rows a request.", close=True)
