"""Models as a data scientist writes them, trained on the bundled tables of scikit-learn."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard.predictor import Fitted
from modelyard.records.package import FrameKind, Task
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, to_frame

LOCKED = ("numpy", "scikit-learn", "scipy", "joblib", "threadpoolctl")
CODE = 'import modelyard as my\n\nSPACE = {"C": my.log_uniform(1e-3, 1e2, default=1.0)}\n\n\ndef train(data, params):\n    raise NotImplementedError\n'


@dataclass(frozen=True)
class Table:
    """A dataset as packaging sees it."""

    schema: Schema
    task: Task
    classes: tuple[Any, ...]
    train: Batch
    test: Batch
    target: NDArray[Any]

    def fit(self, model: Any, *, frame: FrameKind = "pandas", **hooks: Any) -> Fitted:
        model.fit(to_frame(self.train, self.schema, frame), self.target)
        return Fitted(model, self.task, self.classes, frame, **hooks)


def numeric(load: Callable[[], Any], task: Task) -> Table:
    data = load()
    rows = Batch(
        np.ascontiguousarray(data.data, dtype=np.float64), np.empty((len(data.data), 0), dtype=object)
    )
    target = data.target if task == "regression" else data.target_names[data.target].astype(object)
    columns = [Column(name=str(name).replace(" ", "_"), kind="float") for name in data.feature_names]
    kind = "float" if task == "regression" else "string"
    schema = Schema(columns=(*columns, Column(name="outcome", kind=kind)), target="outcome")
    held = np.arange(len(rows)) % 5 == 0
    classes = () if task == "regression" else tuple(sorted(set(target.tolist())))
    return Table(schema, task, classes, rows.take(~held), rows.take(held), target[~held])


def mixed_table() -> Table:
    """Numbers, whole numbers, yes and no, texts; nulls in three columns; not in layout order."""
    rng = np.random.default_rng(3)
    n = 400
    schema = Schema(
        columns=(
            Column(name="town", kind="string", nullable=True),
            Column(name="age", kind="integer"),
            Column(name="income", kind="float", nullable=True),
            Column(name="member", kind="boolean"),
            Column(name="sex", kind="string"),
            Column(name="visits", kind="integer", nullable=True),
            Column(name="paid", kind="boolean"),
        ),
        target="paid",
    )
    age = rng.integers(18, 90, n).astype(float)
    income = np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(10, 1, n))
    member = (rng.random(n) < 0.5).astype(float)
    visits = np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 9, n).astype(float))
    town = rng.choice(np.array(["Aachen", "Bonn", "Köln", None], dtype=object), n)
    sex = rng.choice(np.array(["f", "m"], dtype=object), n)
    rows = Batch(np.column_stack([age, income, member, visits]), np.column_stack([town, sex]))
    target = (age + 10 * member + rng.normal(0, 10, n)) > 60
    held = np.arange(n) % 5 == 0
    return Table(schema, "binary", (False, True), rows.take(~held), rows.take(held), target[~held])


@pytest.fixture(scope="session")
def cancer() -> Table:
    from sklearn.datasets import load_breast_cancer

    return numeric(load_breast_cancer, "binary")


@pytest.fixture(scope="session")
def wine() -> Table:
    from sklearn.datasets import load_wine

    return numeric(load_wine, "multiclass")


@pytest.fixture(scope="session")
def diabetes() -> Table:
    from sklearn.datasets import load_diabetes

    return numeric(load_diabetes, "regression")


@pytest.fixture(scope="session")
def mixed() -> Table:
    return mixed_table()


@pytest.fixture
def sealed(tmp_path: Path) -> Callable[..., Path]:
    """``sealed(table, fitted, **options)`` is a new package's folder."""
    from modelyard.packaging import seal

    made = 0

    def make(table: Table, fitted: Fitted, *, source: str = CODE, **options: Any) -> Path:
        nonlocal made
        made += 1
        code = tmp_path / f"code{made}"
        code.mkdir()
        (code / "model.py").write_text(source)
        folder = tmp_path / f"package{made}"
        given: dict[str, Any] = {
            "model": "screening",
            "schema": table.schema,
            "code": code,
            "requirements": tuple(f"{name}=={importlib.metadata.version(name)}" for name in LOCKED),
            "train": table.train,
            "test": table.test,
            "python": platform.python_version(),
        }
        seal(fitted, folder, **{**given, **options})
        return folder

    return make
