"""From a request to one action and back: who asks, what they sent, and the status of what came of it."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from modelyard.errors import AccessDenied, Misuse, ModelyardError, Outage, Refusal, UnknownName
from modelyard.project import Project
from modelyard.web.desk import Desk, Session

COOKIE = "modelyard_session"
STATUSES: dict[type[ModelyardError], int] = {
    UnknownName: 404,
    Misuse: 400,
    AccessDenied: 403,
    Refusal: 409,
    Outage: 503,
}
_log = logging.getLogger("modelyard.web")


@dataclass(frozen=True)
class Asking:
    """A request that somebody known makes."""

    request: Request
    project: Project
    session: Session | None
    body: bytes

    def word(self, name: str) -> str:
        """Of the path."""
        return str(self.request.path_params[name])

    def number(self, name: str) -> int:
        """Of the path; ``UnknownName`` for what is none."""
        text = self.word(name)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise UnknownName(f"'{text[:40]}' is no number.")
        return int(text)

    def query(self, name: str) -> str | None:
        return self.request.query_params.get(name) or None

    def count(self, name: str, default: int, *, most: int) -> int:
        """Of the query. Raises ``Misuse``."""
        text = self.query(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
            raise Misuse(f"'{name}' is a number up to {most}.")
        return int(text)


Work = Callable[[Asking], Response]


def form(body: bytes) -> dict[str, str]:
    """What a page's form sent, the last value of each name. Raises ``Misuse``."""
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=50, keep_blank_values=True))
    except ValueError:
        raise Misuse("This is no form.") from None


def answered(
    work: Work, *, refused: Callable[[Request, ModelyardError, int], Response]
) -> Callable[..., Any]:
    """An endpoint that does ``work`` in a thread, as whoever asks."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_answer, request, await request.body(), work, refused)

    return endpoint


def _answer(
    request: Request,
    body: bytes,
    work: Work,
    refused: Callable[[Request, ModelyardError, int], Response],
) -> Response:
    desk: Desk = request.app.state.desk
    known = False
    try:
        secret, session = identified(request, desk)
        with desk.open(secret) as project:
            known = True
            asking = Asking(request, project, session, body)
            if request.method != "GET" and session is not None:
                _refuse_strange_form(asking, session)
            return work(asking)
    except ModelyardError as error:
        return refused(request, error, status(error, known=known))
    except Exception as error:
        _log.exception("%s %s failed", request.method, request.url.path)
        wrapped = Outage(f"An unexpected {type(error).__name__}; the console's output has more.")
        return refused(request, wrapped, 500)


def _refuse_strange_form(asking: Asking, session: Session) -> None:
    """A browser sends the cookie whoever made the form; what the form brings along only our pages know."""
    if not hmac.compare_digest(form(asking.body).get("csrf", "").encode(), session.csrf.encode()):
        raise AccessDenied("This form is of another session; go back to the console, and try again there.")


def identified(request: Request, desk: Desk) -> tuple[str, Session | None]:
    """The secret that is shown. A session's counts for looking, and for forms that bring along what it gave them."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip(), None
    session = desk.sessions.get(request.cookies.get(COOKIE, ""))
    return (session.secret, session) if session else ("", None)


def status(error: ModelyardError, *, known: bool = True) -> int:
    """The only map from errors to the API's statuses; 401 for who is not known at all."""
    if isinstance(error, AccessDenied) and not known:
        return 401
    return next(code for kind, code in STATUSES.items() if isinstance(error, kind))


def json(fact: object, code: int = 200, **headers: str) -> Response:
    return Response(msgspec.json.encode(fact, enc_hook=str), code, headers, "application/json")


def problem(_: Request, error: ModelyardError, code: int) -> Response:
    """As a service's errors are."""
    told = {"status": "error", "error": {"code": error.code, "message": str(error)}}
    return json(told, code, **({"WWW-Authenticate": "Bearer"} if code == 401 else {}))
