from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import modelyard as my
from modelyard import authoring

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(bounds=st.tuples(finite, finite).filter(lambda b: b[0] < b[1]), value=finite)
def test_uniform_contains_what_lies_between_its_bounds(bounds: tuple[float, float], value: float) -> None:
    space = my.uniform(*bounds, default=bounds[0])
    assert space.contains(value) == (bounds[0] <= value <= bounds[1])
    assert space.contains(space.default)


@given(bounds=st.tuples(st.integers(), st.integers()).filter(lambda b: b[0] < b[1]), value=st.integers())
def test_integer_contains_whole_numbers_between_its_bounds(bounds: tuple[int, int], value: int) -> None:
    space = my.integer(*bounds, default=bounds[1])
    assert space.contains(value) == (bounds[0] <= value <= bounds[1])
    assert not space.contains(bounds[0] + 0.5)


@pytest.mark.parametrize("value", [10**400, True, "1", None, float("nan"), float("inf"), [1]])
def test_a_number_is_neither_boolean_nor_text_nor_infinite(value: object) -> None:
    assert not my.uniform(0, 2, default=1).contains(value)
    assert not my.integer(0, 2, default=1).contains(value)


def test_choice_tells_types_apart() -> None:
    space = my.choice([1, "1", True, 0.5], default="1")
    assert [space.contains(v) for v in (1, "1", True, 0.5, 1.0, False, None)] == [True] * 4 + [False] * 3


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: my.uniform(2, 1, default=1), "low bound below"),
        (lambda: my.uniform(1, 1, default=1), "low bound below"),
        (lambda: my.uniform(0, float("inf"), default=1), "finite numbers"),
        (lambda: my.uniform(0, "1", default=1), "finite numbers"),  # type: ignore[arg-type]
        (lambda: my.log_uniform(0, 1, default=1), "above 0"),
        (lambda: my.log_uniform(1e-3, 1, default=2), "the default 2 is not a number from 0.001 to 1"),
        (lambda: my.integer(1, 2.5, default=1), "whole numbers"),  # type: ignore[arg-type]
        (lambda: my.integer(1, 5, default=6), "the default 6 is not a whole number from 1 to 5"),
        (lambda: my.choice([], default=1), "the default 1 is not"),
        (lambda: my.choice(["a", "a"], default="a"), "twice"),
        (lambda: my.choice("ab", default="a"), "takes a list"),
        (lambda: my.choice([None], default=None), "booleans, numbers and strings"),  # type: ignore[list-item, arg-type]
    ],
)
def test_a_space_that_makes_no_sense_is_refused(make: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()  # type: ignore[operator]


def test_params_are_read_only_and_name_what_they_know() -> None:
    params = my.Params.defaults({"C": my.uniform(0, 1, default=0.5), "k": my.integer(1, 9, default=3)}, k=4)
    assert dict(params) == {"C": 0.5, "k": 4}
    assert "depth" not in params
    assert params.get("depth", 7) == 7
    with pytest.raises(KeyError, match="'depth' in SPACE; known: C, k"):
        params["depth"]
    with pytest.raises(TypeError):
        params["C"] = 1.0  # type: ignore[index]


def _data() -> my.TrainingData:
    features = pd.DataFrame({"age": [1.0, np.nan], "name": ["a", None]})
    return my.TrainingData(features, pd.Series([0, 1], name="y"), seed=5)


def test_training_data_comes_in_three_kinds_and_remembers_which() -> None:
    data = _data()
    assert data.asked == ()
    assert data.target.tolist() == [0, 1]
    assert data.asked == ()
    assert data.features is data.features
    features, target = data.polars()
    assert (features.columns, target.to_list()) == (["age", "name"], [0, 1])
    assert isinstance(features, pl.DataFrame)
    array, labels = data.numpy()
    assert (array.shape, labels.tolist()) == ((2, 2), [0, 1])
    assert data.asked == ("pandas", "polars", "numpy")
    assert len(data.features) == 2
    assert data.asked == ("polars", "numpy", "pandas")
    assert data.seed == 5


def test_rows_are_built_once_and_only_when_asked_for() -> None:
    built: list[str] = []

    def build(kind: str) -> tuple[str, str]:
        built.append(kind)
        return f"{kind} features", f"{kind} target"

    data = my.TrainingData.of(build, seed=3)
    assert built == []
    assert data.numpy() == data.numpy() == ("numpy features", "numpy target")
    assert built == ["numpy"]
    assert data.seed == 3


def test_features_and_target_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows of features, but 1"):
        my.TrainingData(pd.DataFrame({"a": [1, 2]}), pd.Series([1]))


def test_the_file_alone_stands_in_for_modelyard(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("modelyard.authoring")
    assert spec is not None
    assert spec.origin is not None
    (tmp_path / "modelyard.py").write_bytes(Path(spec.origin).read_bytes())
    code = (
        "import modelyard as my; print(my.__file__, my.log_uniform(1, 9, default=3).default, my.TrainingData)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(tmp_path / "modelyard.py") + " 3 ")


def test_the_fallback_has_every_name_that_the_package_lends_authors() -> None:
    asked_in_a_notebook = {"data", "load", "runs", "versions"}
    assert set(my.__all__) - {"__version__"} - asked_in_a_notebook <= set(authoring.__all__)
