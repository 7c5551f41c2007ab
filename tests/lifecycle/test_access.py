"""Tokens at the command line: shown once, asked for, held to their roles, on record; the audit trail, exported."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]
Run = Callable[..., str]


@pytest.fixture
def run(modelyard: Command, built: Path) -> Run:
    def run(*words: object, code: int = 0) -> str:
        found, output, complaint = modelyard("-C", built, *words)
        assert found == code, complaint + output
        return output if code == 0 else complaint

    return run


def created(run: Run, *words: str) -> dict[str, str]:
    made: dict[str, str] = json.loads(run("token", "create", *words, "--json"))
    return made


def test_a_yard_that_has_an_admin_asks_for_tokens(
    run: Run, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There is no token" in run("token")
    admin = run("token", "create", "anna", "--role", "admin").strip()
    assert admin.startswith("my_")
    assert len(admin) > 40
    for words in (("versions",), ("train", "screening"), ("token",), ("audit", "verify"), ("status",)):
        assert "This yard asks for a token" in run(*words, code=1)
    monkeypatch.setenv("MODELYARD_TOKEN", "my_guess")
    assert "none of this yard" in run("versions", code=1)

    monkeypatch.setenv("MODELYARD_TOKEN", admin)
    monkeypatch.setenv("MODELYARD_ACTOR", "mallory")
    ci = created(run, "ci", "--role", "deployer", "--env", "staging", "--expires", "90d")
    bob = created(run, "bob", "--role", "reviewer")
    dev = created(run, "dev", "--role", "developer")
    assert "pord" in run("token", "create", "x", "--role", "viewer", "--env", "pord", code=2)
    run("token", "create", "x", code=2)
    run("token", "create", "x", "--role", "king", code=2)
    run("token", "create", "x", "--role", "viewer", "--expires", "soon", code=2)

    monkeypatch.setenv("MODELYARD_TOKEN", ci["secret"])
    assert "is admitted to staging" in run("promote", "screening@1", "--to", "staging")
    assert "is for staging, not for test" in run("deploy", "test", code=1)
    assert "is for staging, not for test" in run("stop", "test", code=1)
    assert "needs the role 'developer'" in run("versions", "note", "screening@1", "x", code=1)
    assert "needs the role 'admin'" in run("token", "revoke", ci["id"], code=1)
    assert "needs the role 'admin'" in run("gc", code=1)
    for verb in (("train", "screening"), ("ingest", "patients"), ("evaluate", "screening@1")):
        assert "needs the role 'developer'" in run(*verb, code=1)

    monkeypatch.setenv("MODELYARD_TOKEN", bob["secret"])
    answer = ("review", "screening@1", "--for", "ethics", "--yes", "--reason", "seen")
    assert "The token is bob's" in run(*answer, "--by", "eva", code=2)
    assert json.loads(run(*answer, "--json"))["verified"] is True
    assert "needs the role 'deployer'" in run("promote", "screening@1", "--to", "prod", code=1)

    monkeypatch.setenv("MODELYARD_TOKEN", dev["secret"])
    assert "team=risk" in run("versions", "tag", "screening@1", "team=risk")
    assert "needs the role 'reviewer'" in run(*answer, code=1)

    monkeypatch.setenv("MODELYARD_TOKEN", admin)
    listed = {token["person"]: token for token in json.loads(run("token", "--json"))}
    assert listed["ci"]["used"]
    assert listed["ci"]["expires"]
    assert not any(token["secret"] or "sha256" in token for token in listed.values())
    assert "is revoked" in run("token", "revoke", ci["id"])
    monkeypatch.setenv("MODELYARD_TOKEN", ci["secret"])
    assert "was revoked on" in run("versions", code=1)

    monkeypatch.setenv("MODELYARD_TOKEN", admin)
    told = json.loads(run("audit", "--json", "--since", "2026-01-01"))
    acted = [(e["actor"], e["action"], "token" in e["payload"]) for e in told if e["object"] == "screening@1"]
    assert acted[-3:] == [
        ("ci", "version.admitted", True),
        ("bob", "review.given", True),
        ("dev", "version.tagged", True),
    ]
    assert "mallory" not in json.dumps(told)
    assert "ci, verified" in run("audit", "--actor", "ci")
    seen = created(run, "eva", "--role", "viewer")
    monkeypatch.setenv("MODELYARD_TOKEN", seen["secret"])
    assert [t["used"] is not None for t in json.loads(run("token", "--json")) if t["id"] == seen["id"]] == [
        True
    ]
    assert "needs the role 'developer'" in run("versions", "tag", "screening@1", "a=b", code=1)
    monkeypatch.setenv("MODELYARD_TOKEN", admin)
    assert "only admin's that lasts" in run("token", "revoke", listed["anna"]["id"], code=2)
    run("token", "revoke", listed["anna"]["id"], "--last")
    monkeypatch.delenv("MODELYARD_TOKEN")
    assert "every link holds" in run("audit", "verify")

    kept = b"".join(path.read_bytes() for path in built.rglob("*") if path.is_file())
    for secret in (admin, ci["secret"], bob["secret"], dev["secret"]):
        assert secret.encode() not in kept, "a secret is shown once and kept nowhere"
        assert hashlib.sha256(secret.encode()).hexdigest().encode() in kept


def test_what_an_author_wrote_does_not_see_the_token(
    run: Run, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = created(run, "anna", "--role", "developer")["secret"]
    monkeypatch.setenv("MODELYARD_TOKEN", secret)
    code = built / "models/screening/model.py"
    head, sign, body = code.read_text().partition(") -> object:\n")
    assert sign
    code.write_text(f"{head}{sign}    import os\n    assert 'MODELYARD_TOKEN' not in os.environ\n{body}")
    assert "MODELYARD_TOKEN" in os.environ
    assert "run" in run("train", "screening")
    with (built / "models/screening/test_model.py").open("a") as tests:
        tests.write(
            "\n\ndef test_no_token():\n    import os\n    assert 'MODELYARD_TOKEN' not in os.environ\n"
        )
    assert "passed" in run("check", "screening")


def test_the_trail_is_exported_as_it_was_hashed(run: Run, tmp_path: Path) -> None:
    run("versions", "tag", "screening@1", 'size=größe "b" \\ €')
    file = tmp_path / "events.jsonl"
    assert "events.jsonl" in run("audit", "export", file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    count = len(lines)
    assert [line["seq"] for line in lines] == list(range(1, count + 1))
    assert f"{count} events, every link holds" in run("audit", "verify")
    before = "0" * 64
    for line in lines:  # as docs/audit.md tells anybody to check
        payload = line.pop("payload")
        canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == line["payload_sha256"]
        assert line["prev"] == before
        record = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(record.encode()).hexdigest()
    assert "is there already" in run("audit", "export", file, code=2)
    assert len(file.read_text().splitlines()) == count
    run("audit", "export", tmp_path / "none" / "x.jsonl", code=3)
    few = tmp_path / "few.jsonl"
    run("audit", "export", few, "--object", "screening", "--action", "version")
    assert [json.loads(line)["action"] for line in few.read_text().splitlines()] == [
        "version.registered",
        "version.admitted",
        "version.tagged",
    ]
    assert run("audit", "export", "-", "--actor", "nobody") == ""
    assert len(run("audit", "export", "-").splitlines()) == count
    assert "Nothing of it happened" in run("audit", "--until", "2020-01-01")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["events.jsonl", "few.jsonl"]
