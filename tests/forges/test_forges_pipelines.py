"""Each forge's API for its pipelines as its documentation has it, spoken to over HTTP."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from modelyard.errors import ForgeDown
from modelyard.forges import ask
from modelyard.forges.pipelines import pipelines as of
from modelyard.ports import Pipelines
from modelyard.settings import PipelineSettings
from modelyard.testing.pipelines import GIVEN, OTHER, PipelinesKit

FORGES = ("gitlab", "github", "bitbucket", "azure")
TOKEN = "t0ken-of-a-test"


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.seen: list[tuple[str, str, Any, dict[str, str]]] = []
        self.runs: list[dict[str, Any]] = []
        self.fail: list[int] = []
        self.losing = False
        self.silent = False
        """Whether it does not tell what a run was started for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def started(self) -> list[tuple[str, dict[str, str]]]:
        return [(run["ref"], run["given"]) for run in self.runs]

    def answer(self, *statuses: int) -> None:
        self.fail = list(statuses)

    def lose(self) -> None:
        self.losing = True


class Answer(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        given = json.loads(body) if body else None
        self.server.seen.append((self.command, self.path, given, dict(self.headers)))
        if self.server.fail:
            return self._send(self.server.fail.pop(0), {"message": f"not today, {TOKEN}"})
        parts = self.path.partition("?")[0].strip("/").split("/")
        ways = {"api": self._gitlab, "2.0": self._bitbucket, "team": self._azure}
        way = self._github if parts[:2] == ["api", "v3"] else ways[parts[0]]
        status, found = way(parts, given)
        if self.server.losing and self.command == "POST":
            self.server.losing = False
            self.close_connection = True
            return None
        return self._send(status, found)

    do_GET = do_POST = _answer  # noqa: N815

    def _begin(self, ref: str, given: dict[str, str]) -> dict[str, Any]:
        at = dt.datetime.now(dt.UTC).isoformat()
        self.server.runs.append({"id": len(self.server.runs) + 1, "ref": ref, "given": given, "at": at})
        return self.server.runs[-1]

    def _newest(self) -> list[dict[str, Any]]:
        return self.server.runs[::-1]

    def _gitlab(self, parts: list[str], given: Any) -> tuple[int, Any]:
        assert parts[2:4] == ["projects", "team%2Fdemand"]

        def shown(run: dict[str, Any]) -> dict[str, Any]:
            page = f"{self.server.url}/team/demand/-/pipelines/{run['id']}"
            return {"id": run["id"], "ref": run["ref"], "created_at": run["at"], "web_url": page}

        if self.command == "POST":
            assert parts[4:] == ["pipeline"]
            return 201, shown(
                self._begin(given["ref"], {one["key"]: one["value"] for one in given["variables"]})
            )
        if parts[-1] == "variables":
            run = self.server.runs[int(parts[5]) - 1]
            pairs = [{"variable_type": "env_var", "key": k, "value": v} for k, v in run["given"].items()]
            return 200, pairs
        return 200, [shown(run) for run in self._newest()]

    def _github(self, parts: list[str], given: Any) -> tuple[int, Any]:
        assert parts[2:8] == ["repos", "team", "demand", "actions", "workflows", "retrain.yml"]
        if self.command == "POST":
            assert parts[8:] == ["dispatches"]
            self._begin(given["ref"], given["inputs"])
            return 204, None
        page = f"{self.server.url}/team/demand/actions/runs"
        title = "Retrain" if self.server.silent else "Retrain for {MODELYARD_OPERATION}"
        runs = [
            {
                "id": run["id"],
                "display_title": title.format(**run["given"]),
                "created_at": run["at"].replace("+00:00", "Z"),
                "html_url": f"{page}/{run['id']}",
            }
            for run in self._newest()
        ]
        return 200, {"total_count": len(runs), "workflow_runs": runs}

    def _bitbucket(self, parts: list[str], given: Any) -> tuple[int, Any]:
        assert parts[1:5] == ["repositories", "team", "demand", "pipelines"]

        def shown(run: dict[str, Any]) -> dict[str, Any]:
            pairs = [{"key": k, "value": v, "secured": False} for k, v in run["given"].items()]
            target = {"ref_name": run["ref"], "selector": {"type": "custom", "pattern": "retrain"}}
            whole = {"build_number": run["id"], "created_on": run["at"], "target": target}
            return whole if self.server.silent else {**whole, "variables": pairs}

        if self.command == "POST":
            assert given["target"]["selector"] == {"type": "custom", "pattern": "retrain"}
            pairs = {one["key"]: one["value"] for one in given["variables"]}
            return 201, shown(self._begin(given["target"]["ref_name"], pairs))
        other = {"build_number": 99, "created_on": "x", "target": {"type": "pipeline_ref_target"}}
        return 200, {"values": [other, *map(shown, self._newest())]}

    def _azure(self, parts: list[str], given: Any) -> tuple[int, Any]:
        assert parts[:6] == ["team", "demand", "_apis", "pipelines", "7", "runs"]
        assert self.path.endswith("api-version=7.1")

        def shown(run: dict[str, Any]) -> dict[str, Any]:
            page = f"{self.server.url}/team/demand/_build/results?buildId={run['id']}"
            return {"id": run["id"], "createdDate": run["at"], "_links": {"web": {"href": page}}}

        if self.command == "POST":
            ref = given["resources"]["repositories"]["self"]["refName"].removeprefix("refs/heads/")
            return 200, shown(self._begin(ref, {k: v["value"] for k, v in given["variables"].items()}))
        if len(parts) > 6:
            run = self.server.runs[int(parts[6]) - 1]
            return 200, {**shown(run), "variables": {k: {"value": v} for k, v in run["given"].items()}}
        return 200, {"count": len(self.server.runs), "value": [shown(run) for run in self.server.runs]}

    def _send(self, status: int, body: object) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(ask, "PAUSE", 0.01)
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def settings(forge: Any, url: str) -> PipelineSettings:
    workflow = {"gitlab": None, "github": "retrain.yml", "bitbucket": "retrain", "azure": "7"}[forge]
    return PipelineSettings(
        forge=forge, project="team/demand", workflow=workflow, url=url, token_env="FORGE_TOKEN"
    )


@pytest.fixture(params=FORGES)
def pipelines(request: pytest.FixtureRequest, there: Server) -> Iterator[Pipelines]:
    yield of(settings(request.param, there.url), TOKEN)
    name = "private-token" if request.param == "gitlab" else "authorization"
    for _, _, _, headers in there.seen:
        sent = {key.lower(): value for key, value in headers.items()}[name]
        assert (TOKEN in sent) != (request.param == "azure")


class TestEachForge(PipelinesKit):
    pass


def test_where_nothing_answers_it_is_tried_again_and_then_said(pipelines: Pipelines, there: Server) -> None:
    there.shutdown()
    there.server_close()
    with pytest.raises(ForgeDown, match="in 4 attempts"):
        pipelines.start("main", GIVEN)


@pytest.mark.parametrize("forge", ["github", "bitbucket"])
def test_what_a_forge_does_not_tell_of_counts_as_this(forge: str, there: Server) -> None:
    there.silent = True
    found = of(settings(forge, there.url), TOKEN)
    found.start("main", OTHER)
    now = dt.datetime.now(dt.UTC)
    assert "1" in found.start("main", GIVEN, asked=now).rpartition("/")[2]
    assert len(there.started()) == 1
    found.start("main", GIVEN, asked=now + dt.timedelta(hours=1))
    assert len(there.started()) == 2, "that one was long before"


def test_addresses(there: Server) -> None:
    assert of(settings("github", there.url), TOKEN).start("main", GIVEN) == (
        f"{there.url}/team/demand/actions/workflows/retrain.yml"
    )
    assert of(settings("bitbucket", there.url), TOKEN).start("main", GIVEN) == (
        f"{there.url}/team/demand/pipelines/results/2"
    )


def test_an_answer_of_something_else_is_said(there: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "_gitlab", lambda *_: (200, {"well": "no"}))
    with pytest.raises(ForgeDown, match="answered without 'web_url'"):
        of(settings("gitlab", there.url), TOKEN).start("main", GIVEN)
