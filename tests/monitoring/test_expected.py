"""Quality without labels: NannyML's own figures, and what is true of made rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.monitoring.expected import by_confidence, by_loss, calibration, expected_area
from modelyard.monitoring.terms import Judged
from modelyard.monitoring.weighted import LEAST, MOST, by_importance, weights, worth

GOLDEN = json.loads((Path(__file__).parent / "nannyml.json").read_text())
"""Made by ``benchmarks/monitoring/nannyml_peer.py golden`` in NannyML's environment."""


def two(rng: np.random.Generator, n: int, *, power: float, shift: float = 0.0) -> Judged:
    """As ``nannyml_peer.rows_of_two`` makes them."""
    score = np.clip(rng.beta(2 + shift, 2, n), 1e-6, 1 - 1e-6)
    truth = (rng.random(n) < score**power).astype(int)
    chance = np.stack([1 - score, score], axis=1)
    return Judged("binary", 2, truth, (score > 0.5).astype(int), chance, np.zeros(n, dtype=np.intp))


def three(rng: np.random.Generator, n: int) -> Judged:
    """As ``nannyml_peer.rows_of_three``."""
    chances = rng.dirichlet([1.0, 1.5, 2.0], n)
    flat = chances**0.7 / (chances**0.7).sum(axis=1, keepdims=True)
    truth = (rng.random(n)[:, None] > flat.cumsum(axis=1)).sum(axis=1)
    return Judged("multiclass", 3, truth, chances.argmax(axis=1), chances, np.zeros(n, dtype=np.intp))


def chunks(rows: Judged) -> list[Judged]:
    return [rows.take(np.arange(at, at + 500)) for at in range(0, len(rows), 500)]


@pytest.mark.parametrize(("name", "power"), [("calibrated", 1.0), ("overconfident", 2.0)])
def test_estimates_and_their_errors_of_two_classes_are_nannymls(name: str, power: float) -> None:
    rng = np.random.default_rng(0)
    reference, analysis = two(rng, 2000, power=power), two(rng, 1500, power=power, shift=1.0)
    for wanted, rows in zip(GOLDEN[name], chunks(analysis), strict=True):
        found = by_confidence(reference, rows)
        for metric, (value, error) in wanted.items():
            assert found[metric].value == pytest.approx(value, abs=1e-6), metric
            assert found[metric].error == pytest.approx(error, rel=1e-3), metric


def test_estimates_of_three_classes_are_nannymls() -> None:
    rng = np.random.default_rng(1)
    reference, analysis = three(rng, 2000), three(rng, 1500)
    names = {"roc_auc": "roc_auc_ovr", "accuracy": "accuracy", "f1": "f1_macro"}
    for wanted, rows in zip(GOLDEN["three"], chunks(analysis), strict=True):
        found = by_confidence(reference, rows)
        for metric, (value, _) in wanted.items():
            assert found[names[metric]].value == pytest.approx(value, abs=1e-6), metric
        assert found["accuracy"].error == pytest.approx(wanted["accuracy"][1], rel=1e-6)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_truth_lies_within_the_band(power: float) -> None:
    rng = np.random.default_rng(3)
    reference = two(rng, 5000, power=power)
    for shift in (0.0, 1.0, 2.0):
        rows = two(rng, 5000, power=power, shift=shift)
        found = by_confidence(reference, rows)
        true = metrics.score("binary", rows.truth, rows.prediction, rows.probability, (0, 1))
        for metric, estimate in found.items():
            low, high = estimate.band(metric)
            assert low <= true[metric] <= high, (metric, shift)


def test_what_needs_no_calibration_is_left_as_it_is() -> None:
    rng = np.random.default_rng(4)
    chance = rng.random(3000)
    given = np.linspace(0, 1, 11)
    assert (calibration(np.zeros(3000, dtype=bool), chance)(given) == given).all()
    assert (calibration(chance > 0.5, chance)(given) == given).all()
    assert (calibration(np.array([True] * 8 + [False] * 8), chance[:16])(given) == given).all()
    curve = calibration(rng.random(3000) < chance**3, chance)
    assert curve(np.array([0.5]))[0] == pytest.approx(0.125, abs=0.05)
    assert (np.diff(curve(given)) >= 0).all()


def test_an_area_of_certain_rows_is_the_area_and_one_class_has_none() -> None:
    truth, score = np.array([0.0, 1, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8, 0.9])
    wanted = metrics.value(
        "roc_auc", "binary", truth.astype(int), truth, np.stack([1 - score, score], 1), (0, 1)
    )
    assert expected_area(truth, score) == pytest.approx(wanted)
    assert np.isnan(expected_area(np.zeros(3), score[:3]))


def test_a_window_of_one_answer_or_one_row_gives_no_warning_and_no_nonsense() -> None:
    rng = np.random.default_rng(5)
    reference = two(rng, 1000, power=1.0)
    sure = Judged(
        "binary", 2, np.zeros(3, int), np.zeros(3, int), np.tile([1.0, 0.0], (3, 1)), np.zeros(3, np.intp)
    )
    for rows in (sure, two(rng, 1, power=1.0)):
        for metric, estimate in by_confidence(reference, rows).items():
            low, high = estimate.band(metric)
            assert np.isfinite([low, high]).all()
            assert low <= high


def numbers(rng: np.random.Generator, n: int, centre: float) -> tuple[NDArray[np.float64], Judged]:
    """A regression whose error grows with its feature."""
    x = rng.normal(centre, 1.0, n)
    truth = 3 * x + rng.normal(size=n) * np.exp(0.5 * x)
    return x[:, None], Judged("regression", 0, truth, 3 * x, None, np.zeros(n, dtype=np.intp))


def test_the_error_of_a_regression_is_told_from_where_the_rows_are() -> None:
    rng = np.random.default_rng(6)
    before, reference = numbers(rng, 4000, 0.0)
    for centre in (0.0, 0.7):
        after, rows = numbers(rng, 3000, centre)
        found = by_loss(before, reference, after, rows)
        true = metrics.score("regression", rows.truth, rows.prediction, None, ())
        assert found["mae"].value == pytest.approx(true["mae"], rel=0.1)
        assert found["rmse"].value == pytest.approx(true["rmse"], rel=0.15)
    blind = float(np.abs(reference.truth - reference.prediction).mean())
    assert abs(blind - true["mae"]) > 3 * abs(found["mae"].value - true["mae"])


def test_weighted_rows_tell_what_a_shifted_window_is_like() -> None:
    rng = np.random.default_rng(7)
    before, reference = numbers(rng, 4000, 0.0)
    after, rows = numbers(rng, 4000, 0.7)
    weight = weights(before, after)
    assert weight.mean() == pytest.approx(1.0)
    assert weight.max() <= 2 * MOST
    assert LEAST < worth(weight) < len(before)
    found = by_importance(reference, weight, len(rows))
    true = metrics.score("regression", rows.truth, rows.prediction, None, ())
    low, high = found["mae"].band("mae")
    assert low <= true["mae"] <= high
    assert found["mae"].value == pytest.approx(true["mae"], rel=0.1)


def test_every_metric_of_weighted_rows_lies_in_its_band() -> None:
    rng = np.random.default_rng(11)
    _, rows = numbers(rng, 400, 0.0)
    far = Judged("regression", 0, rows.truth * 100 + 500, rows.prediction, None, rows.window)
    for reference, least in ((far, -np.inf), (two(rng, 400, power=1.0), -1.0)):
        found = by_importance(reference, np.ones(len(reference)), 400)
        assert {"median_absolute_error", "mape", "r2"} <= found.keys() or "mcc" in found
        for metric, estimate in found.items():
            low, high = estimate.band(metric)
            assert least <= low <= estimate.value <= high, metric
    assert found["mcc"].band("mcc")[0] >= -1


def test_rows_from_elsewhere_are_worth_little() -> None:
    rng = np.random.default_rng(8)
    before, _ = numbers(rng, 2000, 0.0)
    after, _ = numbers(rng, 2000, 6.0)
    assert worth(weights(before, after)) < LEAST * 3
    assert worth(np.ones(70)) == pytest.approx(70)


def test_how_often_a_band_misses_where_nothing_changed() -> None:
    rng = np.random.default_rng(9)
    reference = two(rng, 5000, power=2.0)
    missed = tried = 0
    for _ in range(40):
        rows = two(rng, 500, power=2.0)
        true = metrics.score("binary", rows.truth, rows.prediction, rows.probability, (0, 1))
        found = by_confidence(reference, rows)
        for metric in ("roc_auc", "accuracy", "f1"):
            low, high = found[metric].band(metric)
            missed += not low <= true[metric] <= high
            tried += 1
    assert missed <= 0.02 * tried
