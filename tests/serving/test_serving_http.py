"""Framing and bounds, byte by byte."""

from __future__ import annotations

import gzip
import json
import re
import socket

import pytest
from serving_parts import Running

BODY = b'{"rows":[{"age":50,"size":3.5}]}'
PATH = b"/models/screening/predict"


def _head(*lines: bytes, method: bytes = b"POST", path: bytes = PATH, version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([method + b" " + path + b" " + version, b"Host: x", *lines]) + b"\r\n\r\n"


def _post(body: bytes = BODY, *lines: bytes) -> bytes:
    return _head(b"Content-Length: %d" % len(body), *lines) + body


def _replies(sock: socket.socket, count: int) -> list[tuple[int, bytes, bytes]]:
    """``count`` replies as (status, head, body)."""
    data = b""
    found: list[tuple[int, bytes, bytes]] = []
    while len(found) < count:
        stop = data.find(b"\r\n\r\n")
        if stop >= 0:
            head = data[: stop + 4]
            length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
            if len(data) >= stop + 4 + length:
                found.append((int(head.split()[1]), head, data[stop + 4 : stop + 4 + length]))
                data = data[stop + 4 + length :]
                continue
        more = sock.recv(1 << 16)
        if not more:
            raise AssertionError(f"closed after {len(found)} replies, with {data!r}")
        data += more
    assert data == b""
    return found


def _closed(sock: socket.socket) -> bool:
    sock.settimeout(5)
    return sock.recv(1) == b""


def test_pipelined_requests_are_answered_in_order(service: Running) -> None:
    wanted = []
    content = b""
    for i in range(300):
        body = json.dumps({"rows": [{"age": i % 100, "size": 1.0}] * (1 + i % 3)}).encode()
        kind = i % 5
        if kind == 0:
            content += _head(method=b"GET", path=b"/ping")
            wanted.append((200, 0))
        elif kind == 1:
            content += _post(b"{")
            wanted.append((400, 0))
        else:
            content += _post(body)
            wanted.append((200, 1 + i % 3))
    with service.raw() as sock:
        sock.sendall(content)
        replies = _replies(sock, 300)
    seen = [
        (s, len(json.loads(b)["prediction"]) if b.startswith(b'{"status":"ok"') else 0) for s, _, b in replies
    ]
    assert seen == wanted


@pytest.mark.parametrize("step", [1, 7, 64])
def test_bytes_may_come_in_any_pieces(service: Running, step: int) -> None:
    content = _post() * 3
    with service.raw() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(content), step):
            sock.sendall(content[at : at + step])
        assert [s for s, _, _ in _replies(sock, 3)] == [200] * 3


def test_chunked_and_compressed_bodies_and_what_follows_them(service: Running) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (BODY[:5], BODY[5:9], BODY[9:])) + b"0\r\n\r\n"
    zipped = gzip.compress(BODY)
    content = (
        _post()
        + _head(b"Transfer-Encoding: chunked")
        + chunks
        + _post()
        + _post(zipped, b"Content-Encoding: gzip")
        + _post()
    )
    with service.raw() as sock:
        sock.sendall(content)
        assert [s for s, _, _ in _replies(sock, 5)] == [200] * 5


def test_a_compressed_bomb_is_refused(service: Running) -> None:
    bomb = gzip.compress(b" " * (9 * 1024 * 1024))
    with service.raw() as sock:
        sock.sendall(_post(bomb, b"Content-Encoding: gzip"))
        assert _replies(sock, 1)[0][0] == 413
        assert _closed(sock)


def test_expect_continue_is_granted_then_answered(service: Running) -> None:
    with service.raw() as sock:
        sock.sendall(_head(b"Content-Length: %d" % len(BODY), b"Expect: 100-continue"))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(BODY)
        assert _replies(sock, 1)[0][0] == 200


def test_http_1_0_closes_unless_asked_otherwise(service: Running) -> None:
    with service.raw() as sock:
        sock.sendall(_head(b"Content-Length: %d" % len(BODY), version=b"HTTP/1.0") + BODY)
        assert b"connection: close" in _replies(sock, 1)[0][1]
        assert _closed(sock)
    with service.raw() as sock:
        line = b"Connection: keep-alive"
        for _ in range(2):
            sock.sendall(_head(line, b"Content-Length: %d" % len(BODY), version=b"HTTP/1.0") + BODY)
            assert b"connection: keep-alive" in _replies(sock, 1)[0][1]


def test_connection_close_is_obeyed(service: Running) -> None:
    with service.raw() as sock:
        sock.sendall(_post(BODY, b"Connection: close"))
        status, head, _ = _replies(sock, 1)[0]
        assert (status, b"connection: close" in head) == (200, True)
        assert _closed(sock)


def test_a_half_closed_client_gets_its_answers(service: Running) -> None:
    with service.raw() as sock:
        sock.sendall(_post() * 5)
        sock.shutdown(socket.SHUT_WR)
        assert [s for s, _, _ in _replies(sock, 5)] == [200] * 5
        assert _closed(sock)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
        (b"POST /models/screening/predict HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400),
        (_head(b"Content-Length: 2", b"Content-Length: 3") + b"{}", 400),
        (_head(b"Content-Length: -1"), 400),
        (_head(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"{}", 400),
        (_head(b"Transfer-Encoding: chunked") + b"zz\r\n", 400),
        (_head(b"Host: y"), 400),
        (_head(b"Bad Header: y"), 400),
        (_head(b"Expect: miracles", b"Content-Length: 2") + b"{}", 417),
        (_head(b"Content-Encoding: br", b"Content-Length: 2") + b"{}", 415),
        (_head(b"X: " + b"a" * 17_000), 431),
        (_head(*[b"X-%d: %b" % (i, b"a" * 100) for i in range(200)], b"Transfer-Encoding: chunked"), 431),
        (b"POST /" + b"a" * 20_000, 431),
        (_head(b"Content-Length: 9000000"), 413),
        (_head(b"Content-Length: 99999999999999999999"), 400),
    ],
)
def test_a_request_that_is_none_is_refused_and_the_connection_closed(
    service: Running, content: bytes, status: int
) -> None:
    with service.raw() as sock:
        sock.sendall(_post() + content)
        replies = _replies(sock, 2)
        assert [s for s, _, _ in replies] == [200, status]
        assert json.loads(replies[1][2])["error"]["message"]
        assert b"connection: close" in replies[1][1]
        assert _closed(sock)


def test_a_huge_body_is_refused_while_it_is_still_being_sent(service: Running) -> None:
    with service.raw() as sock:
        sock.sendall(_head(b"Content-Length: 9000000"))
        sock.sendall(b" " * 4_000_000)
        assert _replies(sock, 1)[0][0] == 413


def test_a_huge_chunked_body_is_refused(service: Running) -> None:
    with service.raw() as sock:
        sock.sendall(_head(b"Transfer-Encoding: chunked"))
        piece = b"%x\r\n%b\r\n" % (1 << 20, b" " * (1 << 20))
        for _ in range(8):
            sock.sendall(piece)
        sock.sendall(b"1\r\n \r\n")
        assert _replies(sock, 1)[0][0] == 413


def test_a_body_of_megabytes_is_answered(service: Running) -> None:
    body = json.dumps({"rows": [{"age": 50, "size": 3.5}] * 10_000}).encode() + b" " * 6_000_000
    with service.raw() as sock:
        sock.sendall(_post(body))
        (reply,) = _replies(sock, 1)
    assert len(json.loads(reply[2])["prediction"]) == 10_000


def test_an_offered_upgrade_is_declined_by_answering(service: Running) -> None:
    with service.raw() as sock:
        sock.sendall(_post(BODY, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c") * 2)
        assert [s for s, _, _ in _replies(sock, 2)] == [200] * 2


def test_a_client_that_reads_nothing_is_not_read_on(service: Running) -> None:
    body = json.dumps({"rows": [{"age": 50, "size": 3.5}] * 500}).encode()
    with service.raw() as sock:
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.sendall(_post(body) * 4_000)
    assert service.json("POST", PATH.decode(), BODY)[0] == 200
