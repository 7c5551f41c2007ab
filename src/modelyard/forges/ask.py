"""One request to a forge's API, tried again while the forge is at fault."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from modelyard.errors import ForgeDenied, ForgeDown, ForgeRefused

ATTEMPTS = 4
PAUSE = 0.5
"""Seconds after the first failure; doubled after each."""
_LONGEST = 30.0
"""Seconds that a forge may ask us to wait."""
_TIMEOUT = 20
_PAGES = 50
_NOT_REACHED = (ConnectionRefusedError, socket.gaierror)


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that it is meant for, and to no other that an answer names."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_StayHere)


@dataclass(frozen=True)
class Api:
    """An API below ``base`` with the headers that authenticate."""

    name: str
    """The forge's, for sentences."""
    base: str
    headers: Mapping[str, str]

    def get(self, path: str) -> Any:
        return self._ask("GET", path)[0]

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, body)[0]

    def begin(self, path: str, body: object) -> Any:
        """A POST that must not be done twice: tried again only when it was not taken for sure."""
        return self._ask("POST", path, body, once=True)[0]

    def put(self, path: str, body: object) -> Any:
        return self._ask("PUT", path, body)[0]

    def patch(self, path: str, body: object) -> Any:
        return self._ask("PATCH", path, body)[0]

    def send(self, path: str, content: bytes, kind: str) -> Any:
        """Bytes as they are."""
        return self._ask("POST", path, content, kind=kind)[0]

    def pages(self, path: str) -> Iterator[Any]:
        """Each page of a list that says in its ``Link`` header, or as ``next`` in its body, where the next one is."""
        url: str | None = path
        for _ in range(_PAGES):
            if url is None:
                return
            page, headers = self._ask("GET", url)
            yield page
            url = _linked(headers) or (page.get("next") if isinstance(page, dict) else None)
            if url is not None and not url.startswith(self.base):
                raise ForgeDown(f"{self.name} names a next page on another server, {url}; it was not asked.")

    def _ask(
        self, verb: str, path: str, body: object = None, *, kind: str = "application/json", once: bool = False
    ) -> tuple[Any, Message]:
        url = path if path.startswith(self.base) else f"{self.base}/{path.lstrip('/')}"
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "User-Agent": "modelyard", **self.headers}
        request = urllib.request.Request(url, content, {**headers, "Content-Type": kind}, method=verb)
        pause, why = PAUSE, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                with _OPENER.open(request, timeout=_TIMEOUT) as reply:
                    return _decoded(reply.read(), self.name), reply.headers
            except urllib.error.HTTPError as error:
                why = f"{error.code} {_told(error)}".strip()
                if error.code in (401, 403):
                    raise ForgeDenied(
                        f"{self.name} does not let this token {verb} {_path(url)} ({why})."
                    ) from None
                if error.code != 429 and error.code < 500:
                    raise ForgeRefused(f"{self.name} refuses to {verb} {_path(url)}: {why}.") from None
                if once and error.code != 429:
                    raise self._lost(verb, url, why) from None
                pause = max(pause, _asked_for(error.headers))
            except (OSError, http.client.HTTPException) as error:
                why = str(getattr(error, "reason", error)) or type(error).__name__
                if once and not isinstance(getattr(error, "reason", error), _NOT_REACHED):
                    raise self._lost(verb, url, why) from None
        raise ForgeDown(f"{self.name} did not answer to {verb} {_path(url)} in {ATTEMPTS} attempts: {why}.")

    def _lost(self, verb: str, url: str, why: str) -> ForgeDown:
        return ForgeDown(
            f"{self.name} did not say what became of {verb} {_path(url)}: {why}; it is asked for it the next time."
        )


def _decoded(content: bytes, name: str) -> Any:
    try:
        return json.loads(content) if content.strip() else None
    except ValueError:
        raise ForgeDown(
            f"{name} answered with something that is no JSON; is the address its API's?"
        ) from None


def _told(error: urllib.error.HTTPError) -> str:
    """The forge's own words, cut."""
    try:
        body = json.loads(error.read(10_000))
        said = body.get("message") or body.get("error") or ""
        return str(said.get("message") if isinstance(said, dict) else said)[:200].rstrip(".")
    except (ValueError, AttributeError, OSError):
        return str(error.reason)[:200]


def _asked_for(headers: Message) -> float:
    try:
        return min(float(headers.get("Retry-After", "0")), _LONGEST)
    except ValueError:
        return 0.0


def _linked(headers: Message) -> str | None:
    for part in (headers.get("Link") or "").split(","):
        url, _, rel = part.partition(";")
        if 'rel="next"' in rel:
            return url.strip().strip("<>")
    return None


def _path(url: str) -> str:
    return urlsplit(url).path
