"""The doctor finds what was broken and says what to do; of a healthy yard it says nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from pathlib import Path

import msgspec
import pytest

from modelyard.ports import ArtifactStore
from modelyard.records.package import Layout, Manifest, PackagedFile
from modelyard.records.schema import Schema
from modelyard.records.step import StepRecord
from modelyard.storage.artifacts import open_artifacts
from modelyard.storage.database import SqlYard, open_yard
from modelyard.storage.doctor import Problem, examine
from modelyard.testing import samples
from modelyard.testing.yard import change

NOW = samples.NOON
MODEL = b"the model's bytes"


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return open_artifacts("artifacts", tmp_path)


@pytest.fixture
def yard(tmp_path: Path, artifacts: ArtifactStore) -> SqlYard:
    """A dataset, a registered version, live in test; wanted in prod since a moment ago."""
    yard = open_yard("sqlite:///yard.db", tmp_path)
    assert isinstance(yard, SqlYard)
    file = PackagedFile(path="model/model.onnx", size=len(MODEL), sha256=artifacts.put(MODEL))
    manifest = Manifest(
        model="screening",
        task="binary",
        form="onnx",
        frame="pandas",
        schema=Schema(columns=()),
        layout=Layout(numbers=(), texts=()),
        requirements=(),
        python="3.11",
        files=(file,),
    )
    digest = artifacts.put(msgspec.json.encode(manifest))
    report = artifacts.put(b"the report")
    dataset = samples.dataset(profile=artifacts.put(b"the profile"))
    release = samples.release(1, package=digest, status="live", finished=NOW)
    change(
        yard,
        lambda f: f.datasets.add(dataset),
        lambda f: f.runs.put(samples.run()),
        lambda f: f.packages.put(samples.package(digest=digest, report=report)),
        lambda f: f.versions.add(samples.version(package=digest, report=report)),
        lambda f: f.admissions.add(samples.admission()),
        lambda f: f.releases.put(release),
        lambda f: f.releases.put(samples.release(2, environment="prod", package=digest)),
        lambda f: f.events.append("release.live", "screening@1"),
    )
    return yard


def found(yard: SqlYard, artifacts: ArtifactStore, *, after: int = 1) -> list[Problem]:
    problems = examine(yard, artifacts, now=NOW + dt.timedelta(minutes=after))
    assert all(p.where and p.sentence.endswith(".") and p.fix for p in problems), problems
    return problems


def damage(yard: SqlYard, statement: str) -> None:
    connection = sqlite3.connect(yard.database.path)
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_healthy_yard_has_no_problem(yard: SqlYard, artifacts: ArtifactStore) -> None:
    assert found(yard, artifacts) == []


def test_an_empty_yard_has_no_problem(tmp_path: Path) -> None:
    assert examine(open_yard("sqlite:///y.db", tmp_path), open_artifacts("a", tmp_path)) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (MODEL, "model/model.onnx of screening@1"),
        (b"the report", "report on screening@1"),
        (b"the profile", "profile of patients@1"),
    ],
)
@pytest.mark.parametrize("gone", [True, False])
def test_content_that_is_gone_or_changed_is_named(
    yard: SqlYard, artifacts: ArtifactStore, tmp_path: Path, content: bytes, words: str, gone: bool
) -> None:
    digest = hashlib.sha256(content).hexdigest()
    blob = tmp_path / "artifacts" / digest[:2] / digest[2:]
    if gone:
        blob.unlink()
    else:
        blob.write_bytes(content[:-1] + b"X")
    (problem,) = found(yard, artifacts)
    assert words in problem.sentence
    assert problem.where == f"artifact {digest[:12]}"


def test_a_manifest_that_is_gone_is_named(yard: SqlYard, artifacts: ArtifactStore) -> None:
    with yard.read() as facts:
        artifacts.delete(facts.packages.list()[0].digest)
    (problem,) = found(yard, artifacts)
    assert "manifest of screening@1" in problem.sentence


def test_a_broken_chain_is_said(yard: SqlYard, artifacts: ArtifactStore) -> None:
    damage(yard, "UPDATE events SET actor = 'mallory'")
    (problem,) = found(yard, artifacts)
    assert problem.where == "audit"
    assert "record 1" in problem.sentence


def test_a_live_release_that_was_never_admitted_is_said(yard: SqlYard, artifacts: ArtifactStore) -> None:
    damage(yard, "DELETE FROM admissions")
    (problem,) = found(yard, artifacts)
    assert problem.where == "test/screening"
    assert "never admitted" in problem.sentence


def test_a_release_left_wanted_is_said_after_a_while(yard: SqlYard, artifacts: ArtifactStore) -> None:
    (problem,) = found(yard, artifacts, after=11)
    assert problem.where == "prod/screening"
    assert "modelyard deploy prod screening@1" in problem.fix


def test_a_row_that_refers_to_nothing_is_said(yard: SqlYard, artifacts: ArtifactStore) -> None:
    damage(yard, "INSERT INTO reviews (model, version, record) VALUES ('ghost', 1, '{}')")
    (problem,) = found(yard, artifacts)
    assert problem.where == "database"
    assert "reviews" in problem.sentence


def test_a_damaged_database_is_one_problem_and_no_traceback(yard: SqlYard, artifacts: ArtifactStore) -> None:
    for n in range(100):
        step = StepRecord(identity=f"{n}" * 50, step="s" * 200, result="r" * 200, made=NOW)
        change(yard, lambda f, step=step: f.steps.put(step))
    damage(yard, "PRAGMA user_version = 1")
    connection = sqlite3.connect(yard.database.path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    path = yard.database.path
    content = path.read_bytes()
    copy = path.with_name("bad.db")
    copy.write_bytes(content[:-20_000] + b"\xaa" * 20_000)
    copy.with_name("bad.db.checkpoint").write_bytes(yard.checkpoint.read_bytes())
    damaged = open_yard("sqlite:///bad.db", path.parent)
    assert isinstance(damaged, SqlYard)
    assert found(damaged, artifacts)[0].where == "database"
