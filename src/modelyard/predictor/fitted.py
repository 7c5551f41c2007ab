"""A trained model with what is needed to ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import FrameKind, Label, Task


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What training hands to packaging, and what opening a native package gives back.

    ``predict(model, rows)``, ``save(model, folder)`` and ``load(folder)`` are the author's functions
    from ``model.py``, or None. ``classes`` are in the order of the probabilities' columns; empty for a
    regression, and the names of several labels. ``frame`` is what the model was fitted on. With ``quantiles`` the
    model gives a number for each of these levels, or is a list of regressors, one a level; of several labels it may be
    a list of classifiers of 0 and 1, one a label, and each is answered above its of ``thresholds``, else above 0.5.
    """

    model: Any
    task: Task
    classes: tuple[Label, ...] = ()
    frame: FrameKind = "pandas"
    predict: Callable[[Any, Any], Any] | None = None
    save: Callable[[Any, Path], Any] | None = None
    load: Callable[[Path], Any] | None = None
    quantiles: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()

    def each(self) -> list[Fitted]:
        """One by one where the model is a list, of one a quantile or a label; else none."""
        if not isinstance(self.model, list):
            return []
        if self.task == "multilabel":
            return [replace(self, model=model, task="binary", classes=(0, 1)) for model in self.model]
        return [replace(self, model=model, quantiles=()) for model in self.model if self.quantiles]
