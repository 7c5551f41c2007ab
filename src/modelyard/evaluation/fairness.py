"""How a two-class model treats the groups of a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import SettingsError
from modelyard.evaluation.cells import Cells
from modelyard.metrics import Answered
from modelyard.metrics.score import encode_answers, encode_truth
from modelyard.records.fairness import Fairness
from modelyard.records.package import Label, Task


def treated(
    task: Task,
    truth: NDArray[Any],
    answers: Answered,
    classes: Sequence[Label],
    cells: Cells,
    *,
    min_rows: int,
) -> Fairness:
    """Rates of each group and the gaps between judged ones; ``SettingsError`` for other than two classes."""
    if task != "binary":
        raise SettingsError(f"'fairness.{cells.column}' is for two classes, and this is a {task} model.")
    return metrics.by_group(
        cells.column,
        cells.labels,
        cells.codes,
        said=encode_answers(answers.prediction, classes) == 1,
        positive=encode_truth(truth, classes) == 1,
        min_rows=min_rows,
    )
