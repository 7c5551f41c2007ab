"""Before anything is looked at: whose page asks, by which name, and what the answer's page may do."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
REPORT = "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; frame-ancestors 'none'"
"""Of a report, whose styles are in it and which does nothing."""


class Door:
    """A name in ``Host`` that is none of ours is refused, since a page of anywhere may have that name resolve to here;
    so is a change that a page of another site asks for."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app, self._names = app, {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._names:
            refusal = PlainTextResponse("This name is not the console's; see console.hosts.\n", 421)
            await refusal(scope, receive, send)
            return
        site = headers.get("sec-fetch-site", "none")
        if scope["method"] not in ("GET", "HEAD") and site not in ("none", "same-origin"):
            await PlainTextResponse("A page of another site asked for this.\n", 403)(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.setdefault("content-security-policy", POLICY)
                answer.setdefault("cache-control", "no-store")
                answer["x-content-type-options"] = "nosniff"
                answer["referrer-policy"] = "same-origin"
                answer["cross-origin-opener-policy"] = "same-origin"
                answer["cross-origin-resource-policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, guarded)


def names(host: str, port: int, more: Sequence[str]) -> list[str]:
    """What ``Host`` may say."""
    own = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host} - {"0.0.0.0", "[::]"}
    return [f"{name}:{port}" for name in sorted(own)] + list(more)
