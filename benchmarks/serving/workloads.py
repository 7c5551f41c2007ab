"""What the serving benchmarks ask: three real models live in one service, and requests of their own rows.

``lr`` is a scaled logistic regression of thirty numbers, ``forest`` a hundred trees of the same, ``mixed`` a pipeline over
numbers, booleans and texts. The service is what a user deploys: schema check, prediction log, metrics and tokens on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TOKEN = "of-the-benchmark"
MIXED = ("age", "weight", "visits", "smokes", "city", "ward", "sex")
"""Features of ``mixed``; the last three are texts."""
_FOREST = """
import modelyard as my
from sklearn.ensemble import RandomForestClassifier


def train(data: my.TrainingData, params: my.Params) -> object:
    return RandomForestClassifier(n_estimators=100, random_state=7).fit(data.features, data.target)
"""
_MIXED = """
import modelyard as my
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def train(data: my.TrainingData, params: my.Params) -> object:
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["age", "weight", "visits"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["city", "ward", "sex"]),
        ],
        remainder="passthrough",
    )
    return make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(data.features, data.target)
"""


@dataclass(frozen=True)
class Workload:
    """One kind of request; ``rows`` are objects by feature."""

    name: str
    model: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Deployed:
    """A service, and where its packages lie."""

    place: Path
    port: int
    supervisor: int
    worker: int
    packages: dict[str, Path]
    workloads: tuple[Workload, ...]


def modelyard(place: Path, *words: str) -> str:
    command = [sys.executable, "-m", "modelyard", "-C", str(place), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"modelyard {' '.join(words)}: {done.stderr}{done.stdout}")
    return done.stdout


def project(folder: Path, *, port: int, workers: int = 1) -> Path:
    """A project with the three models built."""
    place = folder / "lr"
    subprocess.run(
        [sys.executable, "-m", "modelyard", "init", "lr", "--folder", str(place)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for name, code in (("forest", _FOREST), ("mixed", _MIXED)):
        (place / "models" / name).mkdir()
        (place / "models" / name / "model.py").write_text(f'"""{name}."""\n{code}')
        shutil.copy(place / "models/lr/requirements.model", place / "models" / name)
    (place / "data" / "visits.csv").write_text(_visits())
    (place / "token").write_text(TOKEN)
    (place / "token").chmod(0o600)
    settings = place / "modelyard.toml"
    text = settings.read_text()
    text = text.replace("port = 8101", f'port = {port}\nworkers = {workers}\ntoken_file = "token"')
    text += """
[data.visits]
source = "data/visits.csv"
target = "returned"
key = "visit"
split = { test = 0.2, seed = 7 }

[models.forest]
code = "models/forest"
data = "patients"
metric = "roc_auc"

[models.mixed]
code = "models/mixed"
data = "visits"
metric = "roc_auc"
"""
    settings.write_text(text)
    modelyard(place, "build")
    return place


@contextmanager
def deployed(folder: Path, *, port: int, workers: int = 1) -> Iterator[Deployed]:
    """The three models live in the environment ``test``; stopped on leaving."""
    place = project(folder, port=port, workers=workers)
    for model in ("lr", "forest", "mixed"):
        modelyard(place, "deploy", "test", model)
    home = place / ".modelyard/services/test"
    state = json.loads((home / "state.json").read_text())
    plan = json.loads((home / "plan.json").read_text())
    packages = {each["model"]: Path(each["folder"]) for each in plan["models"]}
    rows = {name: json.loads((at / "golden.json").read_text())["rows"] for name, at in packages.items()}
    many = [rows["lr"][i % len(rows["lr"])] for i in range(100)]
    try:
        yield Deployed(
            place=place,
            port=port,
            supervisor=state["pid"],
            worker=state["workers"][0],
            packages=packages,
            workloads=(
                Workload("one row", "lr", rows["lr"][:1]),
                Workload("forest", "forest", rows["forest"][:1]),
                Workload("mixed columns", "mixed", rows["mixed"][:1]),
                Workload("100 rows", "lr", many),
            ),
        )
    finally:
        modelyard(place, "stop", "test")


def _visits(rows: int = 2000) -> str:
    random = np.random.default_rng(7)
    lines = [f"visit,{','.join(MIXED)},returned"]
    for i in range(rows):
        age, visits = int(random.integers(18, 95)), int(random.poisson(2))
        smokes, ward = bool(random.random() < 0.3), int(random.integers(9))
        risk = 0.03 * (age - 55) + 0.4 * visits + smokes - 0.2 * ward
        returned = "yes" if random.random() < 1 / (1 + np.exp(-risk)) else "no"
        city, sex = random.choice(["Bern", "Basel", "Chur"]), random.choice(["f", "m"])
        weight = round(float(random.normal(75, 12)), 1)
        lines.append(f"{i},{age},{weight},{visits},{str(smokes).lower()},{city},w{ward},{sex},{returned}")
    return "\n".join(lines) + "\n"
