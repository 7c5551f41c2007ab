"""What each judge of a window finds, what it leaves alone, and how often it cries for nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from modelyard.errors import DataRefused
from modelyard.monitoring import Evidence, Judge, Raw, examine
from modelyard.monitoring import judges as room
from modelyard.monitoring.bounds import quantile_interval
from modelyard.monitoring.repeats import more_pairs
from modelyard.monitoring.texts import pattern
from modelyard.monitoring.traffic import unlike
from modelyard.records.finding import Finding, WindowReport
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Kind, Schema
from modelyard.records.window import ExaminedWindow, examined
from modelyard.settings import MonitorSettings
from modelyard.tables.batch import Batch
from modelyard.tables.gather import gather
from modelyard.tables.profile import anchor, count

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DTYPES: dict[str, Any] = {"datetime": pl.Datetime("us", "UTC"), "string": pl.String}


def frame(
    columns: dict[str, Sequence[Any] | NDArray[Any]], personal: Sequence[str] = ()
) -> tuple[pl.DataFrame, Schema]:
    kinds: dict[str, Kind] = {}
    for name, values in columns.items():
        first = next((v for v in values if v is not None), 0.0)
        kinds[name] = (
            "string" if isinstance(first, str) else "datetime" if isinstance(first, dt.datetime) else "float"
        )
    schema = Schema(
        columns=tuple(Column(name=n, kind=k, nullable=True, personal=n in personal) for n, k in kinds.items())
    )
    made = {n: pl.Series(n, list(v), dtype=DTYPES.get(kinds[n], pl.Float64())) for n, v in columns.items()}
    return pl.DataFrame(made), schema


def look(
    before: dict[str, Any],
    after: dict[str, Any],
    judge: Judge | None = None,
    *,
    always: Judge | None = None,
    latency: Sequence[float] | None = None,
    given: dict[str, Any] | None = None,
    personal: Sequence[str] = (),
    **options: Any,
) -> WindowReport:
    reference, schema = frame(before, personal)
    window, _ = frame(after)
    learnt = gather(reference, schema)
    anchored = anchor(learnt, schema)
    rows = pl.DataFrame(
        {
            "at": pl.Series([NOON] * window.height, dtype=pl.Datetime("us", "UTC")),
            "latency": pl.Series(latency or [0.001] * window.height, dtype=pl.Float64),
            "prediction": pl.Series(window.to_series(0) if window.width else []),
            "probability": pl.Series([None] * window.height, dtype=pl.List(pl.Float64)),
            "features": window.to_struct(),
        }
    )
    evidence = Evidence(
        settings=msgspec.convert(options, MonitorSettings),
        environment="prod",
        model="screening",
        version=1,
        start=NOON,
        end=NOON + HOUR,
        reference=anchored,
        window=count(gather(window, schema), anchored),
        rows=rows,
        schema=schema,
        **({"learnt": lambda _: Raw(learnt), "total": window.height} | (given or {})),
    )
    return examine(evidence, (judge,) if judge else (), (always,) if always else ())


def only(report: WindowReport, kind: str, column: str = "") -> Finding:
    (found,) = [f for f in report.findings if f.kind == kind and f.column == column]
    return found


def pairs(random: np.random.Generator, n: int, correlation: float) -> dict[str, Any]:
    a, b, c = random.normal(size=(3, n))
    return {"a": a, "b": correlation * a + np.sqrt(1 - correlation**2) * b, "c": c}


def test_what_no_column_alone_shows_trees_do() -> None:
    random = np.random.default_rng(1)
    report = look(pairs(random, 3000, 0.0), pairs(random, 1000, 0.8), room.domain)
    found = only(report, "multivariate_drift")
    assert found.alert
    assert 0.6 < found.value < 0.95
    assert found.reach is not None
    assert {d.name for d in found.details[:2]} == {"a", "b"}
    assert "most by" in found.sentence
    assert not any(
        f.alert for f in look(pairs(random, 3000, 0.0), pairs(random, 1000, 0.8), room.features).findings
    )


def test_trees_alarm_at_their_rate() -> None:
    alarms = 0
    for seed in range(25):
        random = np.random.default_rng(seed)
        labels = random.choice(list("abcdef"), 700, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05])
        rows = pairs(random, 700, 0.5) | {"x": labels, "name": [f"person {i}" for i in range(700)]}
        before, after = ({k: list(v)[s] for k, v in rows.items()} for s in (slice(0, 400), slice(400, None)))
        found = only(look(before, after, room.domain, min_effect=0.0), "multivariate_drift")
        assert found.p_value is not None
        alarms += found.p_value <= 0.05
    assert alarms <= binom.ppf(0.99, 25, 0.05)


def test_rows_of_the_training_data_again_and_again_are_not_told_apart() -> None:
    alarms = 0
    for seed in range(15):
        random = np.random.default_rng(seed)
        before = pairs(random, 400, 0.3)
        again = random.integers(0, 400, 300)
        found = look(before, {k: v[again] for k, v in before.items()}, room.domain, min_effect=0.0)
        alarms += sum(f.p_value is not None and f.p_value <= 0.05 for f in found.findings)
    assert alarms <= binom.ppf(0.99, 15, 0.05)


@pytest.mark.parametrize("rows", [0, 1, 60])
def test_too_few_rows_teach_nothing(rows: int) -> None:
    random = np.random.default_rng(0)
    assert not look(pairs(random, 400, 0), pairs(random, rows, 0), room.domain, min_rows=1).findings
    assert not look(pairs(random, 60, 0), pairs(random, 400, 0), room.domain).findings


def test_constant_and_infinite_and_empty_columns_trouble_no_judge() -> None:
    random = np.random.default_rng(0)
    odd = {
        "k": [3.0] * 400,
        "gone": [None] * 400,
        "far": [np.inf, -np.inf] * 200,
        "x": random.normal(size=400),
    }
    for judge in room.JUDGES:
        report = look(odd, {k: list(v)[:200] for k, v in odd.items()}, judge)
        assert msgspec.json.decode(msgspec.json.encode(report), type=WindowReport) == report
        assert not report.alerts, judge


def test_repeated_rows_are_told_and_an_alert_where_asked_for() -> None:
    random = np.random.default_rng(0)
    before, after = pairs(random, 1000, 0), pairs(random, 300, 0)
    twice = {k: np.concatenate([v, v[:30]]) for k, v in after.items()}
    found = only(look(before, twice, room.repeats), "duplicates")
    assert (found.value, found.alert) == (30 / 330, False)
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert only(look(before, twice, room.repeats, duplicates=True), "duplicates").alert
    assert not look(before, after, room.repeats, duplicates=True).findings


@pytest.mark.parametrize("kinds", [5, 200, 100_000])
def test_repeats_alarm_at_their_rate_whether_rows_are_many_or_few(kinds: int) -> None:
    random, alarms = np.random.default_rng(kinds), 0
    weights = 1 / np.arange(1, kinds + 1)
    weights /= weights.sum()
    for _ in range(300):
        before, after = (
            np.unique(random.choice(kinds, n, p=weights), return_counts=True)[1] for n in (1500, 400)
        )
        alarms += more_pairs(before, after) <= 0.05
    assert alarms <= binom.ppf(0.99, 300, 0.05)


def test_lengths_and_patterns_of_texts() -> None:
    random = np.random.default_rng(0)
    before = {"code": [f"AB-{i:05d}" for i in random.integers(0, 10**5, 500)]}
    same = {"code": [f"CD-{i:05d}" for i in random.integers(0, 10**5, 200)]}
    assert not look(before, same, room.texts).alerts
    other = {"code": [f"ab{i}" for i in random.integers(0, 10**7, 200)]}
    assert {f.column for f in look(before, other, room.texts).alerts} == {"code (length)", "code (pattern)"}
    told = look(before, other, room.texts, personal=["code"])
    assert {f.column for f in told.findings} == {"code (length)"}, "a pattern of signs would be the value"
    few = {"code": ["a", "b"] * 300}
    assert not look(few, {"code": ["b"] * 200}, room.texts).findings, "categories are compared as such"


@pytest.mark.parametrize(
    ("text", "made"),
    [("", ""), ("Ab-12", "Aa-9"), ("ann@x.org", "a@a.a"), ("größe  7", "a\u00e6a 9"), ("x" * 999, "a")],
)
def test_patterns(text: str, made: str) -> None:
    assert pattern(text) == made


def past(
    values: Sequence[float], kind: str = "volume", column: str = "", hours: int = 1
) -> list[ExaminedWindow]:
    found = []
    for back, value in enumerate(values, start=1):
        finding = Finding(
            kind=kind,  # type: ignore[arg-type]
            column=column,
            statistic="s",
            value=value,
            p_value=None,
            p_corrected=None,
            effect=0,
            effect_name="",
            reference_rows=0,
            window_rows=0,
            alert=False,
            sentence="",
        )
        start = NOON - back * hours * HOUR
        report = WindowReport(
            environment="prod",
            model="screening",
            version=1,
            start=start,
            end=start + HOUR,
            rows=9,
            alpha=0.05,
            correction="holm",
            findings=(finding,),
        )
        found.append(examined(report, "ab" * 32))
    return found


ONE = {"x": np.arange(100.0)}


def test_silence_and_a_flood_are_told_from_usual_traffic() -> None:
    usual = past(np.random.default_rng(0).poisson(1000, 30).tolist())
    for total, alert in ((0, True), (300, True), (980, False), (1700, False), (4000, True)):
        report = look(ONE, ONE, always=room.volume, given={"history": usual, "total": total})
        assert only(report, "volume").alert == alert, total
    empty = look(ONE, {"x": []}, always=room.volume, given={"history": usual, "total": 0})
    assert [f.kind for f in empty.alerts] == ["volume"]
    assert empty.note.startswith("No predictions")


def test_little_history_tells_nothing_and_says_so() -> None:
    found = only(look(ONE, ONE, always=room.volume, given={"history": past([900.0] * 7)}), "volume")
    assert (found.p_value, found.alert) == (None, False)
    assert "8 earlier windows tell what is usual" in found.sentence


def test_nights_are_compared_with_nights() -> None:
    by_hour = [float(50 if (12 - back) % 24 == 12 else 1000) for back in range(1, 24 * 10)]
    report = look(ONE, ONE, always=room.volume, given={"history": past(by_hour), "total": 55})
    assert not only(report, "volume").alert
    assert only(
        look(ONE, ONE, always=room.volume, given={"history": past(by_hour), "total": 900}), "volume"
    ).alert


@pytest.mark.parametrize("windows", [8, 20, 100])
def test_traffic_alarms_at_its_rate(windows: int) -> None:
    """Counts whose own rate wanders, as real ones do; without the floor of a doubling."""
    random, alarms = np.random.default_rng(windows), 0
    for _ in range(2000):
        rates = 500 * np.exp(random.normal(0, 0.3, windows + 1))
        *earlier, value = random.poisson(rates).astype(float).tolist()
        alarms += unlike(value, earlier, least_spread=0.05)[0] <= 0.01
    assert alarms <= binom.ppf(0.999, 2000, 0.01)


def test_slower_answers_are_an_alert_and_faster_ones_are_none() -> None:
    usual = {"history": past([1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 1.1, 1.0, 0.9], "latency")}
    slow = look(ONE, ONE, room.latency, latency=[0.02] * 100, given=usual)
    assert only(slow, "latency").alert
    assert not look(ONE, ONE, room.latency, latency=[0.0001] * 100, given=usual).alerts


def test_a_bound_on_latency_is_broken_only_for_sure() -> None:
    few_slow = [0.001] * 97 + [0.5] * 3
    report = look(ONE, ONE, room.slowness, latency=few_slow, max_latency_ms=100)
    found = only(report, "latency")
    assert found.interval is not None
    assert found.interval[0] < 100 < found.value
    assert not found.alert
    assert only(look(ONE, ONE, room.slowness, latency=[0.2] * 100, max_latency_ms=100), "latency").alert
    assert not look(ONE, ONE, room.slowness, latency=[0.2] * 100).findings


@pytest.mark.parametrize("rows", [10, 300, 5000])
def test_the_interval_of_a_quantile_holds_it(rows: int) -> None:
    random, missed = np.random.default_rng(rows), 0
    low, high = quantile_interval(rows, 0.9)
    for _ in range(1000):
        values = np.sort(random.uniform(size=rows))
        missed += not (values[low] <= 0.9 or low == 0) or not (values[high] >= 0.9 or high == rows - 1)
    assert missed <= binom.ppf(0.999, 1000, 0.01)


def test_times_that_lag_behind() -> None:
    def seen(hours: float) -> dict[str, Any]:
        return {"taken": [NOON - dt.timedelta(hours=hours)] * 60}

    usual = {"history": past([7200.0] * 10, "freshness", "taken")}
    found = only(look(seen(2), seen(72), room.freshness, given=usual), "freshness", "taken")
    assert found.alert
    assert "3 days old" in found.sentence
    assert not look(seen(2), seen(2.1), room.freshness, given=usual).alerts


def test_a_model_grows_stale_only_past_its_bound() -> None:
    data = {"data_until": NOON - dt.timedelta(days=40)}
    assert not look(ONE, ONE, always=room.staleness, given=data).alerts
    assert only(look(ONE, ONE, always=room.staleness, given=data, max_age="30d"), "staleness").alert
    assert not look(ONE, ONE, always=room.staleness, given=data, max_age="60d").alerts
    assert not look(ONE, ONE, always=room.staleness, max_age="30d").findings


def test_the_newest_data_has_another_form() -> None:
    def offered(*columns: Column) -> dict[str, Any]:
        return {"offered": Schema(columns=columns)}

    gone = look(ONE, ONE, always=room.schema, given=offered(Column(name="y", kind="float")))
    assert only(gone, "schema").alert
    assert "x is gone, y is new" in only(gone, "schema").sentence
    other = look(ONE, ONE, always=room.schema, given=offered(Column(name="x", kind="string")))
    assert "x is string and was float" in only(other, "schema").sentence
    more = offered(Column(name="x", kind="float"), Column(name="y", kind="float"))
    assert not look(ONE, ONE, always=room.schema, given=more).alerts
    assert not look(ONE, ONE, always=room.schema, given=offered(Column(name="x", kind="float"))).findings


def test_a_service_that_answers_otherwise_than_its_package() -> None:
    def replay(by: float) -> dict[str, Any]:
        return {"replay": lambda batch: Raw(batch, batch.numbers[:, 0] + by)}

    same = only(look(ONE, ONE, room.skew, given=replay(1e-7)), "skew", "prediction")
    assert (same.value, same.alert) == (0, False)
    assert "answers 100 rows here as the service did" in same.sentence
    wrong = only(look(ONE, ONE, room.skew, given=replay(5.0)), "skew", "prediction")
    assert (wrong.value, wrong.alert) == (1, True)
    assert only(look(ONE, ONE, room.skew, given=replay(np.nan)), "skew", "prediction").alert


@pytest.mark.parametrize("method", ["evidently", "nannyml"])
def test_other_tools_rules_replace_ours(method: str) -> None:
    random = np.random.default_rng(0)
    rows = pairs(random, 1200, 0) | {"x": random.choice(["u", "v"], 1200)}
    moved = {k: v[:300] for k, v in rows.items()} | {"a": rows["a"][:300] + 1}
    report = look(rows, moved, room.peers, method=method)
    assert report.method == method
    assert [f.column for f in report.alerts] == ["a"]
    assert only(report, "drift", "a").statistic == (
        "wasserstein" if method == "evidently" else "jensen_shannon"
    )
    assert not look(rows, moved, room.features, method=method).findings
    assert not look(rows, moved, room.domain, method=method).findings
    if method == "evidently":
        assert only(report, "multivariate_drift").value == 0.25
        far = {k: v[:300] + 1 if k in "ab" else v[:300] for k, v in rows.items()}
        assert only(look(rows, far, room.peers, method=method), "multivariate_drift").alert
        by_psi = look(rows, moved, room.peers, method=method, test="psi")
        assert {f.statistic for f in by_psi.findings} == {"psi", "share_of_drifted_columns"}


def test_other_tools_need_rows() -> None:
    with pytest.raises(DataRefused, match="are not in this yard"):
        look(ONE, ONE, room.peers, method="evidently", given={"learnt": lambda _: None})


def test_no_value_of_a_personal_column_is_told() -> None:
    schema = Schema(columns=(Column(name="name", kind="string", personal=True),))
    texts = np.array([["Ann"], ["Bob"]] * 200, dtype=object)
    other = np.array([["Zoe"]] * 200, dtype=object)
    none = np.empty((400, 0))
    anchored = anchor(Batch(none, texts), schema)
    evidence = Evidence(
        settings=MonitorSettings(),
        environment="prod",
        model="m",
        version=1,
        start=NOON,
        end=NOON + HOUR,
        reference=anchored,
        window=count(Batch(none[:200], other), anchored),
        answers=Profile(rows=0, columns=()),
        schema=schema,
    )
    report = examine(evidence, (room.features, room.faults))
    assert report.alerts
    text = msgspec.json.encode(report).decode()
    assert not any(name in text for name in ("Ann", "Bob", "Zoe"))
