"""The breast-cancer table that scikit-learn carries, as a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

KEY, TARGET = "patient_id", "diagnosis"


def patients() -> list[dict[str, str | float]]:
    """569 rows: ``patient_id``, thirty numbers and ``diagnosis`` (``benign`` or ``malignant``)."""
    from sklearn.datasets import load_breast_cancer

    bundle = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in bundle.feature_names]
    labels = [str(label) for label in bundle.target_names]
    return [
        {
            KEY: f"P{number:04}",
            **dict(zip(names, map(float, values), strict=True)),
            TARGET: labels[int(label)],
        }
        for number, (values, label) in enumerate(zip(bundle.data, bundle.target, strict=True), start=1)
    ]


def write_table(path: Path) -> None:
    """Write them to ``path`` with a header; the same bytes every time."""
    rows = patients()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
