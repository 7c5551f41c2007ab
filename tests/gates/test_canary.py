"""The canary's verdict: rarely a false alarm however often one looks, and soon a true one."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, binom

from modelyard.gates import Counts, canary
from modelyard.metrics.sequential import evidence
from modelyard.records.canary import Arm, Begun
from modelyard.settings import CanarySettings

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("share", "errors", "of_them"), [(0.1, 7, 3), (0.5, 40, 31), (0.25, 1, 0), (0.9, 12, 12)]
)
def test_the_evidence_is_the_mixture_of_likelihood_ratios(share: float, errors: int, of_them: int) -> None:
    prior = beta(2 * share, 2 - 2 * share)
    null = binom.pmf(of_them, errors, share)
    mixed = quad(lambda t: binom.pmf(of_them, errors, t) * prior.pdf(t), share, 1, limit=200)[0]
    assert evidence(share, errors, of_them) == pytest.approx(mixed / prior.sf(share) / null, rel=1e-6)


def test_no_errors_are_no_evidence_and_many_do_not_overflow() -> None:
    assert evidence(0.1, 0, 0) == pytest.approx(1.0)
    assert evidence(0.5, 10**6, 10**6) > 1e300
    assert evidence(0.5, 10**6, 0) < 1e-3


def alarms(share: float, live: float, rival: float, *, runs: int, requests: int, seed: int) -> float:
    """The share of canaries called worse, looked at after every error."""
    random = np.random.default_rng(seed)
    count = 0
    for _ in range(runs):
        ours = random.random(requests) < share
        wrong = random.random(requests) < np.where(ours, rival, live)
        of_them = np.cumsum(ours[wrong])
        count += any(evidence(share, n + 1, int(k)) >= 20 for n, k in enumerate(of_them))
    return count / runs


def test_an_equal_canary_is_seldom_called_worse_though_one_always_looks() -> None:
    # 5 % are allowed; 300 runs have a standard error of 1.3 points at that rate
    assert alarms(0.1, 0.05, 0.05, runs=300, requests=3000, seed=3) <= 0.05
    assert alarms(0.5, 0.2, 0.15, runs=200, requests=1000, seed=4) <= 0.05


def test_a_worse_canary_is_found() -> None:
    assert alarms(0.2, 0.05, 0.25, runs=40, requests=1000, seed=5) == 1.0


def verdict(rival: Arm, live: Arm, hours: float = 1.0, outcomes: Counts | None = None) -> str:
    settings = CanarySettings(min_rows=100, hours=24)
    begun = Begun(release=3, version=8, champion=7, share=0.5, since=NOW - dt.timedelta(hours=hours))
    requests = Counts(rival, live)
    found = canary(settings, begun, requests, outcomes, environment="prod", model="m", now=NOW)
    assert "m@8 at 50 % in prod" in found.sentence
    assert found.by == ("outcomes" if outcomes else "requests")
    return found.verdict


def test_verdicts() -> None:
    assert verdict(Arm(), Arm()) == "waits"
    assert verdict(Arm(judged=99), Arm(judged=500)) == "waits"
    assert verdict(Arm(judged=99), Arm(judged=500), hours=24) == "lapsed"
    assert verdict(Arm(judged=100), Arm(judged=100)) == "passed"
    assert verdict(Arm(judged=40, errors=20), Arm(judged=40)) == "worse", "before its rows are full"
    assert verdict(Arm(judged=100, errors=4), Arm(judged=100, errors=4)) == "passed"
    assert verdict(Arm(judged=100), Arm(judged=100, errors=90)) == "passed"


def test_by_outcomes_what_is_refused_counts_besides() -> None:
    many, few = Arm(judged=500), Arm(judged=90, errors=4)
    assert verdict(many, many, outcomes=Counts(few, few)) == "waits", "only what has an outcome is judged"
    full = Arm(judged=100, errors=4)
    assert verdict(many, many, outcomes=Counts(full, full)) == "passed"
    assert verdict(many, many, outcomes=Counts(Arm(judged=50, errors=20), Arm(judged=50))) == "worse"
    refusing = Arm(judged=100, errors=40)
    assert verdict(refusing, many, outcomes=Counts(Arm(judged=10), Arm(judged=60))) == "worse"
