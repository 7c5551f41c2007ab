"""Other models that a model's code asks: whole packages beside it, opened like any other."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError, DataRefused, RequestRefused
from modelyard.records.package import Label
from modelyard.records.schema import Column

if TYPE_CHECKING:
    from modelyard.predictor.answers import Answers
    from modelyard.records.package import Manifest
    from modelyard.tables.batch import Batch

# by name: it imports Polars where an author asks for it, which a service never does
_authoring: Any = importlib.import_module("modelyard.authoring")
Opener = Callable[[str], "UsedModel"]
USES = "uses"
"""The folder of a package that they are in, each as ``NAME@N``."""


class UsedModel:
    """What ``my.used`` gives. It is pickled as its name: whoever loads it has the version of that package again."""

    def __init__(self, ref: str, manifest: Manifest, predict: Callable[[Batch], Answers]) -> None:
        from modelyard.tables import decode
        from modelyard.tables.rules import of_features

        self.ref = ref
        self._manifest, self._predict = manifest, predict
        self._schema = of_features(manifest.schema)
        self._decoder = decode.compile(self._schema)

    @property
    def classes(self) -> tuple[Label, ...]:
        return self._manifest.classes

    def predict(self, rows: Any) -> NDArray[Any]:
        """Labels or numbers [n]. ``DataRefused`` when the rows do not fit its schema."""
        return self._answers(rows).prediction

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Probabilities [n, c] in the order of ``classes``; ``AuthorError`` where it gives none."""
        probability = self._answers(rows).probability
        if probability is None:
            raise AuthorError(f"{self.ref} gives no probabilities; ask it with 'predict'.")
        return probability

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return _authoring.used, (self.ref.partition("@")[0],)

    def __repr__(self) -> str:
        return f"<{self.ref}>"

    def _answers(self, rows: Any) -> Answers:
        try:
            batch = self._decoder.columns(self._columns(rows), max_rows=sys.maxsize).batch
        except RequestRefused as error:
            raise DataRefused(f"The rows do not fit the schema of {self.ref}: {error}") from None
        return self._predict(batch)

    def _columns(self, rows: Any) -> Mapping[str, Any]:
        """Its features by name; columns that are none of them are left aside."""
        features = self._schema.features
        if isinstance(rows, np.ndarray):
            if rows.ndim != 2 or rows.shape[1] != len(features):
                raise DataRefused(
                    f"{self.ref} takes an array [n, {len(features)}] of its features in their order, got "
                    f"{list(rows.shape)}."
                )
            return {column.name: _column(rows[:, at], column) for at, column in enumerate(features)}
        if not hasattr(rows, "columns"):
            raise DataRefused(
                f"{self.ref} takes a pandas or Polars frame or an array, got a {type(rows).__name__}."
            )
        there = set(rows.columns)
        if lacking := [column.name for column in features if column.name not in there]:
            raise DataRefused(f"The rows do not fit the schema of {self.ref}: '{lacking[0]}' is missing.")
        return {column.name: _column(rows[column.name], column) for column in features}


def _column(values: Any, column: Column) -> Any:
    """As the decoder takes it: an array of numbers, or Python's own values with None for null."""
    array = np.asarray(values)
    if column.kind in ("date", "datetime") and array.dtype.kind == "M":
        return array.astype("datetime64[D]" if column.kind == "date" else "datetime64[us]").tolist()
    if array.dtype.kind in "biuf":
        return array
    pandas = sys.modules.get("pandas")
    null = None if pandas is None else pandas.NA  # which compares to nothing, itself included
    return [None if v is None or v is null or v != v else v for v in array.tolist()]


def using(given: Opener) -> AbstractContextManager[None]:
    """Within, ``my.used`` is answered by ``given``."""
    within: AbstractContextManager[None] = _authoring.using(given)
    return within
