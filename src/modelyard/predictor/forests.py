"""Boosted trees as XGBoost's JSON and LightGBM's text tell them, checked before either library reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import Tampered

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_FIRST = "Tree=0\n"
_CATEGORY, _LEFT = 1, 2
_ZERO, _NAN = 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Nodes [n], the root first; a leaf has ``left`` and ``right`` -1 and its value as ``value``."""

    feature: Places
    value: Floats
    """Of a leaf what it adds, else the threshold."""
    left: Places
    right: Places
    missing_left: NDArray[np.bool_]
    """Where a row without a number goes."""
    group: int
    """Which output it adds to."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees in the order of boosting, ``step`` of them a round."""

    trees: tuple[Tree, ...]
    features: int
    groups: int
    step: int
    objective: str
    base: Floats
    """[groups], or one for all, as the objective puts its answers."""
    single: bool
    """Numbers are taken as float32 and go left below the threshold (XGBoost), else up to it as float64."""
    mean: bool = False
    """Rounds are averaged, not summed."""
    odd: str = ""
    """What beyond thresholds decides here, in a word or two; empty when nothing does."""


def read(content: bytes, kind: str, where: str) -> Forest:
    """The trees of a model file of XGBoost (``json``) or LightGBM (``txt``).

    Raises ``Tampered`` for one that is damaged or whose nodes lead outside of it: both libraries follow
    indices without looking.
    """
    try:
        found = _xgboost(json.loads(content)) if kind == "json" else _lightgbm(content.decode())
    except Tampered:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise Tampered(f"{where} is no model that can be read ({type(error).__name__}).") from None
    if not all(_inside(tree, found) for tree in found.trees):
        raise Tampered(f"{where} holds a tree whose nodes lead outside of it.")
    return found


def _inside(tree: Tree, forest: Forest) -> bool:
    """Whether every walk from the root ends at a leaf and looks at features that there are."""
    nodes = len(tree.left)
    inner = tree.left != -1
    children = np.concatenate([tree.left[inner], tree.right[inner]])
    return (
        nodes > 0
        and len(tree.right) == len(tree.value) == len(tree.feature) == len(tree.missing_left) == nodes
        and bool(((tree.right != -1) == inner).all())
        # nobody's child twice and the root nobody's: no walk comes back
        and bool(((children > 0) & (children < nodes)).all())
        and len(np.unique(children)) == len(children)
        and bool(((tree.feature[inner] >= 0) & (tree.feature[inner] < forest.features)).all())
        and 0 <= tree.group < forest.groups
    )


def _xgboost(document: dict[str, Any]) -> Forest:
    learner = document["learner"]
    shape = learner["learner_model_param"]
    booster = learner["gradient_booster"]
    weights = None
    if booster["name"] == "dart":
        weights, booster = booster["weight_drop"], booster["gbtree"]
    if booster["name"] != "gbtree":
        raise Tampered(f"A booster of the kind {booster['name']!r} is none whose file can be checked.")
    model = booster["model"]
    groups = max(int(shape["num_class"]), int(shape["num_target"]), 1)
    features = int(shape["num_feature"])
    trees, odd = [], ""
    for at, (entry, group) in enumerate(zip(model["trees"], model["tree_info"], strict=True)):
        if int(entry["tree_param"]["size_leaf_vector"]) > 1:
            raise Tampered("Trees with a vector in each leaf are none whose file can be checked.")
        left = np.array(entry["left_children"], dtype=np.int64)
        right = np.array(entry["right_children"], dtype=np.int64)
        # written as the shortest text that is this float32 again
        value = np.array(entry["split_conditions"], dtype=np.float32).astype(np.float64)
        if weights is not None:
            value = np.where(left == -1, value * np.float32(weights[at]), value)
        if np.any(entry["split_type"]):
            odd = "categories"
            _require_categories(entry, len(left))
        trees.append(
            Tree(
                feature=np.array(entry["split_indices"], dtype=np.int64),
                value=value,
                left=left,
                right=right,
                missing_left=np.array(entry["default_left"], dtype=np.bool_),
                group=int(group),
            )
        )
    ends = [int(end) for end in model["iteration_indptr"]]
    if ends != sorted(ends) or ends[0] != 0 or ends[-1] != len(trees):
        raise Tampered("The rounds of the booster do not fit its trees.")
    base = shape["base_score"].strip("[]")
    return Forest(
        trees=tuple(trees),
        features=features,
        groups=groups,
        step=ends[1] if len(ends) > 1 else groups,
        objective=str(learner["objective"]["name"]),
        base=np.array([float(each) for each in base.split(",")], dtype=np.float32).astype(np.float64),
        single=True,
        odd=odd,
    )


def _require_categories(entry: dict[str, Any], nodes: int) -> None:
    starts, sizes = np.array(entry["categories_segments"]), np.array(entry["categories_sizes"])
    places, total = np.array(entry["categories_nodes"]), len(entry["categories"])
    if not (
        len(starts) == len(sizes) == len(places)
        and bool(((starts >= 0) & (sizes >= 0) & (starts + sizes <= total)).all())
        and bool(((places >= 0) & (places < nodes)).all())
    ):
        raise Tampered("The categories of a tree lead outside of it.")


def _lightgbm(text: str) -> Forest:
    head, first, rest = text.partition(_FIRST)
    facts = _facts(head)
    features, groups = int(facts["max_feature_idx"]) + 1, int(facts["num_tree_per_iteration"])
    blocks = (first + rest).partition("end of trees")[0].split("Tree=")[1:] if first else []
    if not head.startswith("tree\n") or features < 1 or groups < 1 or len(blocks) % groups:
        raise Tampered("The model is no tree ensemble of LightGBM.")
    trees, odd = [], ""
    for at, block in enumerate(blocks):
        tree, strange = _leafwise(_facts(block), at % groups)
        trees.append(tree)
        odd = odd or strange
    return Forest(
        trees=tuple(trees),
        features=features,
        groups=groups,
        step=groups,
        objective=facts.get("objective", ""),
        base=np.zeros(1),
        single=False,
        mean="average_output" in head.splitlines(),
        odd=odd,
    )


def _facts(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _leafwise(facts: dict[str, str], group: int) -> tuple[Tree, str]:
    """A tree whose leaves are counted apart and written as -1, -2, ...: here they follow the inner nodes."""
    leaves = int(facts["num_leaves"])
    inner = leaves - 1
    if facts.get("is_linear", "0") != "0":
        raise Tampered("Trees with a linear model in each leaf are none whose file can be checked.")

    def numbers(name: str, count: int) -> Floats:
        found = np.array(facts.get(name, "").split(), dtype=np.float64)
        if leaves < 1 or len(found) != count:
            raise Tampered(f"A tree of the model has {len(found)} of {count} values of {name}.")
        return found

    added = numbers("leaf_value", leaves)
    feature, threshold = numbers("split_feature", inner), numbers("threshold", inner)
    decision = numbers("decision_type", inner).astype(np.int64)
    sides = [
        np.where(side >= 0, side, inner + ~side)
        for side in (numbers(name, inner).astype(np.int64) for name in ("left_child", "right_child"))
    ]
    category, missing = (decision & _CATEGORY) != 0, decision >> 2 & 3
    if category.any():
        ends = numbers("cat_boundaries", int(facts["num_cat"]) + 1)
        words, at = len(facts["cat_threshold"].split()), threshold[category]
        if not (bool((np.diff(ends) >= 0).all()) and ends[0] >= 0 and ends[-1] <= words):
            raise Tampered("The categories of a tree lead outside of it.")
        if not bool(((at >= 0) & (at < len(ends) - 1)).all()):
            raise Tampered("The categories of a tree lead outside of it.")
    odd = "categories" if category.any() else "zeros as missing" if (missing == _ZERO).any() else ""
    none, end = np.zeros(leaves), np.full(leaves, -1)
    tree = Tree(
        feature=np.concatenate([feature, none]).astype(np.int64),
        value=np.concatenate([threshold, added]),
        left=np.concatenate([sides[0], end]),
        right=np.concatenate([sides[1], end]),
        # without missing values in training, one is taken as 0
        missing_left=np.concatenate(
            [np.where(missing == _NAN, (decision & _LEFT) != 0, threshold >= 0), none]
        ).astype(np.bool_),
        group=group,
    )
    return tree, odd
