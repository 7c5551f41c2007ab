"""Valid records for kits and tests; every field can be given."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from msgspec.structs import replace

from modelyard.records.access import Token
from modelyard.records.alert import Alert, Notice
from modelyard.records.dataset import DatasetVersion, Split
from modelyard.records.job import Asked, Job, Schedule
from modelyard.records.package import Package
from modelyard.records.registry import Admission, Alias, Marks, Release, Review, Version
from modelyard.records.run import Code, Run
from modelyard.records.schema import Column, Schema
from modelyard.records.step import Input, StepRecord

NOON = dt.datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=dt.UTC)


def digest(text: str) -> str:
    """A digest that depends on ``text`` only."""
    return hashlib.sha256(text.encode()).hexdigest()


def dataset(number: int = 1, **fields: Any) -> DatasetVersion:
    made = DatasetVersion(
        dataset="patients",
        number=number,
        digest=digest(f"patients {number}"),
        table="patients",
        table_version=number - 1,
        rows=100,
        test_rows=20,
        schema=Schema(columns=(Column(name="größe", kind="float"),), target="größe"),
        profile=digest("profile"),
        split=Split(test=0.2, seed=0, stratify=False),
        sources=(),
        created=NOON,
    )
    return replace(made, **fields)


def run(name: str = "r1", **fields: Any) -> Run:
    made = Run(
        id=name,
        model="screening",
        status="finished",
        dataset="patients@1",
        dataset_digest=digest("patients 1"),
        params={"C": 1.5, "n": 3, "on": True, "kernel": "rbf"},
        seed=7,
        code=Code(digest=digest("code")),
        environment={"python": "3.11.7"},
        candidate=digest(f"package {name}"),
        started=NOON,
    )
    return replace(made, **fields)


def package(name: str = "r1", **fields: Any) -> Package:
    made = Package(
        digest=digest(f"package {name}"),
        model="screening",
        run=name,
        report=digest(f"report {name}"),
        created=NOON,
    )
    return replace(made, **fields)


def version(number: int = 1, **fields: Any) -> Version:
    made = Version(
        model="screening",
        number=number,
        package=digest(f"package r{number}"),
        run=f"r{number}",
        report=digest(f"report r{number}"),
        dataset="patients@1",
        registered=NOON,
        by="ann",
    )
    return replace(made, **fields)


def admission(number: int = 1, **fields: Any) -> Admission:
    made = Admission(model="screening", version=number, environment="test", admitted=NOON, by="ann")
    return replace(made, **fields)


def marks(number: int = 1, **fields: Any) -> Marks:
    return replace(Marks(model="screening", version=number), **fields)


def alias(name: str = "champion", **fields: Any) -> Alias:
    return replace(Alias(model="screening", name=name, version=1, by="ann", given=NOON), **fields)


def review(number: int = 1, **fields: Any) -> Review:
    made = Review(
        model="screening", version=number, subject="ethics", yes=True, reason="fine", by="bob", given=NOON
    )
    return replace(made, **fields)


def token(token_id: str = "a1", **fields: Any) -> Token:
    made = Token(
        id=token_id,
        person="ann",
        roles=("developer",),
        sha256=digest(f"secret {token_id}"),
        created=NOON,
        by="bob",
    )
    return replace(made, **fields)


def release(release_id: int = 1, **fields: Any) -> Release:
    made = Release(
        id=release_id,
        environment="test",
        model="screening",
        version=1,
        package=digest("package r1"),
        status="wanted",
        by="ann",
        started=NOON,
    )
    return replace(made, **fields)


def step(identity: str = "identity", **fields: Any) -> StepRecord:
    made = StepRecord(
        identity=identity,
        step="screening/train",
        result="r1",
        inputs=(Input(kind="parameter", name="C", value="1.0"),),
        made=NOON,
    )
    return replace(made, **fields)


def job(job_id: int = 1, **fields: Any) -> Job:
    made = Job(
        id=job_id,
        asked=Asked(kind="build", models=("screening",)),
        state="queued",
        by="ann",
        since=NOON,
        due=NOON,
    )
    return replace(made, **fields)


def schedule(name: str = "monitor/prod/screening", **fields: Any) -> Schedule:
    asked = Asked(kind="monitor", models=("screening",), environment="prod")
    return replace(Schedule(name=name, asked=asked, every=3600, due=NOON), **fields)


def alert(alert_id: int = 1, **fields: Any) -> Alert:
    made = Alert(
        id=alert_id,
        environment="prod",
        model="screening",
        kind="drift",
        column="age",
        family="drift",
        severity="warning",
        sentence="age moved",
        opened=NOON,
        seen=NOON,
    )
    return replace(made, **fields)


def notice(notice_id: int = 1, **fields: Any) -> Notice:
    made = Notice(
        id=notice_id, channel="team", news="opened", alerts=(1,), title="t", body="b", made=NOON, due=NOON
    )
    return replace(made, **fields)
