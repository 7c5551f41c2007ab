"""A yes that starts a forge's pipeline: once, on record, and tried again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps, loads
from pathlib import Path
from typing import Any

import pytest

from modelyard import registry
from modelyard.forges import ask
from modelyard.pipelines import hand_over
from modelyard.project import Project, open_project
from modelyard.records.trigger import Retraining
from modelyard.triggers import pursue

TOKEN = "t0ken-of-a-test"


class GitLab(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.pipelines: list[dict[str, Any]] = []
        self.ways: list[str] = []
        """What becomes of the next POSTs: ``lost``, or a status."""


class Answer(BaseHTTPRequestHandler):
    server: GitLab

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = loads(self.rfile.read(int(self.headers["Content-Length"])))
        way = self.server.ways.pop(0) if self.server.ways else ""
        if way.isdecimal():
            return self._send(int(way), {"message": f"no, {TOKEN}"})
        self.server.pipelines.append({one["key"]: one["value"] for one in body["variables"]})
        if way == "lost":
            self.close_connection = True
            return None
        return self._send(201, self._shown(len(self.server.pipelines)))

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/variables"):
            given = self.server.pipelines[int(path.split("/")[-2]) - 1]
            return self._send(200, [{"key": key, "value": value} for key, value in given.items()])
        return self._send(200, [self._shown(n + 1) for n in range(len(self.server.pipelines))])

    def _shown(self, number: int) -> dict[str, Any]:
        return {"id": number, "created_at": "2026-11-21T12:00:00Z", "web_url": f"https://forge/{number}"}

    def _send(self, status: int, body: object) -> None:
        content = dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    monkeypatch.setattr(ask, "PAUSE", 0.01)
    monkeypatch.setenv("FORGE_TOKEN", TOKEN)
    server = GitLab()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def project(folder: Path, gitlab: GitLab, policy: str = "") -> Project:
    file = folder / "modelyard.toml"
    text = file.read_text().partition("[triggers")[0]
    text += f"""[triggers.screening]
policy = {{ {policy} }}
[triggers.screening.pipeline]
forge = "gitlab"
project = "team/demand"
url = "http://127.0.0.1:{gitlab.server_port}"
token_env = "FORGE_TOKEN"
"""
    file.write_text(text)
    return open_project(folder, actor="ann")


def told(here: Project) -> list[str]:
    """The actions of the trail since triggers were looked at."""
    with here.yard.read() as facts:
        events = facts.events.list(last=100)
    assert all(TOKEN not in str(event.payload) for event in events)
    return [e.action for e in events if e.action.startswith(("retraining.", "pipeline.", "trigger."))]


def last(here: Project) -> Retraining:
    with here.yard.read() as facts:
        return registry.retrainings(facts, "screening")[0]


def test_a_yes_starts_it_once_and_counts_as_a_retraining(built: Path, gitlab: GitLab) -> None:
    here = project(built, gitlab)
    found = pursue(here, "screening", by_hand=True)
    assert found.retraining is not None
    assert (found.retraining.outcome, found.retraining.said) == (
        "handed_over",
        f"{found.retraining.pipeline} does it: https://forge/1",
    )
    assert gitlab.pipelines == [
        {
            "MODELYARD_MODEL": "screening",
            "MODELYARD_TRIGGER": "hand",
            "MODELYARD_OPERATION": found.decision.operation,
        }
    ]
    assert told(here) == [
        "trigger.decided",
        "retraining.begun",
        "retraining.moved",
        "pipeline.started",
        "retraining.ended",
    ]
    again = hand_over.hand_over(here, found.decision)
    assert again.outcome == "handed_over"
    assert len(gitlab.pipelines) == 1, "the same decision"
    with here.yard.read() as facts:
        assert registry.this_week(registry.retrainings(facts, "screening"), last(here).begun) == 1
        assert registry.failures(registry.retrainings(facts, "screening"))[0] == 0


def test_a_lost_answer_starts_no_second_one(built: Path, gitlab: GitLab) -> None:
    here = project(built, gitlab)
    gitlab.ways = ["lost"]
    first = pursue(here, "screening", by_hand=True).retraining
    assert first is not None
    assert first.outcome is None
    assert "did not say what became of" in first.waits
    soon = pursue(here, "screening")
    assert (soon.decision.why, soon.retraining) == ("under_way", first), "the back-off is not over"
    later = pursue(here, "screening", by_hand=True)
    assert later.retraining is not None
    assert later.retraining.outcome == "handed_over"
    assert later.decision.verdict == "no"
    assert len(gitlab.pipelines) == 1


def test_killed_before_it_was_put_on_record(
    built: Path, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> Retraining:
        raise Killed

    here = project(built, gitlab, 'back_off = "1s"')
    with monkeypatch.context() as patch:
        patch.setattr(registry, "hand_over", killed)
        with pytest.raises(Killed):
            pursue(here, "screening", by_hand=True)
    assert len(gitlab.pipelines) == 1
    assert last(here).outcome is None
    assert "has not said yet" in last(here).waits
    hand_over.ask_again(here, "screening", at_once=True)
    assert last(here).outcome == "handed_over"
    assert len(gitlab.pipelines) == 1


@pytest.mark.parametrize("way", ["401", "404", "unset"])
def test_a_no_is_on_record_and_holds_the_policy_back(
    built: Path, gitlab: GitLab, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = project(built, gitlab, 'drift = "retrain"')
    gitlab.ways = [way]
    if way == "unset":
        monkeypatch.setenv("FORGE_TOKEN", " ")
    found = pursue(here, "screening", by_hand=True).retraining
    assert found is not None
    assert found.outcome == "failed"
    assert ("FORGE_TOKEN is not set" if way == "unset" else f"{way} no, ***") in found.said
    assert TOKEN not in found.said
    with here.yard.read() as facts:
        assert registry.failures(registry.retrainings(facts, "screening"))[0] == 1
    assert told(here)[-1] == "retraining.ended"
    assert gitlab.pipelines == []


def test_other_settings_end_what_waits(built: Path, gitlab: GitLab) -> None:
    here = project(built, gitlab)
    gitlab.ways = ["502"]
    waiting = pursue(here, "screening", by_hand=True).retraining
    assert waiting is not None
    assert waiting.waits
    file = built / "modelyard.toml"
    file.write_text(file.read_text().replace("team/demand", "team/other"))
    other = open_project(built, actor="ann")
    found = pursue(other, "screening").retraining
    assert found is None or found.outcome is None, "not before the back-off is over"
    hand_over.ask_again(other, "screening", at_once=True)
    assert last(other).outcome == "overtaken"
    assert "may have been started" in last(other).said
