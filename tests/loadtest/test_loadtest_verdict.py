"""Promises: read, held against a level, and what a larger load takes."""

from __future__ import annotations

import pytest

from modelyard.errors import Misuse
from modelyard.loadtest import estimate, judge, parse, spread
from modelyard.loadtest.histogram import bucket
from modelyard.records.load import Level, Loaded


def level(*, answered: int, milliseconds: float, errors: int = 0, rate: float = 100.0) -> Level:
    return Level(
        level=1,
        seconds=answered / rate,
        answered=answered,
        errors={"HTTP 500": errors} if errors else {},
        latencies={bucket(int(milliseconds * 1e6)): answered},
    )


@pytest.mark.parametrize(
    ("text", "what", "limit"),
    [
        ("p99=50ms", "p99", 0.05),
        ("p99.9 <= 0.2s", "p99.9", 0.2),
        ("max<900us", "max", 0.0009),
        ("errors=0.1%", "errors", 0.001),
        ("errors=0", "errors", 0.0),
        ("rate>=500/s", "rate", 500),
        ("mean=1ms", "mean", 0.001),
    ],
)
def test_a_promise_is_read(text: str, what: str, limit: float) -> None:
    found = parse(text)
    assert found.what == what
    assert found.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    "text", ["", "p99", "p99=50", "p99=50%", "errors=3ms", "rate<5", "p99>5ms", "p99=1.2.3ms", "x=1"]
)
def test_what_is_no_promise_is_refused(text: str) -> None:
    with pytest.raises(Misuse):
        parse(text)


def test_a_level_keeps_or_breaks_promises() -> None:
    good = level(answered=1000, milliseconds=10)
    texts = ["p99=11ms", "p99=9ms", "errors=0", "rate=99", "rate=101", "max=11ms"]
    verdicts = judge(good, [parse(text) for text in texts])
    assert [v.met for v in verdicts] == [True, False, True, True, False, True]


def test_a_percentile_that_was_never_answered_breaks_its_promise() -> None:
    bad = level(answered=980, milliseconds=1, errors=20)
    [p99, p50, errors] = judge(bad, [parse("p99=10s"), parse("p50=2ms"), parse("errors=1%")])
    assert (p99.met, p99.value, p99.shown) == (False, None, "not answered")
    assert p50.met
    assert not errors.met
    assert max(share for share, _ in spread(bad)) < 0.98


def test_replicas_follow_from_the_highest_level_that_kept_the_promises() -> None:
    levels = (
        level(answered=100, milliseconds=1, rate=100),
        level(answered=200, milliseconds=2, rate=200),
        level(answered=300, milliseconds=90, rate=300),
    )
    promises = [parse("p99=50ms"), parse("rate=1000000")]
    found = estimate(Loaded(levels=levels), promises, target=1000, cost=0.5)
    assert found is not None
    assert (found.capacity, found.replicas, found.cost, found.at_least) == (200, 8, 4.0, False)
    assert estimate(Loaded(levels=levels[2:]), promises, target=1000) is None
    unbroken = estimate(Loaded(levels=levels), [], target=1)
    assert unbroken is not None
    assert (unbroken.replicas, unbroken.at_least) == (1, True)
