"""What each feature adds to one answer: Shapley values by sampling orders (Štrumbelj and Kononenko 2014).

For one order of the features and one background row, the features are replaced one after the other by the example's,
and each gets the change of the answer that it brings. The changes of an order sum to the answer less the background
row's, so the means over all of them sum, without rest, to the answer less the mean of the background.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.tables.batch import Batch, concat

ORDERS = 200
"""Pairs of an order and its reverse; the reverse takes out most of the chance (antithetic sampling)."""
_ROWS = 20_000
"""Asked of the model at once."""


@dataclass(frozen=True)
class Contributions:
    """``values`` [k] sum to the answer less ``base``; ``errors`` [k] are their standard errors."""

    base: float
    answer: float
    values: NDArray[np.float64]
    errors: NDArray[np.float64]


def contributions(
    ask: Callable[[Batch], NDArray[np.float64]],
    example: Batch,
    background: Batch,
    *,
    seed: int,
    orders: int = ORDERS,
) -> Contributions:
    """Of the features in the order of a batch (numbers, then texts); ``ask`` gives one number [n] a row.

    ``example`` is one row. The background's rows are what it is compared with: take some at random from what the
    model learnt from.
    """
    rng = np.random.default_rng(seed)
    k, numbers = example.numbers.shape[1] + example.texts.shape[1], example.numbers.shape[1]
    samples: list[NDArray[np.float64]] = []
    bases: list[NDArray[np.float64]] = []
    chunk = max(1, _ROWS // (2 * (k + 1)))
    for begin in range(0, orders, chunk):
        count = min(chunk, orders - begin)
        forward = rng.permuted(np.tile(np.arange(k), (count, 1)), axis=1)
        both = np.concatenate([forward, forward[:, ::-1]])
        rows = np.tile(rng.integers(0, len(background), count), 2)
        place = np.empty_like(both)
        np.put_along_axis(place, both, np.arange(k)[None, :], axis=1)
        taken = place[:, None, :] < np.arange(k + 1)[None, :, None]  # [orders, steps, features]
        start = background.take(np.repeat(rows, k + 1))
        mask = taken.reshape(-1, k)
        mixed = Batch(
            np.ascontiguousarray(np.where(mask[:, :numbers], example.numbers, start.numbers)),
            np.where(mask[:, numbers:], example.texts, start.texts),
        )
        given = ask(mixed).reshape(len(both), k + 1)
        change = np.empty((len(both), k))
        np.put_along_axis(change, both, np.diff(given, axis=1), axis=1)
        samples.append((change[:count] + change[count:]) / 2)
        bases.append(given[:count, 0])
    every = np.concatenate(samples)
    return Contributions(
        base=float(np.concatenate(bases).mean()),
        answer=float(ask(concat([example]))[0]),
        values=every.mean(axis=0),
        errors=every.std(axis=0, ddof=1) / np.sqrt(len(every)) if len(every) > 1 else np.full(k, np.nan),
    )
