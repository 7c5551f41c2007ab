"""The model that a peer serves, trained by its own libraries from the same rows: ``fit(csv, "lr" | "forest")``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def fit(path: str, kind: str) -> tuple[Any, list[str]]:
    """The fitted model, and its features in order."""
    with Path(path).open() as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("patient_id", "diagnosis")]
    features = np.array([[float(row[name]) for name in names] for row in rows])
    target = np.array([row["diagnosis"] for row in rows])
    if kind == "forest":
        model: Any = RandomForestClassifier(n_estimators=100, random_state=7)
    else:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(features, target), names
