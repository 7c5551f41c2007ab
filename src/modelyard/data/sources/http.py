"""A file at ``http(s)://``, fetched whole or not at all."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from modelyard.data.sources import listing
from modelyard.data.sources.secret import Filled, fill
from modelyard.data.sources.staged import Place
from modelyard.errors import DataRefused, SourceDown, SourceMissing
from modelyard.records.dataset import SourceFile
from modelyard.settings import SourceSettings

ATTEMPTS = 4
PAUSE = 0.25
"""Seconds after the first failure; doubled after each."""
_PIECE = 2**20
_SLOWEST = 1024
"""Bytes a second."""
_T = TypeVar("_T")


class _Again(Exception):
    """Worth another attempt; says why."""


def fingerprint(source: SourceSettings, root: Path) -> SourceFile | None:
    """By the server's ETag or Last-Modified; None when it gives neither."""
    request = _Request(source, root)

    def head() -> SourceFile | None:
        with request.open("HEAD") as reply:
            mark = _mark(reply.headers)
            size = _announced(reply.headers) or 0
            return SourceFile(path=request.origin, size=size, sha256="", mark=mark) if mark else None

    try:
        return request.retried(head)
    except DataRefused:  # a server that knows no HEAD
        return None


def fetch(source: SourceSettings, place: Place) -> tuple[Path, str, str]:
    """(file, origin, mark of what was fetched).

    Each attempt begins anew; a file counts as whole when it has the length that the server announced.
    Raises ``SourceMissing`` for 404 and 410, ``DataRefused`` for other refusals and for more than
    ``limit_gb``, ``SourceDown`` after the last attempt.
    """
    request = _Request(source, place.root)
    target = place.new(Path(urlsplit(source.url or "").path).name or "page")

    def get() -> str:
        with request.open("GET") as reply, target.open("wb") as out:
            _copy(reply, out, request)
            return _mark(reply.headers)

    try:
        return target, request.origin, request.retried(get)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy(reply: Any, out: Any, request: _Request) -> None:
    announced = _announced(reply.headers)
    limit = int(request.source.limit_gb * 1e9)
    if announced is not None and announced > limit:
        raise request.too_large()
    began, held = time.monotonic(), 0
    while piece := reply.read1(_PIECE):
        out.write(piece)
        held += len(piece)
        if held > limit:
            raise request.too_large()
        seconds = time.monotonic() - began
        if seconds > request.source.timeout and held < seconds * _SLOWEST:
            raise _Again(f"sent {held} bytes in {seconds:.0f} seconds")
    if announced is not None and held != announced:
        raise _Again(f"sent {held} of {announced} bytes")


class _Request:
    def __init__(self, source: SourceSettings, root: Path) -> None:
        self.source = source
        self.origin = listing.name_of(source)
        filled = fill(source.url or "", root)
        headers = {name: fill(value, root, url=False) for name, value in source.headers.items()}
        literal = [Filled("", (value.text, *value.text.split())) for value in headers.values()]
        self._said = filled.with_(*headers.values(), *literal)
        parts = urlsplit(filled.text)
        login, _, host = parts.netloc.rpartition("@")
        self._url = urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
        self._headers = {"User-Agent": "modelyard", "Accept-Encoding": "identity"}
        if login:
            import base64

            plain = base64.b64encode(unquote(login).encode()).decode()
            self._headers["Authorization"] = f"Basic {plain}"
        self._headers |= {name: value.text for name, value in headers.items()}

    def open(self, method: str) -> Any:
        request = urllib.request.Request(self._url, method=method, headers=self._headers)
        try:
            reply = _opener().open(request, timeout=self.source.timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from None
        except ValueError as error:
            raise DataRefused(f"{self.origin} is no address: {self._said.hide(error)}.") from None
        if reply.headers.get("Content-Encoding", "identity") != "identity":
            raise DataRefused(f"{self.origin} comes compressed, which was not asked for; name a .gz file.")
        return reply

    def retried(self, attempt: Callable[[], _T]) -> _T:
        """The attempt's answer; again after an outage, with growing pauses."""
        for number in range(1, ATTEMPTS + 1):
            try:
                return attempt()
            except (
                _Again,
                http.client.HTTPException,
                urllib.error.URLError,
                TimeoutError,
                ConnectionError,
            ) as error:
                if isinstance(error, urllib.error.URLError) and isinstance(
                    error.reason, ssl.SSLCertVerificationError
                ):
                    raise SourceDown(
                        f"{self.origin}: its certificate is not trusted; mend it or its name."
                    ) from None
                reason = self._why(error)
            if number < ATTEMPTS:
                time.sleep(PAUSE * 2 ** (number - 1))
        raise SourceDown(f"{self.origin} {reason}, {ATTEMPTS} times; try again when it answers.")

    def too_large(self) -> DataRefused:
        return DataRefused(
            f"{self.origin} is larger than {self.source.limit_gb:g} GB; raise 'limit_gb' if it should be."
        )

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        status = error.code
        if status in (404, 410):
            return SourceMissing(f"There is nothing at {self.origin} ({status}); change 'source'.")
        if status in (301, 302, 303, 307, 308):
            return DataRefused(f"{self.origin} leads in circles or to no web address; change 'source'.")
        if status in (401, 403, 407):
            return DataRefused(
                f"{self.origin} may not be read ({status}); give 'headers' or a login that may."
            )
        if status in (408, 425, 429) or status >= 500:
            return _Again(f"answered {status}")
        return DataRefused(f"{self.origin} refuses ({status}); look at the address and the headers.")

    def _why(self, error: Exception) -> str:
        inner = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(inner, TimeoutError):
            return f"did not answer within {self.source.timeout:g} seconds"
        if isinstance(inner, _Again):
            return str(inner)
        if isinstance(inner, http.client.IncompleteRead):
            return "broke off"
        if isinstance(inner, socket.gaierror):
            return "has a host that is not known"
        return f"failed ({self._said.hide(getattr(inner, 'strerror', None) or type(inner).__name__)})"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Credentials go to the host that they were given for, and to no other."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is None:
            return None
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            keep = {"User-agent", "Accept-encoding"}
            new.headers = {k: v for k, v in new.headers.items() if k in keep}
        if req.get_method() == "HEAD":
            new.method = "HEAD"
        return new


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)  # no file:// and no ftp://, wherever a redirect leads
    return opener


def _announced(headers: Message) -> int | None:
    """The length that the server tells, where it tells one."""
    told = headers.get("Content-Length", "").strip()
    return int(told) if told.isascii() and told.isdigit() else None


def _mark(headers: Message) -> str:
    if etag := headers.get("ETag", ""):
        return f"ETag {etag}"
    if moment := headers.get("Last-Modified", ""):
        return f"Last-Modified {moment}, {headers.get('Content-Length', '?')} bytes"
    return ""
