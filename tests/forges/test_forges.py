"""Each forge's API as its documentation has it, spoken to over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelyard.errors import ForgeDown, SettingsError
from modelyard.forges import ask, here
from modelyard.ports import Forge
from modelyard.testing.forge import MARK, ForgeKit


class Server(ThreadingHTTPServer):
    """Keeps comments as a forge does; ``fail`` are statuses that the next answers have instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.seen: list[tuple[str, str, Any, dict[str, str]]] = []
        self.kept: dict[int, str] = {}
        self.fail: list[tuple[int, dict[str, str]]] = []
        self.accepted: list[str] = []
        self.following = ""
        """Where pages say that the next one is; by default here."""

    def comments(self) -> list[str]:
        return list(self.kept.values())

    def states(self) -> list[bool]:
        return [state.lower() in ("success", "successful", "succeeded") for state in self.accepted]

    def answer(self, *statuses: int) -> None:
        self.fail = [(status, {"Retry-After": "0"}) for status in statuses]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = json.loads(body) if self.headers["Content-Type"] == "application/json" and body else body
        self.server.seen.append((self.command, self.path, given, dict(self.headers)))
        if self.server.fail:
            status, headers = self.server.fail.pop(0)
            return self._send(status, {"message": "not today"}, headers)
        path, _, query = self.path.partition("?")
        if "status" in path:
            self.server.accepted.append(given["state"])
        if any(word in path for word in ("status", "/contents/", "/uploads", "/attachments/")):
            found = {
                "url": f"/uploads/{len(self.server.seen)}.png",
                "content": {"download_url": "https://raw/p.png"},
            }
            return self._send(201, found)
        parts = path.rstrip("/").split("/")
        if self.command == "GET":
            return self._list(parts, query)
        text = given.get("body") or given.get("content") or given["comments"][0]["content"]
        text = text["raw"] if isinstance(text, dict) else text
        number = int(parts[-1]) if parts[-1].isdigit() else len(self.server.kept) + 1
        self.server.kept[number] = text
        return self._send(200 if parts[-1].isdigit() else 201, {"id": number})

    do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815

    def _list(self, parts: list[str], query: str) -> None:
        """Two a page, so that pages have to be followed."""
        kept = sorted(self.server.kept.items())
        if "threads" in parts:
            threads = [{"id": n, "comments": [{"id": n, "content": text}]} for n, text in kept]
            return self._send(200, {"value": threads})
        page = int(dict(one.split("=") for one in query.split("&")).get("page", 1))
        some, more = kept[2 * page - 2 : 2 * page], len(kept) > 2 * page
        following = f"{self.server.following or self.server.url}{'/'.join(parts)}?page={page + 1}"
        if "pullrequests" in parts:
            values = [{"id": n, "content": {"raw": text}} for n, text in some]
            return self._send(200, {"values": values, **({"next": following} if more else {})})
        link = {"Link": f'<{following}>; rel="next", <{self.server.url}/>; rel="first"'} if more else {}
        return self._send(200, [{"id": n, "body": text} for n, text in some], link)

    def _send(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(ask, "PAUSE", 0.01)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def _environ(forge: str, server: Server, tmp_path: Path) -> dict[str, str]:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": "a" * 40}}}))
    return {
        "github": {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": server.url,
            "GITHUB_REPOSITORY": "team/demand",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_SHA": "b" * 40,
            "GITHUB_RUN_ID": "5",
            "GITHUB_TOKEN": "t0ken",
        },
        "gitlab": {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": f"{server.url}/api/v4",
            "CI_PROJECT_ID": "42",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_COMMIT_SHA": "a" * 40,
            "CI_PIPELINE_URL": "https://gitlab.com/team/demand/-/pipelines/5",
            "GITLAB_TOKEN": "t0ken",
        },
        "bitbucket": {
            "BITBUCKET_BUILD_NUMBER": "5",
            "BITBUCKET_API_URL": f"{server.url}/2.0",
            "BITBUCKET_WORKSPACE": "team",
            "BITBUCKET_REPO_SLUG": "demand",
            "BITBUCKET_PR_ID": "7",
            "BITBUCKET_COMMIT": "a" * 40,
            "BITBUCKET_TOKEN": "t0ken",
        },
        "azure": {
            "TF_BUILD": "True",
            "SYSTEM_COLLECTIONURI": f"{server.url}/team/",
            "SYSTEM_TEAMPROJECT": "Big Demand",
            "BUILD_REPOSITORY_ID": "r1",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
            "SYSTEM_PULLREQUEST_SOURCECOMMITID": "a" * 40,
            "BUILD_BUILDID": "5",
            "SYSTEM_ACCESSTOKEN": "t0ken",
        },
    }[forge]


FORGES = ("github", "gitlab", "bitbucket", "azure")


class TestEachForge(ForgeKit):
    @pytest.fixture(params=FORGES)
    def forge(self, request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Forge]:
        found = here(_environ(request.param, server, tmp_path))
        assert found is not None
        assert (found.request, found.commit) == ("7", "a" * 40)
        yield found
        for _, _, _, headers in server.seen:
            sent = {name.lower(): value for name, value in headers.items()}
            assert "t0ken" in sent["private-token" if request.param == "gitlab" else "authorization"]

    @pytest.fixture
    def far(self, server: Server) -> Server:
        server.kept = {n: f"of a person {n}" for n in range(1, 6)}
        return server


@pytest.mark.parametrize("forge", FORGES)
def test_the_commit_gets_a_state(forge: str, server: Server, tmp_path: Path) -> None:
    found = here(_environ(forge, server, tmp_path))
    assert found is not None
    for passed in (True, False):
        found.state(passed, "1 model, 1 changed; gates met")
    states = [given["state"] for _, _, given, _ in server.seen]
    assert (
        states
        == {
            "github": ["success", "failure"],
            "gitlab": ["success", "failed"],
            "bitbucket": ["SUCCESSFUL", "FAILED"],
            "azure": ["succeeded", "failed"],
        }[forge]
    )
    where = "pullRequests/7" if forge == "azure" else "a" * 40
    assert all(where in path for _, path, _, _ in server.seen)
    assert "5" in found.page


@pytest.mark.parametrize("forge", FORGES)
def test_pictures_stand_where_a_comment_can_show_them(forge: str, server: Server, tmp_path: Path) -> None:
    environ = _environ(forge, server, tmp_path)
    found = here(environ)
    assert found is not None
    address = found.picture("roc.png", b"\x89PNG\r\n--\r\n")
    assert (address is None) == (forge in ("github", "bitbucket"))
    if forge == "gitlab":
        _, path, content, headers = server.seen[-1]
        assert path == "/api/v4/projects/42/uploads"
        assert b"\x89PNG\r\n--\r\n" in content
        assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    kept = here({**environ, "MODELYARD_PICTURES_BRANCH": "pictures"})
    if forge == "github" and kept:
        assert kept.picture("roc.png", b"\x89PNG") == "https://raw/p.png"
        assert server.seen[-1][2]["branch"] == "pictures"


def test_what_a_forge_said_is_told(server: Server, tmp_path: Path) -> None:
    found = here(_environ("github", server, tmp_path))
    assert found is not None
    server.answer(*[503] * 4)
    why = r"did not answer to POST /repos/team/demand/statuses/a+ in 4 attempts: 503 not today\."
    with pytest.raises(ForgeDown, match=why):
        found.state(True, "well")
    server.answer(422)
    with pytest.raises(ForgeDown, match=r"refuses to POST .*: 422 not today\."):
        found.state(True, "well")


def test_the_token_is_sent_to_no_other_server(server: Server, tmp_path: Path) -> None:
    found = here(_environ("bitbucket", server, tmp_path))
    assert found is not None
    other = Server()
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        server.fail = [(302, {"Location": f"{other.url}/2.0/x"})]
        with pytest.raises(ForgeDown, match="302"):
            found.state(True, "well")
        server.kept = dict.fromkeys(range(1, 4), "of a person")
        server.following = other.url
        with pytest.raises(ForgeDown, match="names a next page on another server"):
            found.comment("x", MARK)
    finally:
        other.shutdown()
        other.server_close()
    assert other.seen == []


def test_outside_of_a_pipeline_there_is_none_and_half_of_one_is_said(tmp_path: Path) -> None:
    assert here({}) is None
    with pytest.raises(
        SettingsError, match="GITLAB_CI says that this is a pipeline of GitLab, but CI_PROJECT_ID"
    ):
        here({"GITLAB_CI": "true"})
    found = here(
        {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "a/b", "GITHUB_EVENT_PATH": str(tmp_path / "no")}
    )
    assert found is not None
    assert found.request == ""
