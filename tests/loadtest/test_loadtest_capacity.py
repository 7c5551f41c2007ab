"""From a load test to what a larger load takes: figures by hand, bad files, what was not measured."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelyard.errors import Misuse
from modelyard.loadtest import capacity, figures, parse, watching
from modelyard.loadtest.histogram import bucket
from modelyard.records.capacity import Prices, Wish
from modelyard.records.load import Level, Load, Loaded, LoadTest
from modelyard.render.capacity import page, reckoning, settings, summary, text

Command = Callable[..., tuple[int, str, str]]


def level(rate: float, milliseconds: float) -> Level:
    return Level(
        level=rate, seconds=1, answered=int(rate), latencies={bucket(int(milliseconds * 1e6)): int(rate)}
    )


def load_test(*promises: str, cores: float | None = 1.04, **changed: Any) -> LoadTest:
    """100, 200 and 300 answers a second, of which the last takes 90 ms."""
    asked = [parse(one) for one in promises]
    levels = (level(100, 1), level(200, 2), level(300, 90))
    return LoadTest(
        target="screening@1",
        load=Load(url="http://x", model="closed", levels=(1, 2, 3), seconds=1, users=3),
        rows=1,
        at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        cores=2,
        levels=tuple(figures(one, asked, cores=cores) for one in levels),
        course=(),
        spread=(),
        connections=3,
        busy=0.1,
        late=None,
        memory_mb=130.0,
        log_bytes=500.0,
        **changed,
    )


def test_replicas_cores_memory_log_and_money_by_hand() -> None:
    prices = Prices(core=0.04, memory=0.01, log=0.5, replica=0.1)
    found = capacity(load_test("p99=50ms", "rate=9999"), Wish(rate=1000, mean=500, prices=prices))
    assert (found.sustained, found.at_least) == (200, False)
    assert [verdict.promise for verdict in found.verdicts] == ["p99=50ms"]
    assert found.replicas == 8  # 1000 / (200 * 0.7)
    assert found.filled == pytest.approx(0.625)
    assert found.filled_without == pytest.approx(1000 / 1400)
    assert found.peak is not None
    assert found.peak.rate == 200
    assert (found.cores_each, found.cores) == (1.1, pytest.approx(8.8))
    assert (found.memory_each, found.memory) == (192, 1.5)  # 130 * 1.25 up to a multiple of 64
    assert found.log_a_day == pytest.approx(500 * 500 * 86400 / 2**30)
    assert found.hourly == pytest.approx(8 * 0.1 + 8.8 * 0.04 + 1.5 * 0.01)
    assert found.daily_log == pytest.approx(found.log_a_day / 2)
    assert settings(found) == '[infra]\nreplicas = [2, 8]\ncpu = "1100m"\nmemory = "192Mi"'


@pytest.mark.parametrize(
    ("rate", "filled", "spare", "replicas"),
    [(1, 0.7, 0, 1), (1, 0.7, 1, 2), (200, 1.0, 0, 1), (201, 1.0, 0, 2), (400, 1.0, 2, 4), (140, 0.7, 0, 1)],
)
def test_head_room_and_spare_replicas(rate: float, filled: float, spare: int, replicas: int) -> None:
    found = capacity(load_test("p99=50ms"), Wish(rate=rate, mean=rate, filled=filled, spare=spare))
    assert found.replicas == replicas
    assert found.filled_without is not None
    assert found.filled_without <= 1


def test_no_level_that_kept_the_promises_is_a_no_with_its_reason() -> None:
    found = capacity(load_test("p50=1us", "errors=0"), Wish(rate=10, mean=10, prices=Prices(core=1)))
    assert (found.met, found.replicas, found.hourly) == (False, None, None)
    assert summary(found).endswith("even at the lowest load one broke p50=1us (1.01 ms).")
    assert "promises broken" in page(found)
    assert "**broken**" in text(found)


def test_what_was_not_measured_is_said_and_not_counted() -> None:
    test = msgspec.structs.replace(load_test("p99=1s", cores=None), memory_mb=None, log_bytes=None)
    found = capacity(test, Wish(rate=10, mean=10, prices=Prices(core=1, memory=1, log=1, replica=2)))
    assert found.at_least
    assert found.hourly == 4  # two replicas alone
    assert found.unpriced == ("cores", "memory", "the prediction log")
    assert settings(found) is None
    assert "did not measure it: cores, memory, the prediction log." in " ".join(reckoning(found))
    assert text(found).count("not measured") == 6


def test_a_test_without_promises_computes_nothing() -> None:
    for promises in ((), ("rate=5",)):
        with pytest.raises(Misuse, match="--slo"):
            capacity(load_test(*promises), Wish(rate=10, mean=10))


def test_cores_are_those_of_the_level_and_memory_is_the_most() -> None:
    load = Load(url="", model="closed", levels=(1.0,), seconds=0.5, users=1)
    held = iter([5.0, 70.0])
    begun = time.time()
    with watching(lambda: 2 * (time.time() - begun), lambda: next(held, 30.0)) as usage:
        time.sleep(0.9)
    outcome = Loaded(levels=(level(1, 1),), start=begun + 0.2)
    (used,) = usage.by_level(load, outcome)
    assert used == pytest.approx(2.0, rel=0.05)
    assert usage.memory_mb == 70
    later = Loaded(levels=(level(1, 1),), start=begun + 100)
    assert usage.by_level(load, later) == [None]


def test_a_process_that_works_is_seen_with_its_children() -> None:
    from modelyard.deployment.local import Candidate

    here = Candidate("http://x", None, os.getpid())
    before, until = here.processor_seconds(), time.process_time() + 0.3
    while time.process_time() < until:
        sum(range(1000))
    assert 0.25 < here.processor_seconds() - before < 30
    assert Candidate("http://x", None, 2**22).processor_seconds() == 0


@pytest.mark.parametrize(
    ("content", "words", "code", "says"),
    [
        ("", ("--rate", "5"), 2, "holds no load test"),
        ('{"target": 5}', ("--rate", "5"), 2, "holds no load test"),
        (None, ("--rate", "5"), 2, "does not exist"),
        ("good", (), 2, "Say how large the load is"),
        ("good", ("--users", "5"), 2, "Say how large the load is"),
        ("good", ("--rate", "5", "--users", "5", "--every", "1"), 2, "Say how large the load is"),
        ("good", ("--rate", "inf"), 2, "finite"),
        ("good", ("--rate", "nan"), 2, "finite"),
        ("good", ("--rate", "0"), 2, "--rate"),
        ("good", ("--rate", "5", "--filled", "1.5"), 2, "--filled"),
        ("good", ("--rate", "5", "--html", "/proc/nowhere/x.html"), 3, "cannot be written"),
        ("broken", ("--rate", "5"), 1, ""),
    ],
)
def test_what_cannot_be_computed_is_one_sentence(
    modelyard: Command, tmp_path: Path, content: str | None, words: tuple[str, ...], code: int, says: str
) -> None:
    path = tmp_path / "load.json"
    given = {"good": load_test("p99=50ms"), "broken": load_test("p99=1us")}
    if content is not None:
        path.write_bytes(msgspec.json.encode(given[content]) if content in given else content.encode())
    got, _, complaint = modelyard("capacity", path, *words)
    assert got == code, complaint
    assert says in complaint
    assert "Traceback" not in complaint


def test_a_load_test_from_before_computes_too(modelyard: Command, tmp_path: Path) -> None:
    """Of one without what is measured now, only the promises of its levels are missing, which is said."""
    told = json.loads(msgspec.json.encode(load_test("p99=50ms")))
    for name in ("memory_mb", "log_bytes"):
        del told[name]
    for one in told["levels"]:
        del one["verdicts"], one["cores"]
    (tmp_path / "old.json").write_text(json.dumps(told))
    code, _, complaint = modelyard("capacity", tmp_path / "old.json", "--rate", "5")
    assert (code, "run it again with --slo" in complaint) == (2, True)
