"""What is on record decides each of the 28 tests: by the system, by hand, failed or missing."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from modelyard.readiness import Known, readiness
from modelyard.records.comparison import Comparison, PairedMetric
from modelyard.records.event import Event
from modelyard.records.explanation import Baseline, FeatureImportance, Importance
from modelyard.records.fairness import Fairness, Group, Rate
from modelyard.records.gate import GateOutcome
from modelyard.records.metric import Metric
from modelyard.records.package import Layout, Manifest
from modelyard.records.registry import Trial
from modelyard.records.report import Report
from modelyard.records.run import Study
from modelyard.records.schema import Column, Schema
from modelyard.records.slices import Slice
from modelyard.records.stability import Shake, Stability
from modelyard.settings import Settings
from modelyard.settings.readiness import Costs, Documented, ModelReadiness
from modelyard.testing import samples

NOW = samples.NOON + dt.timedelta(days=3)
AGE = Column(name="age", kind="float")
TOLD = replace(AGE, declared=("range",), minimum=0.0)
PACKAGE = samples.digest("package r1")
Change = Callable[[Known], Known]


def schema(*columns: Column) -> Schema:
    return Schema(columns=(*columns, Column(name="ill", kind="string")), target="ill")


def settings(**tables: Any) -> Settings:
    tree = {
        "project": {"name": "screening"},
        "data": {"patients": {"source": "patients.csv", "target": "ill"} | tables.pop("patients", {})},
        "models": {"screening": {"code": "models/screening", "data": "patients", "metric": "roc_auc"}},
        "environments": {"test": {"port": 8101}, "prod": {"port": 8103}},
    }
    return msgspec.convert(tree, Settings)


def known(**fields: Any) -> Known:
    """Nothing but a version, trained and registered: no test has anything to show."""
    version = replace(samples.version(), package=PACKAGE, run="r1", dataset="patients@1", by="anna")
    report = Report(
        model="screening",
        package=PACKAGE,
        dataset="patients@1",
        dataset_digest=samples.digest("patients 1"),
        task="binary",
        classes=("no", "yes"),
        rows=100,
        metrics=(Metric(name="roc_auc", value=0.9, low=0.8, high=0.95),),
        passed=True,
        created=samples.NOON,
    )
    data = samples.dataset(schema=schema(AGE))
    manifest = Manifest(
        model="screening",
        task="binary",
        form="onnx",
        frame="pandas",
        schema=data.schema,
        layout=Layout(numbers=("age",), texts=()),
        requirements=(),
        python="3.11.7",
        files=(),
    )
    made = Known(
        now=NOW,
        settings=settings(),
        written=ModelReadiness(),
        version=version,
        run=samples.run(),
        report=report,
        registered=report,
        manifest=manifest,
        data=data,
        datasets=[data],
        versions=[version],
        releases=[],
        reviews=[],
        events=[],
        built="",
        schema_file="data/patients.schema.toml",
        pipelines=(),
        mode=0o40700,
        addresses={"test": "http://127.0.0.1:8101", "prod": "http://127.0.0.1:8103"},
    )
    return dataclasses.replace(made, **fields)


def event(seq: int, action: str, *, days: float = 2.0, object: str = "screening@1", **payload: Any) -> Event:
    return Event(
        seq=seq,
        ts=samples.NOON + dt.timedelta(days=days),
        actor="anna",
        action=action,
        object=object,
        payload=payload,
        payload_sha256="",
        prev="",
    )


def reported(**fields: Any) -> Change:
    return lambda k: dataclasses.replace(k, report=replace(k.report, **fields))


def described(column: Column) -> Change:
    data = samples.dataset(schema=schema(column), declared=samples.digest("declared"))
    return lambda k: dataclasses.replace(
        k, data=data, datasets=[data], manifest=replace(k.manifest, schema=data.schema)
    )


def told(*events: Event) -> Change:
    return lambda k: dataclasses.replace(k, events=[*k.events, *events])


def ran(**fields: Any) -> Change:
    return lambda k: dataclasses.replace(k, run=replace(k.run or samples.run(), **fields))


def live(environment: str = "prod", **fields: Any) -> Change:
    finished = samples.NOON + dt.timedelta(days=1)
    fields = {"version": 1, "status": "live"} | fields
    one = replace(
        samples.release(),
        environment=environment,
        started=finished - dt.timedelta(seconds=2),
        finished=finished,
        **fields,
    )
    return lambda k: dataclasses.replace(k, releases=[*k.releases, one])


def trial(arm: Any, environment: str = "prod", **fields: Any) -> Change:
    fields = {"status": "ended", "ended": samples.NOON + dt.timedelta(days=2)} | fields
    return live(environment, trial=Trial(arm=arm, share=0.1), **fields)


def written(**fields: Any) -> Change:
    return lambda k: dataclasses.replace(k, written=ModelReadiness(**fields))


def both(*changes: Change) -> Change:
    def all_of(k: Known) -> Known:
        for change in changes:
            k = change(k)
        return k

    return all_of


def important(*columns: tuple[str, float, float, float]) -> Change:
    features = tuple(FeatureImportance(column=c, increase=v, low=lo, high=hi) for c, v, lo, hi in columns)
    return reported(importance=Importance(loss="brier", base=0.1, rows=100, repeats=5, features=features))


def grown(k: Known) -> Known:
    """A second dataset version brought ``weight``; version 2 learnt from it and went live in prod."""
    newer = samples.dataset(2, schema=schema(AGE, Column(name="weight", kind="float")))
    second = replace(k.version, number=2, dataset="patients@2")
    went = replace(
        samples.release(),
        environment="prod",
        version=2,
        status="live",
        finished=newer.created + dt.timedelta(hours=5),
    )
    return dataclasses.replace(
        k, datasets=[*k.datasets, newer], versions=[*k.versions, second], releases=[*k.releases, went]
    )


def held(worse: bool) -> Baseline:
    value, other = (0.8, 0.9) if worse else (0.9, 0.8)
    gap = value - other
    one = PairedMetric(
        name="roc_auc", value=value, champion=other, difference=gap, low=gap - 0.05, high=gap + 0.05
    )
    return Baseline(name="logistic", rows=80, metrics=(one,))


def groups(judged: bool) -> tuple[Fairness, ...]:
    rate = Rate(hits=5, rows=10, low=0.2, high=0.8)
    two = tuple(
        Group(label=label, rows=10, judged=judged, selection=rate, tpr=rate, fpr=rate, ppv=rate)
        for label in ("f", "m")
    )
    return (Fairness(column="sex", groups=two),)


def compared(k: Known) -> Known:
    """The report is on newer rows, and holds it against a version that learnt from older ones."""
    data = samples.dataset(2, schema=schema(AGE))
    old = replace(k.version, registered=k.version.registered - dt.timedelta(days=30))
    new = replace(k.version, number=2, dataset="patients@2")
    paired = PairedMetric(name="roc_auc", value=0.9, champion=0.85, difference=0.05, low=0.01, high=0.09)
    report = replace(
        k.report,
        dataset="patients@2",
        comparisons=(Comparison(environment="prod", champion="screening@1", metrics=(paired,)),),
    )
    return dataclasses.replace(
        k, data=data, datasets=[*k.datasets, data], version=new, versions=[old, new], report=report
    )


def gate(metric: str = "roc_auc", *, passed: bool = True, **fields: Any) -> GateOutcome:
    fields = {"rule": "min"} | fields
    return GateOutcome(metric=metric, passed=passed, sentence=f"{metric} is what it is", **fields)


def gates(*outcomes: GateOutcome) -> Change:
    return lambda k: dataclasses.replace(
        k, report=replace(k.report, gates=outcomes), registered=replace(k.registered, gates=outcomes)
    )


STABLE = Stability(
    loss="brier",
    base=0.1,
    rows=100,
    shakes=(
        Shake(kind="noise", level=0.1, columns=1, loss=0.11, growth=0.01, low=0.0, high=0.02, moved=0.1),
    ),
)
CHECKED = event(
    4,
    "package.checked",
    object="screening@run/r1",
    package=PACKAGE,
    code=samples.digest("code"),
    tests=4,
    service=9,
)
REVIEW = replace(samples.review(), yes=True, by="ben", subject="ethics")
COMMIT = replace(samples.run().code, commit="a" * 40)
WINDOW = {"environment": "prod", "package": PACKAGE, "rows": 500, "columns": ""}
REPRODUCED = {"object": "screening@run/r1", "package": PACKAGE}

CASES: list[tuple[str, str, Change]] = [
    ("D1", "automated", described(TOLD)),
    ("D2", "automated", important(("age", 0.1, 0.05, 0.15))),
    ("D2", "failed", important(("age", -0.1, -0.12, -0.08))),
    ("D2", "automated", important(("age", -0.001, -0.04, 0.038))),
    ("D2", "missing", important(("weight", 0.1, 0.05, 0.15))),
    ("D3", "automated", both(written(costs=Costs(unit="EUR", budget=5, features={"age": 3})),
                             important(("age", 0.1, 0.05, 0.15)))),
    ("D3", "failed", written(costs=Costs(unit="EUR", budget=2, features={"age": 3}))),
    ("D3", "failed", both(written(costs=Costs(unit="EUR", budget=5, features={"age": 3})),
                          important(("age", 0.01, -0.05, 0.07)))),
    ("D3", "missing", written(costs=Costs(unit="EUR", budget=5))),
    ("D3", "automated", written(costs=Costs(unit="EUR", budget=5, default=0))),
    ("D4", "automated", described(replace(AGE, forbidden=True))),
    ("D4", "automated", lambda k: dataclasses.replace(k, settings=settings(patients={"refuse": ["target_leak"]}))),
    ("D5", "automated", described(replace(AGE, personal=True))),
    ("D5", "failed", both(described(replace(AGE, personal=True)), lambda k: dataclasses.replace(k, mode=0o40755))),
    ("D6", "automated", grown),
    ("D7", "automated", told(CHECKED)),
    ("D7", "missing", told(replace(CHECKED, payload=CHECKED.payload | {"code": "another"}))),
    ("D7", "missing", both(told(CHECKED), lambda k: dataclasses.replace(
        k, settings=settings(patients={"transform": {"sql": "SELECT * FROM source"}})))),
    ("M1", "automated", both(ran(code=COMMIT), lambda k: dataclasses.replace(k, reviews=[REVIEW]))),
    ("M1", "missing", both(ran(code=COMMIT), lambda k: dataclasses.replace(k, reviews=[replace(REVIEW, by="anna")]))),
    ("M1", "missing", both(ran(code=COMMIT), lambda k: dataclasses.replace(k, reviews=[replace(REVIEW, yes=False)]))),
    ("M1", "missing", both(ran(code=replace(COMMIT, dirty=True)), lambda k: dataclasses.replace(k, reviews=[REVIEW]))),
    ("M3", "automated", ran(study=Study(key="k", sampler="tpe", metric="roc_auc", higher_is_better=True, planned=9,
                                        complete=9, best=3, value=0.9))),
    ("M4", "automated", compared),
    ("M4", "missing", lambda k: dataclasses.replace(compared(k), report=replace(compared(k).report, dataset="patients@1"))),
    ("M5", "automated", reported(baselines=(held(False),))),
    ("M5", "failed", reported(baselines=(held(True),))),
    ("M6", "automated", reported(slices=(Slice(column="sex", label="f", rows=40),))),
    ("M6", "failed", reported(slices=(Slice(column="sex", label="f", rows=40),), gates=(gate(passed=False, by="sex"),))),
    ("M7", "automated", reported(fairness=groups(True))),
    ("M7", "missing", reported(fairness=groups(False))),
    ("M7", "failed", reported(fairness=groups(True), gates=(gate("equal_opportunity", rule="max_gap", passed=False),))),
    ("I1", "automated", told(event(1, "package.reproduced", verdict="identical", **REPRODUCED))),
    ("I1", "automated", told(event(1, "package.reproduced", verdict="equal", **REPRODUCED))),
    ("I1", "failed", told(event(1, "package.reproduced", verdict="identical", **REPRODUCED),
                          event(2, "package.reproduced", verdict="different", **REPRODUCED))),
    ("I1", "missing", told(event(1, "package.reproduced", verdict="identical", package="another"))),
    ("I2", "automated", told(CHECKED)),
    ("I2", "missing", told(replace(CHECKED, payload=CHECKED.payload | {"package": "another"}))),
    ("I3", "automated", both(lambda k: dataclasses.replace(k, built="screening@1"),
                             told(event(1, "version.tried", environment="test", package=PACKAGE, tests=9)))),
    ("I3", "missing", told(event(1, "version.tried", environment="test", package=PACKAGE, tests=9))),
    ("I3", "missing", lambda k: dataclasses.replace(k, built="screening@1")),
    ("I4", "automated", gates(gate())),
    ("I4", "failed", gates(gate(passed=False))),
    ("I5", "automated", live()),
    ("I6", "missing", told(event(1, "version.tried", environment="prod", package=PACKAGE, tests=9))),
    ("I6", "automated", trial("canary")),
    ("I6", "automated", trial("shadow", status="shadow", ended=None)),
    ("I6", "missing", trial("canary", environment="test")),
    ("I6", "missing", trial("canary", status="failed")),
    ("I6", "missing", trial("canary", version=2)),
    ("I7", "automated", both(live(version=2), live(restores=1))),
    ("I7", "missing", both(live(), live(restores=1))),
    ("I7", "missing", live()),
    ("O1", "automated", both(described(TOLD), lambda k: dataclasses.replace(k, pipelines=(".gitlab-ci.yml",)))),
    ("O1", "missing", described(TOLD)),
    ("O2", "automated", both(described(TOLD), live())),
    ("O2", "missing", described(TOLD)),
    ("O3", "automated", both(live(), told(event(1, "window.examined", judged="yes", alerts=0, **WINDOW)))),
    ("O3", "failed", both(live(), told(event(1, "window.examined", judged="yes", alerts=2, **WINDOW)))),
    ("O3", "missing", both(live(), told(event(1, "window.examined", judged="no", alerts=0, **WINDOW)))),
    ("O3", "missing", both(live("test"), told(event(1, "window.examined", judged="yes", alerts=0, **WINDOW)))),
    ("O4", "automated", written(max_age="4d")),
    ("O4", "failed", written(max_age="2d")),
    ("O5", "automated", reported(stability=STABLE)),
    ("O5", "failed", both(reported(stability=STABLE), ran(metrics={"loss": "nan"}))),
    ("O6", "automated", gates(gate("latency_p99_ms", rule="max"))),
    ("O6", "failed", gates(gate("memory_mb", rule="max", passed=False))),
    ("O6", "missing", gates(gate())),
    ("O7", "automated", both(live(), told(event(1, "package.evaluated", package=PACKAGE, data="patients@2", passed="yes")))),
    ("O7", "failed", both(live(), told(event(1, "package.evaluated", package=PACKAGE, data="patients@2", passed="no")))),
    ("O7", "missing", both(live(), told(event(1, "package.evaluated", package=PACKAGE, data="patients@1", passed="yes")))),
    ("O7", "missing", both(live(), told(event(1, "package.evaluated", days=0.5, package=PACKAGE, data="patients@2",
                                              passed="yes")))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("test", "state", "change"), CASES, ids=[f"{c[0]}-{c[1]}-{i}" for i, c in enumerate(CASES)]
)
def test_what_is_on_record_decides(test: str, state: str, change: Change) -> None:
    found = next(t for t in readiness(change(known())).tests if t.id == test)
    assert found.state == state, found.found
    assert found.points == (1 if state == "automated" else 0)
    assert bool(found.todo) == (state != "automated")
    assert found.evidence or state == "missing"


def test_without_evidence_every_test_is_missing_and_says_what_to_do() -> None:
    found = readiness(known())
    assert [t.id for t in found.tests] == [f"{s}{n}" for s in "DMIO" for n in range(1, 8)]
    assert {t.state for t in found.tests} == {"missing"}
    assert all(t.found and t.todo for t in found.tests)
    assert found.score == 0


def test_the_score_is_the_least_of_the_sections() -> None:
    change = both(gates(gate()), ran(study=Study(key="k", sampler="tpe", metric="m", higher_is_better=True,
                                                 planned=9, complete=9)), described(TOLD), written(max_age="9d"))  # fmt: skip
    found = readiness(change(known()))
    assert found.sections == {"data": 1, "model": 1, "infrastructure": 1, "monitoring": 1}
    assert found.score == 1
    assert readiness(both(change, live())(known())).sections["infrastructure"] == 2
    assert readiness(both(change, live())(known())).score == 1


def test_what_a_person_wrote_down_counts_half_until_its_day() -> None:
    done = Documented(
        who="Anna", when=dt.date(2026, 1, 1), where="https://wiki/d5", until=dt.date(2026, 1, 6)
    )
    found = next(t for t in readiness(written(tests={"D5": done})(known())).tests if t.id == "D5")
    assert (found.state, found.points) == ("documented", 0.5)
    assert found.evidence[0].path == "https://wiki/d5"
    assert "Anna" in found.found
    late = dataclasses.replace(written(tests={"D5": done})(known()), now=NOW + dt.timedelta(days=1))
    found = next(t for t in readiness(late).tests if t.id == "D5")
    assert (found.state, found.points) == ("missing", 0)
    assert "2026-01-06" in found.found


def test_a_document_does_not_talk_a_failure_away_and_adds_nothing_to_a_point() -> None:
    done = Documented(who="Anna", when=dt.date(2026, 1, 1), where="https://wiki/i4")
    for outcome, state in ((gate(passed=False), "failed"), (gate(), "automated")):
        found = readiness(both(gates(outcome), written(tests={"I4": done}))(known()))
        assert next(t for t in found.tests if t.id == "I4").state == state


def test_a_package_from_elsewhere_is_read_without_its_data() -> None:
    found = readiness(dataclasses.replace(known(), data=None, datasets=[], run=None))
    assert {t.state for t in found.tests} == {"missing"}
