"""Files from a web server that fails on purpose."""

from __future__ import annotations

import base64
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelyard.data import extract, fingerprint
from modelyard.data.sources import http
from modelyard.data.staging import stage
from modelyard.errors import DataRefused, ModelyardError, SourceDown, SourceMissing
from modelyard.settings import SourceSettings

ROWS = b"x,y\n" + b"".join(b"%d,a\n" % n for n in range(50_000))


class Web:
    """A server whose answers a test writes: path to a function of the handler."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                web.asked.append((self.command, path, dict(self.headers)))
                web.answers[path](self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.at = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()

    def gets(self, path: str) -> int:
        return sum(1 for method, asked, _ in self.asked if (method, asked) == ("GET", path))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(http, "PAUSE", 0.001)
    server = Web()
    yield server
    server.server.shutdown()
    server.server.server_close()
    server.thread.join()


def send(
    content: bytes = ROWS,
    *,
    status: int = 200,
    length: int | str | None = None,
    cut: int | None = None,
    **headers: str,
) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content if cut is None else content[:cut])

    return answer


def in_turn(*answers: Callable[[BaseHTTPRequestHandler], None]) -> Callable[[BaseHTTPRequestHandler], None]:
    left = list(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "HEAD":
            send()(handler)
        else:
            (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


def chunked(*pieces: bytes, whole: bool) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if whole:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return answer


def staged(web: Web, path: str, folder: Path, **settings: Any) -> Any:
    return stage(SourceSettings(url=web.at + path, **settings), folder, folder / "scratch")


def test_a_file_and_its_fingerprint(web: Web, tmp_path: Path) -> None:
    web.answers["/a.csv"] = send(ETag='"one"')
    assert extract(f"{web.at}/a.csv", tmp_path).height == 50_000
    found = fingerprint(f"{web.at}/a.csv", tmp_path)
    assert found is not None
    assert (found[0].path, found[0].size, found[0].mark) == (f"{web.at}/a.csv", len(ROWS), 'ETag "one"')
    assert web.gets("/a.csv") == 1
    web.answers["/a.csv"] = send(Last_Modified="Sat, 31 Jan 2026 12:00:00 GMT")
    again = fingerprint(f"{web.at}/a.csv", tmp_path)
    assert again is not None
    assert again[0].mark.startswith("Last-Modified Sat, 31 Jan 2026")
    web.answers["/a.csv"] = send()
    assert fingerprint(f"{web.at}/a.csv", tmp_path) is None
    web.answers["/a.csv"] = send(status=405)
    assert fingerprint(f"{web.at}/a.csv", tmp_path) is None


def test_forms_by_ending_or_setting(web: Web, tmp_path: Path) -> None:
    web.answers["/a.csv.gz"] = send(gzip.compress(ROWS))
    web.answers["/export"] = send(ROWS)
    assert extract(f"{web.at}/a.csv.gz?page=1", tmp_path).height == 50_000
    assert extract(SourceSettings(url=f"{web.at}/export", format="csv"), tmp_path).height == 50_000
    with pytest.raises(DataRefused, match="/export: its ending tells no form"):
        extract(f"{web.at}/export", tmp_path)


@pytest.mark.parametrize(
    "failure",
    [
        send(status=500),
        send(status=503),
        send(status=429),
        send(cut=1000),
        send(length=len(ROWS) + 7),
        chunked(ROWS[:1000], whole=False),
        lambda handler: handler.connection.close(),
    ],
    ids=["500", "503", "429", "cut", "longer", "chunk", "closed"],
)
def test_a_passing_failure_is_tried_again_and_a_lasting_one_is_one_sentence(
    failure: Callable[[BaseHTTPRequestHandler], None], web: Web, tmp_path: Path
) -> None:
    web.answers["/a.csv"] = in_turn(failure, failure, send())
    (file,) = staged(web, "/a.csv", tmp_path)
    assert file.path.read_bytes() == ROWS
    assert web.gets("/a.csv") == 3
    web.answers["/a.csv"] = in_turn(failure)
    with pytest.raises(SourceDown, match=rf"^{web.at}/a\.csv .*, 4 times; try again when it answers\.$"):
        staged(web, "/a.csv", tmp_path)
    assert web.gets("/a.csv") == 7
    assert not (tmp_path / "scratch").exists()


def test_a_length_that_is_no_number_is_none(web: Web, tmp_path: Path) -> None:
    web.answers["/a.csv"] = send(length="many", ETag="1")
    (found,) = staged(web, "/a.csv", tmp_path)
    assert found.path.read_bytes() == ROWS
    known = fingerprint(SourceSettings(url=f"{web.at}/a.csv"), tmp_path)
    assert known
    assert (known[0].size, known[0].mark) == (0, "ETag 1")


def test_chunked_whole(web: Web, tmp_path: Path) -> None:
    web.answers["/a.csv"] = chunked(ROWS[:1000], ROWS[1000:], whole=True)
    (file,) = staged(web, "/a.csv", tmp_path)
    assert file.path.read_bytes() == ROWS


@pytest.mark.parametrize(
    ("answer", "raised", "says"),
    [
        (send(status=404), SourceMissing, r"nothing at .*/a\.csv \(404\)"),
        (send(status=401), DataRefused, r"may not be read \(401\)"),
        (send(status=418), DataRefused, r"refuses \(418\)"),
        (send(status=302, Location="/a.csv"), DataRefused, r"leads in circles"),
        (
            send(status=302, Location="file:///etc/passwd"),
            DataRefused,
            r"leads in circles or to no web address",
        ),
        (send(Content_Encoding="gzip"), DataRefused, r"comes compressed"),
    ],
)
def test_refusals_are_not_tried_again(
    answer: Any, raised: type[ModelyardError], says: str, web: Web, tmp_path: Path
) -> None:
    web.answers["/a.csv"] = answer
    with pytest.raises(raised, match=says):
        staged(web, "/a.csv", tmp_path)
    assert web.gets("/a.csv") <= 11
    assert not (tmp_path / "scratch").exists()


def test_size_is_bounded_announced_or_not(web: Web, tmp_path: Path) -> None:
    web.answers["/a.csv"] = send()
    web.answers["/b.csv"] = chunked(ROWS, whole=True)
    for path in ("/a.csv", "/b.csv"):
        with pytest.raises(DataRefused, match=r"larger than 0\.0001 GB; raise 'limit_gb'"):
            staged(web, path, tmp_path, limit_gb=0.0001)


def test_a_slow_and_a_silent_server(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def silent(_: BaseHTTPRequestHandler) -> None:
        ended.wait(20)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not ended.wait(0.05):
            handler.wfile.write(b"1\n")

    monkeypatch.setattr(http, "ATTEMPTS", 2)
    web.answers |= {"/silent.csv": silent, "/slow.csv": slow}
    began = time.monotonic()
    with pytest.raises(SourceDown, match=r"did not answer within 0\.3 seconds, 2 times"):
        staged(web, "/silent.csv", tmp_path, timeout=0.3)
    with pytest.raises(SourceDown, match=r"sent \d+ bytes in \d+ seconds, 2 times"):
        staged(web, "/slow.csv", tmp_path, timeout=0.3)
    ended.set()
    assert time.monotonic() - began < 15
    assert not (tmp_path / "scratch").exists()


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PAUSE", 0.001)
    with pytest.raises(
        SourceDown, match=r"^http://127\.0\.0\.1:9/a\.csv failed \(Connection refused\), 4 times"
    ):
        extract("http://127.0.0.1:9/a.csv", tmp_path)


def test_credentials_go_to_their_host_and_nowhere_else(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Web()
    other.answers["/b.csv"] = send()
    web.answers["/a.csv"] = send(status=302, Location=f"{other.at}/b.csv?X-Amz-Signature=hunter4")
    monkeypatch.setenv("PW", "hunter2/@")
    monkeypatch.setenv("TOKEN", "hunter3")
    address = web.at.replace("http://", "http://reader:${PW}@") + "/a.csv?key=${TOKEN}"
    source = SourceSettings(url=address, headers={"X-Token": "Bearer ${TOKEN}"})
    (file,) = stage(source, tmp_path, tmp_path / "scratch")
    first, second = dict(web.asked[0][2]), dict(other.asked[0][2])
    assert base64.b64decode(first["Authorization"].split()[1]) == b"reader:hunter2/@"
    assert first["X-Token"] == "Bearer hunter3"
    assert not {"Authorization", "X-Token"} & second.keys()
    assert file.origin == address
    other.answers["/b.csv"] = send(status=500)
    with pytest.raises(SourceDown) as told:
        stage(source, tmp_path, tmp_path / "scratch")
    assert "hunter" not in str(told.value)
    other.server.shutdown()
    other.server.server_close()
