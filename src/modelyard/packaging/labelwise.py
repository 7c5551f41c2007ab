"""A model of several labels as models of one label each, where it is made of such or of trees."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from modelyard.errors import Unconvertible
from modelyard.predictor.fitted import Fitted

_MADE_OF = ("MultiOutputClassifier", "OneVsRestClassifier")
_MOST_NODES = 2_000_000
"""Of trees, which stand in the graph once a label."""


def alone(fitted: Fitted) -> list[Fitted]:
    """One by one, with the preprocessing that they share; none for a model that cannot be taken apart."""
    if found := fitted.each():
        return found
    if fitted.task != "multilabel":
        return []
    model = fitted.model
    while hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    head: list[tuple[str, Any]] = []
    while hasattr(model, "steps"):
        head += model.steps[:-1]
        model = model.steps[-1][1]
    return [replace(fitted, model=_joined(head, one), task="binary", classes=(0, 1)) for one in _apart(model)]


def _apart(model: Any) -> list[Any]:
    if type(model).__name__ in _MADE_OF:
        return list(model.estimators_)
    trees = [getattr(one, "tree_", None) for one in getattr(model, "estimators_", [model])]
    count = getattr(model, "n_outputs_", 1)
    if count < 2 or any(tree is None for tree in trees):
        return []
    if count * sum(tree.node_count for tree in trees if tree is not None) > _MOST_NODES:
        raise Unconvertible(f"its trees would stand in the graph {count} times, once for each label")
    return [_of_label(model, at) for at in range(count)]


def _of_label(model: Any, at: int) -> Any:
    """The tree or forest as if the other labels had not been: the same splits, with the leaves' values of one."""
    one = copy.copy(model)
    one.n_outputs_, one.classes_, one.n_classes_ = 1, model.classes_[at], model.n_classes_[at]
    if hasattr(model, "tree_"):
        kind, (features, classes, _), state = model.tree_.__reduce__()
        one.tree_ = kind(features, classes[at : at + 1], 1)
        one.tree_.__setstate__(
            {**state, "values": np.ascontiguousarray(state["values"][:, at : at + 1, : classes[at]])}
        )
    else:
        one.estimators_ = [_of_label(tree, at) for tree in model.estimators_]
    return one


def _joined(head: list[tuple[str, Any]], model: Any) -> Any:
    if not head:
        return model
    from sklearn.pipeline import Pipeline

    return Pipeline([*((f"step{at}", step) for at, (_, step) in enumerate(head)), ("label", model)])
