"""Heads and messages, whatever the pieces they come in."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.wire.heads import Messages, expanded, read
from modelyard.wire.problem import Problem

HEAD = b"POST /models/m%20n/predict?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\n"


def test_a_head_is_read_whole() -> None:
    head = read(HEAD)
    assert (head.method, head.path, head.length) == ("POST", "/models/m n/predict", 3)
    assert head.headers["x-a"] == "1, 2"
    assert head.keep_alive
    assert head.simple


def test_an_absolute_target_is_its_path() -> None:
    assert read(b"GET http://h:1/ping HTTP/1.1\r\nHost: h\r\n\r\n").path == "/ping"


@pytest.mark.parametrize(
    "line",
    [b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Expect: 100-continue", b"Connection: close"],
)
def test_what_is_odd_is_not_simple(line: bytes) -> None:
    assert not read(b"POST / HTTP/1.1\r\nHost: h\r\n" + line + b"\r\n\r\n").simple


def test_http_1_0_is_not_simple_and_needs_no_host() -> None:
    head = read(b"GET / HTTP/1.0\r\n\r\n")
    assert not head.simple
    assert not head.keep_alive


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ],
)
def test_a_head_that_is_none_is_refused_and_its_connection_lost(head: bytes, status: int) -> None:
    with pytest.raises(Problem) as caught:
        read(head)
    assert caught.value.status in (status, 505)
    assert caught.value.close


def _chunked(body: bytes, size: int) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
    return b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def _sized(body: bytes, coding: bytes = b"") -> bytes:
    line = b"Content-Encoding: " + coding + b"\r\n" if coding else b""
    return b"POST /s HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n%b" % (line, len(body), body)


@given(
    bodies=st.lists(
        st.tuples(st.binary(max_size=60), st.sampled_from(["chunked", "sized", "gzip", "deflate"])),
        max_size=5,
    ),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_messages_come_out_as_they_went_in_however_they_are_cut(
    bodies: list[tuple[bytes, str]], cuts: list[int]
) -> None:
    made = {
        "chunked": lambda b: _chunked(b, 7),
        "sized": _sized,
        "gzip": lambda b: _sized(gzip.compress(b), b"gzip"),
        "deflate": lambda b: _sized(zlib.compress(b), b"deflate"),
    }
    stream = b"".join(made[kind](body) for body, kind in bodies)
    messages = Messages(head=1000, body=1000)
    found: list[bytes] = []
    at = turn = 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        found += [expanded(head, body, 1000) for head, body in messages.feed(stream[at : at + step])]
        at += step
        turn += 1
    assert found == [body for body, _ in bodies]


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (_sized(b"x" * 101), 413),
        (_chunked(b"x" * 101, 10), 413),
        (_sized(gzip.compress(b"x" * 5000), b"gzip"), 413),
        (_sized(gzip.compress(b"xyz")[:-4], b"gzip"), 400),
        (_sized(b"no gzip", b"gzip"), 400),
        (_sized(b"x", b"zstd"), 415),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 300 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", 417),
        (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 501),
    ],
)
def test_bounds_and_codings_are_held_and_earlier_messages_kept(stream: bytes, status: int) -> None:
    messages = Messages(head=200, body=100)
    taken: list[bytes] = []

    def take_all() -> None:
        for head, body in messages.feed(_sized(b"before") + stream):
            taken.append(expanded(head, body, 100))

    with pytest.raises(Problem) as caught:
        take_all()
    assert caught.value.status == status
    assert taken[:1] or [body for _, body in messages.ready()][:1] == [b"before"]
