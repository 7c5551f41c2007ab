"""Which rows are held back: ``hash(seed, key) < share``, a property of the row alone.

Adding, removing or reordering other rows never moves a row, and neither does its label. Without a
declared key the features' content is the key, so duplicates stand on the same side.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from modelyard.errors import DataRefused
from modelyard.records.dataset import Split
from modelyard.records.schema import Schema
from modelyard.tables.rowhash import row_hashes

SPLIT = "__split__"
"""The column that keeps the assignment: ``train`` or ``test``."""

MOST_CLASSES = 50


def assign(frame: pl.DataFrame, *, schema: Schema, split: Split) -> pl.Series:
    """[n] booleans, true for a test row; of ``split`` only share and seed count."""
    key = schema.key or tuple(c.name for c in schema.features)
    hashes = row_hashes(frame, key, seed=split.seed)
    bound = min(int(split.test * 2.0**64), 2**64 - 1)
    return pl.Series("test", hashes < np.uint64(bound))


def shares(frame: pl.DataFrame, test: pl.Series, *, schema: Schema) -> dict[str, float]:
    """The share of test rows in each class of the target, by class.

    Raises ``DataRefused`` when the target has no classes (a float, or more than 50 values) or when a
    class has no row in train or none in test.
    """
    counted = pl.DataFrame({"label": frame[schema.target or ""], "test": test}) if schema.target else None
    grouped = pl.DataFrame()
    if counted is not None:
        grouped = (
            counted.drop_nulls("label").group_by("label").agg(pl.len().alias("rows"), pl.col("test").sum())
        )
    return class_shares(grouped, schema=schema)


def class_shares(counted: pl.DataFrame, *, schema: Schema) -> dict[str, float]:
    """As ``shares``, from ``rows`` and ``test`` rows by ``label``; a label may come several times."""
    if schema.target is None:
        raise DataRefused("'stratify' needs a target; set 'target' or leave 'stratify' out.")
    if schema.column(schema.target).kind not in ("string", "boolean", "integer"):
        raise DataRefused(
            f"'stratify' needs classes, but the target '{schema.target}' holds "
            f"{schema.column(schema.target).kind} values; leave 'stratify' out."
        )
    counted = counted.group_by("label").agg(pl.col("rows").sum(), pl.col("test").sum()).sort("label")
    if counted.height > MOST_CLASSES:
        raise DataRefused(
            f"'stratify' needs classes, but the target '{schema.target}' has {counted.height} values, "
            f"more than {MOST_CLASSES}; leave 'stratify' out."
        )
    found: dict[str, float] = {}
    for label, rows, tested in counted.iter_rows():
        if tested in (0, rows):
            side = "test" if tested == 0 else "train"
            raise DataRefused(
                f"Class '{_name(label)}' of '{schema.target}' has no row in the {side} split "
                f"({rows} row{'s' if rows > 1 else ''} in all); "
                "add rows of that class, or change the share or the seed of 'split'."
            )
        found[_name(label)] = tested / rows
    return found


def _name(label: object) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
