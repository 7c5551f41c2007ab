"""Answers that turned out wrong, counted by the version that gave them."""

from __future__ import annotations

import msgspec
import polars as pl

from modelyard.records.canary import Arm


def wrong(rows: pl.DataFrame, tolerance: float | None) -> dict[int, Arm]:
    """Of rows with their truth (``truth.with_truth``), by version; of each request the first row, since a request is what
    is given to one version or the other.

    A label is wrong when it is not the true one, a number when it is off by more than ``tolerance``; without one
    numbers are not judged, nor are answers of several labels.
    """
    first = rows.filter((pl.col("row") == 0) & pl.col("truth").is_not_null())
    answers = first["prediction"]
    if answers.dtype.is_nested() or (answers.dtype.is_float() and tolerance is None):
        return {}
    if answers.dtype.is_float():
        off = (answers - first["truth"].cast(pl.Float64, strict=False)).abs() > tolerance
    else:  # as texts, which classes of several types are in the log
        told = {text: str(msgspec.json.decode(text)) for text in first["truth"].unique()}
        said = pl.Series([str(value) for value in answers], dtype=pl.String)
        off = said != pl.Series([told[text] for text in first["truth"]], dtype=pl.String)
    judged = first.select("version").with_columns(off=off).drop_nulls("off")
    counts = judged.group_by("version").agg(pl.len(), pl.col("off").sum())
    return {version: Arm(judged=count, errors=errors) for version, count, errors in counts.iter_rows()}
