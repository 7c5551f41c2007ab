"""Histograms of latencies: exact to a bucket, additive, and honest about what was never answered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.loadtest.histogram import added, bucket, mean, percentile, upper

durations = st.lists(st.integers(0, 10**12), min_size=1, max_size=60)


def counted(values: list[int]) -> dict[int, int]:
    return added({bucket(value): 1} for value in values)


@given(value=st.integers(0, 10**13))
def test_a_bucket_holds_its_values_within_two_percent(value: int) -> None:
    top = upper(bucket(value))
    assert value <= top <= value * (1 + 1 / 63) + 1
    assert bucket(top) == bucket(value)
    assert bucket(top + 1) == bucket(value) + 1


@given(several=st.lists(durations, min_size=1, max_size=4), share=st.floats(0.01, 1))
def test_the_sum_of_histograms_is_the_histogram_of_all(several: list[list[int]], share: float) -> None:
    every = [value for values in several for value in values]
    counts = added(counted(values) for values in several)
    assert counts == counted(every)
    found = percentile(counts, share)
    wanted = np.quantile(every, share, method="inverted_cdf") / 1e9
    assert found is not None
    assert wanted <= found <= wanted * 1.02 + 1e-9


def test_what_was_never_answered_is_slower_than_all_that_was() -> None:
    counts = counted([1000] * 90)
    assert percentile(counts, 0.9, among=100) == pytest.approx(1e-6, rel=0.02)
    assert percentile(counts, 0.91, among=100) is None
    assert percentile({}, 0.5, among=3) is None
    assert mean({}) is None
