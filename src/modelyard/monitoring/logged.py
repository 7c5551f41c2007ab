"""Logged predictions, counted as the reference was."""

from __future__ import annotations

import numpy as np
import polars as pl

from modelyard.monitoring.reading import features
from modelyard.records.package import Manifest
from modelyard.records.profile import Profile
from modelyard.records.schema import Schema
from modelyard.tables.batch import Batch, layout
from modelyard.tables.gather import gather
from modelyard.tables.profile import count, count_answers


def of_version(rows: pl.DataFrame, version: int) -> pl.DataFrame:
    """Only the rows that this version answered."""
    return rows.filter(pl.col("version") == version)


def count_features(rows: pl.DataFrame, schema: Schema, reference: Profile) -> Profile:
    """The features of logged rows on the edges of ``reference``, a profile of the same schema's features."""
    if rows.is_empty():
        names = layout(schema)
        nothing = Batch(np.empty((0, len(names.numbers))), np.empty((0, len(names.texts)), dtype=object))
        return count(nothing, reference)
    return count(gather(features(rows), schema), reference)


def count_predictions(rows: pl.DataFrame, manifest: Manifest, answers: Profile) -> Profile:
    """The answers of logged rows on the edges of ``answers``, the package's own profile of them."""
    classes = max(len(manifest.classes), 1)
    if rows.is_empty():
        return count_answers(np.empty(0), np.empty((0, classes)), answers)
    probability = rows["probability"]
    return count_answers(
        np.array([*rows["prediction"].to_list(), None], dtype=object)[:-1]
        if manifest.task == "multilabel"
        else rows["prediction"].to_numpy(),
        None if probability.null_count() else probability.list.to_array(classes).to_numpy(),
        answers,
    )
