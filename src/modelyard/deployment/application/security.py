"""``security``: who holds no token is told nothing, and every request has bounds."""

from __future__ import annotations

from msgspec.json import encode

from modelyard.deployment.application.subject import Subject, Test, first, refused, short
from modelyard.wire.protobuf import field

_HUGE = 1 << 30
_DEEP = b'{"rows": ' + b"[" * 100_000
_ROWS = 10_001
_WITHIN = 7 << 20
"""Bytes of a body that is refused for its rows, not for its size."""
_INNER = (b"Traceback", b"/site-packages/", b"modelyard/serving")


def tests(subject: Subject) -> list[tuple[str, Test]]:
    found: list[tuple[str, Test]] = [
        ("pages of other sites", lambda: _other_sites(subject)),
        ("oversized body", lambda: _oversized(subject)),
        ("oversized head", lambda: _oversized_head(subject)),
        ("deep nesting", lambda: _deep(subject)),
        ("ambiguous length", lambda: _ambiguous(subject)),
        ("load and unload", lambda: _repository(subject)),
        ("paths outside", lambda: _outside(subject)),
        ("errors without inner words", lambda: _inner(subject)),
    ]
    body = b'{"rows":[' + b",".join([encode(subject.golden.rows[0])] * _ROWS) + b"]}"
    if len(body) < _WITHIN:  # so wide a row meets the bound of bytes first
        found.append(("too many rows", lambda: _many(subject, body)))
    if subject.door.token:
        found.insert(0, ("authentication", lambda: _authentication(subject)))
    return found


def _authentication(subject: Subject) -> str:
    """Neither without a token nor with a wrong one is anything told, on any protocol."""
    name, rows = subject.name, subject.golden.rows
    asked = (
        ("POST", f"/models/{name}/predict"),
        ("POST", f"/v2/models/{name}/infer"),
        ("POST", f"/models/{name}/invocations"),
        ("POST", f"/v1/models/{name}:predict"),
        ("GET", f"/v2/models/{name}"),
        ("GET", "/models"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
    )
    for who, said in (
        ("nobody", ""),
        ("a wrong token", "Bearer " + "0" * 43),
        ("a wrong scheme", "Basic eDp5"),
    ):
        for verb, path in asked:
            content = None if verb == "GET" else b'{"rows": []}'
            reply = subject.door.ask(verb, path, content, headers={"Authorization": said})
            if reply.status != 401:
                return f"{verb} {path} by {who} was answered {reply.status}: {short(reply)}"
    if subject.door.grpc:
        for token in (None, "0" * 43):
            code, _ = subject.door.call("ModelMetadata", field(1, name), token=token)
            if code != "UNAUTHENTICATED":
                return f"gRPC without a good token was answered {code}"
    good = subject.predict(rows[:1])
    return "" if good.status == 200 else f"with a token it was answered {good.status}: {short(good)}"


def _other_sites(subject: Subject) -> str:
    """Any web page can post to a loopback address: it must neither read the answer nor, without a token, ask."""
    site = {"Origin": "https://elsewhere.invalid", "Authorization": ""}
    path = f"/models/{subject.name}/predict"
    reply = subject.door.ask("POST", path, b'{"rows": []}', headers=site)
    if reply.status not in (401, 403):
        return f"a page of another site was answered {reply.status}: {short(reply)}"
    allowed = reply.headers.get("access-control-allow-origin")
    return f"a page of another site may read the answer ({allowed})" if allowed else ""


def _post(subject: Subject, lines: bytes, body: bytes = b"") -> int:
    head = f"POST /models/{subject.name}/predict HTTP/1.1\r\n".encode() + subject.door.line()
    return subject.door.raw(head + b"Content-Type: application/json\r\n" + lines + b"\r\n" + body)


def _oversized(subject: Subject) -> str:
    """A body of a gigabyte is refused by its head, before any of it is read."""
    status = _post(subject, b"Content-Length: %d\r\n" % _HUGE)
    return "" if status == 413 else f"a body of 1 GB was answered {status} instead of 413"


def _oversized_head(subject: Subject) -> str:
    status = _post(subject, b"X-Long: " + b"x" * 65_536 + b"\r\nContent-Length: 0\r\n")
    return "" if status in (0, 400, 413, 431) else f"a head of 64 kB was answered {status}"


def _deep(subject: Subject) -> str:
    name = subject.name
    paths = (f"/models/{name}/predict", f"/v2/models/{name}/infer", f"/models/{name}/invocations")
    return first([(f"{path} of 100,000 brackets", refused(subject.door.post(path, _DEEP))) for path in paths])


def _many(subject: Subject, body: bytes) -> str:
    reply = subject.door.post(f"/models/{subject.name}/predict", body)
    return first([(f"{_ROWS:,} rows", refused(reply))])


def _ambiguous(subject: Subject) -> str:
    """Two lengths in one head are how requests are smuggled past a proxy."""
    body = b"0\r\n\r\n"
    for lines in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
    ):
        if not 400 <= (status := _post(subject, lines, body)) < 500 and status:
            return f"a head with two lengths was answered {status}"
    return ""


def _repository(subject: Subject) -> str:
    for verb in ("load", "unload"):
        reply = subject.door.post(f"/v2/repository/models/{subject.name}/{verb}", b"{}")
        if reply.status != 403:
            return f"{verb} was answered {reply.status} instead of 403"
    return ""


def _outside(subject: Subject) -> str:
    for path in (
        "/../../etc/passwd",
        "/models/..%2f..%2fetc%2fpasswd",
        "/models/%2e%2e/predict",
        "//etc/passwd",
    ):
        reply = subject.door.get(path)
        if not reply.refused:
            return f"GET {path} was answered {reply.status}: {short(reply)}"
    return ""


def _inner(subject: Subject) -> str:
    path = f"/models/{subject.name}/predict"
    for body in (b"{", b'{"rows": [{}]}', b'{"rows": 7}'):
        content = subject.door.post(path, body).content
        if found := [word for word in _INNER if word in content]:
            return f"an error shows {found[0].decode()!r}: {content[:200].decode(errors='replace')}"
    return ""
