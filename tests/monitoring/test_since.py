"""Since when a finding is as it is, by the course of earlier windows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from modelyard.monitoring.since import since, told
from modelyard.records.finding import Finding
from modelyard.records.window import Brief, ExaminedWindow

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def finding(effect: float) -> Finding:
    return Finding(
        kind="drift",
        column="radius",
        statistic="psi",
        value=effect,
        p_value=1e-9,
        p_corrected=1e-9,
        effect=effect,
        effect_name="psi",
        reference_rows=1000,
        window_rows=500,
        alert=True,
        sentence="radius moved",
    )


def before(effects: Sequence[float], *, alert: bool = False) -> list[ExaminedWindow]:
    """Newest first, as the history gives them."""
    return [
        ExaminedWindow(
            environment="prod",
            model="screening",
            version=1,
            package="ab" * 32,
            start=NOON - (back + 1) * HOUR,
            end=NOON - back * HOUR,
            examined=NOON,
            rows=500,
            judged=True,
            report="cd" * 32,
            findings=(Brief("drift", "radius", "", effect, effect, 0.5, alert),),
        )
        for back, effect in enumerate(reversed(effects))
    ]


def test_a_step_is_dated_with_its_uncertainty() -> None:
    random = np.random.default_rng(0)
    calm, loud = random.exponential(0.01, 20).tolist(), (0.3 + random.normal(0, 0.03, 5)).tolist()
    found = since(finding(0.3), NOON, NOON + HOUR, before(calm + loud))
    assert found is not None
    assert found.start == NOON - 5 * HOUR
    assert found.low <= found.start <= found.high
    assert found.high - found.low <= 2 * HOUR
    assert found.p <= 0.01
    assert not found.first
    assert told(found).startswith("; since 2026-11-20 07:00")


def test_a_small_step_among_noise_has_a_wide_interval() -> None:
    random = np.random.default_rng(4)
    effects = np.concatenate([random.exponential(0.02, 30), 0.03 + random.exponential(0.02, 30)]).tolist()
    found = since(finding(0.05), NOON, NOON + HOUR, before(effects))
    assert found is not None
    assert found.high > found.low
    assert "between" in told(found)


def test_the_interval_holds_the_step_as_often_as_it_says() -> None:
    held = seen = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        roots = np.abs(np.concatenate([random.normal(0.5, 0.2, 25), random.normal(0.9, 0.2, 15)]))
        found = since(finding(0.81), NOON, NOON + HOUR, before((roots**2).tolist()))
        if found is not None:
            seen += 1
            held += found.low <= NOON - 15 * HOUR <= found.high
    assert seen > 100
    assert held >= binom.ppf(0.01, seen, 0.95)


def test_noise_without_a_step_is_not_dated() -> None:
    dated = 0
    for seed in range(100):
        effects = np.random.default_rng(seed).exponential(0.02, 30).tolist()
        dated += since(finding(effects.pop()), NOON, NOON + HOUR, before(effects)) is not None
    assert dated <= binom.ppf(0.99, 100, 0.05)


def test_what_was_never_otherwise_is_told_as_such() -> None:
    found = since(finding(0.5), NOON, NOON + HOUR, before([0.5] * 10, alert=True))
    assert found is not None
    assert found.first
    assert told(found) == "; it has been so in every window since 2026-11-20 02:00"


def test_too_little_history_and_windows_of_another_length_tell_nothing() -> None:
    assert since(finding(0.5), NOON, NOON + HOUR, before([0.0] * 4)) is None
    assert since(finding(0.5), NOON, NOON + 24 * HOUR, before([0.0] * 30)) is None
    assert since(finding(0.5), NOON, NOON + HOUR, []) is None
