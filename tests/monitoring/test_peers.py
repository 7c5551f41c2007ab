"""``method = "evidently"`` and ``"nannyml"`` say what those tools say: values that the tools themselves gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.monitoring import evidently, nannyml

GOLDEN = Path(__file__).parent / "golden"
NAMES = {
    "K-S p_value": "ks",
    "chi-square p_value": "chisquare",
    "Z-test p_value": "z",
    "Wasserstein distance (normed)": "wasserstein",
    "Jensen-Shannon distance": "jensenshannon",
}


def cases(tool: str) -> list[Any]:
    return [
        pytest.param(case, id=case["name"])
        for case in json.loads((GOLDEN / f"{tool}.json").read_text())["cases"]
    ]


def drawn(case: dict[str, Any]) -> list[Any]:
    random, samples = np.random.default_rng(case["seed"]), []
    for given in (case["reference"], case["window"]):
        values = getattr(random, given["draw"])(*given["with"])
        values = values.astype(object) if values.dtype.kind == "U" else values.astype(float)
        for at, value in enumerate(given.get("put", [])):
            values[at] = float(value) if values.dtype == float else value
        samples.append(values)
    return samples


@pytest.mark.parametrize("case", cases("evidently"))
def test_evidently_says_the_same(case: dict[str, Any]) -> None:
    said = case["said"]
    found = evidently.column(*drawn(case), test=case.get("test", "auto"))
    assert found is not None
    assert found.by == NAMES.get(said["by"], said["by"])
    assert found.threshold == said["threshold"]
    assert found.value == pytest.approx(said["value"], rel=1e-9, abs=1e-15)
    assert found.drifted == (
        said["value"] < 0.05 if found.by in ("ks", "chisquare", "z") else said["value"] >= 0.1
    )


@pytest.mark.parametrize("case", cases("nannyml"))
def test_nannyml_says_the_same(case: dict[str, Any]) -> None:
    found = nannyml.column(*drawn(case))
    assert found is not None
    assert found.value == pytest.approx(case["said"]["value"], rel=1e-9, abs=1e-15)
    assert found.upper == pytest.approx(case["said"]["upper"], rel=1e-9, abs=1e-15)
    assert found.drifted == case["said"]["alert"]


@pytest.mark.parametrize("column", [evidently.column, nannyml.column])
def test_a_side_without_values_is_not_compared(column: Any) -> None:
    some, none = np.array([1.0, 2.0]), np.array([np.nan, np.inf])
    assert column(some, none) is None
    assert column(none, some) is None
    labels, gaps = np.array(["a", "b"], dtype=object), np.array([None], dtype=object)
    assert column(labels, gaps) is None
    assert column(gaps, labels) is None
