"""A project of four models on real data that share code, for tests and benchmarks."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import polars as pl
from sklearn import datasets

NAMES = ("cancer", "progression", "cultivar", "digit")
CLASSIFIER = """
from common.features import columns
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

def train(data, params):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    return model.fit(data.features[columns(data.features)], data.target)

def predict(model, rows):
    return model.predict_proba(rows[columns(rows)])
"""
REGRESSOR = """
from common.features import columns
from sklearn.linear_model import Ridge

def train(data, params):
    return Ridge().fit(data.features[columns(data.features)], data.target)

def predict(model, rows):
    return model.predict(rows[columns(rows)])
"""
FEATURES = """
from .order import ordered

def columns(rows):
    return ordered(rows.columns)
"""
ORDER = """
def ordered(names):
    return sorted(names)
"""
TESTS = """
from common.features import columns

def test_columns_are_in_order():
    class Rows:
        columns = ("b", "a")

    assert columns(Rows) == ["a", "b"]
"""
# What a report holds beyond metrics is no part of a build's graph, and most of its time.
SETTINGS = """
[models.{name}]
code = "models/{name}"
data = "{name}_rows"
evaluation = {{ baselines = false, importance = false, stability = false, search = false, footprint = false }}
[data.{name}_rows]
source = "data/{name}.parquet"
target = "target"
"""


def write(folder: Path, names: tuple[str, ...] = NAMES, *, port: int = 8101) -> Path:
    """The project in ``folder``: data, shared code, and a model for each name."""
    load = {
        "cancer": datasets.load_breast_cancer,
        "progression": datasets.load_diabetes,
        "cultivar": datasets.load_wine,
        "digit": datasets.load_digits,
    }
    for place in ("data", "common"):
        (folder / place).mkdir(parents=True)
    settings = f'[project]\nname = "four"\n[environments.test]\nport = {port}\n'
    for name in names:
        settings += SETTINGS.format(name=name)
        frame = pl.from_pandas(load[name](as_frame=True).frame)
        if name != "progression":
            frame = frame.with_columns(pl.format("c{}", pl.col("target")).alias("target"))
        frame.write_parquet(folder / "data" / f"{name}.parquet")
        place = folder / "models" / name
        place.mkdir(parents=True)
        (place / "model.py").write_text(REGRESSOR if name == "progression" else CLASSIFIER)
        (place / "test_model.py").write_text(TESTS)
        (place / "requirements.model").write_text(f"scikit-learn=={version('scikit-learn')}\n")
    (folder / "common" / "features.py").write_text(FEATURES)
    (folder / "common" / "order.py").write_text(ORDER)
    (folder / "common" / "unrelated.py").write_text("UNUSED = 1\n")
    (folder / "modelyard.toml").write_text(settings)
    return folder
