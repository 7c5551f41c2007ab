"""Contributions sum to the answer, are exact where the model is additive, and fair where it is not."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard.predictor.contributions import contributions
from modelyard.tables.batch import Batch

RNG = np.random.default_rng(5)
BACKGROUND = Batch(RNG.normal(size=(40, 3)), RNG.choice(["a", "b"], size=(40, 1)).astype(object))
EXAMPLE = Batch(np.array([[1.0, -2.0, 3.0]]), np.array([["b"]], dtype=object))


def additive(batch: Batch) -> NDArray[np.float64]:
    known: NDArray[np.float64] = batch.numbers @ np.array([1.0, 2.0, 0.0]) + 5.0 * (batch.texts[:, 0] == "b")
    return known


def crossed(batch: Batch) -> NDArray[np.float64]:
    made: NDArray[np.float64] = batch.numbers[:, 0] * batch.numbers[:, 1] + np.tanh(batch.numbers[:, 2])
    return made


def exact(ask: Any) -> NDArray[np.float64]:
    """By all orders and all background rows."""
    values = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        now = BACKGROUND
        before = ask(now)
        for feature in order:
            numbers, texts = now.numbers.copy(), now.texts.copy()
            if feature < 3:
                numbers[:, feature] = EXAMPLE.numbers[0, feature]
            else:
                texts[:, 0] = EXAMPLE.texts[0, 0]
            now = Batch(numbers, texts)
            after = ask(now)
            values[feature] += (after - before).mean()
            before = after
    return values / len(orders)


@pytest.mark.parametrize("ask", [additive, crossed])
def test_they_sum_to_the_answer_less_the_base(ask: Any) -> None:
    found = contributions(ask, EXAMPLE, BACKGROUND, seed=1, orders=50)
    assert found.values.sum() == pytest.approx(found.answer - found.base)
    assert found.answer == pytest.approx(ask(EXAMPLE)[0])


@pytest.mark.parametrize("ask", [additive, crossed])
def test_they_are_the_values_of_all_orders_within_their_errors(ask: Any) -> None:
    found = contributions(ask, EXAMPLE, BACKGROUND, seed=1, orders=20_000)
    assert np.all(np.abs(found.values - exact(ask)) <= 5 * found.errors + 1e-9)
    assert np.all(found.errors < 0.05)


def test_what_the_model_does_not_look_at_moves_nothing() -> None:
    found = contributions(additive, EXAMPLE, BACKGROUND, seed=1)
    assert found.values[2] == 0
    assert found.errors[2] == 0


def test_the_same_seed_gives_the_same() -> None:
    one, two = (contributions(crossed, EXAMPLE, BACKGROUND, seed=9) for _ in range(2))
    assert np.array_equal(one.values, two.values)
