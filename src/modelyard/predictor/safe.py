"""Loading a skops file with an allow-list of types: never a pickle, never a type outside it."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from modelyard.errors import Tampered, Unconvertible

SAFE = frozenset(
    {
        "builtins.NoneType",
        "builtins.slice",
        "collections.OrderedDict",
        "collections.defaultdict",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "sklearn.compose._column_transformer._RemainderColsList",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
)
"""Trusted beyond what skops trusts itself (scikit-learn's estimators, NumPy's and SciPy's arrays and
functions, builtin containers). scikit-learn follows a tree's indices without looking, so those of
every tree are checked after loading: a crafted file would read beyond its arrays. The boosters of XGBoost's
and LightGBM's estimators are no part of the skops file; ``boosters`` checks and loads theirs."""


def untrusted(content: bytes) -> tuple[str, ...]:
    """The types in a skops file that are not on the allow-list, sorted."""
    import skops.io

    return tuple(sorted(set(skops.io.get_untrusted_types(data=content)) - SAFE))


def loads(content: bytes, where: str) -> Any:
    """The model in a skops file.

    Raises ``Unconvertible`` naming a type that is not on the allow-list, ``Tampered`` for a file
    that is damaged.
    """
    import skops.io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if strange := untrusted(content):
                raise Unconvertible(f"{where} holds {strange[0]}, a type that is not safe to load.")
            model = skops.io.loads(content, trusted=sorted(SAFE))
    except Unconvertible:
        raise
    except Exception as error:
        raise Tampered(f"{where} cannot be loaded: {type(error).__name__}: {error}") from None
    _require_bounds(model, where, sys.maxsize, set())
    return model


def _require_bounds(value: Any, where: str, features: int, seen: set[int]) -> None:
    """Walk everything that was loaded; ``features`` is what the nearest estimator above takes."""
    if id(value) in seen:
        return
    seen.add(id(value))
    kind = type(value)
    if kind.__name__ in ("Tree", "TreePredictor") and kind.__module__.startswith("sklearn."):
        if not (_tree(value, features) if kind.__name__ == "Tree" else _predictor(value, features)):
            raise Tampered(f"{where} holds a tree whose nodes lead outside of it.")
        return
    items: Any = ()
    if isinstance(value, dict):
        items = value.values()
    elif isinstance(value, list | tuple):
        items = value
    elif isinstance(value, np.ndarray):
        items = value.ravel().tolist() if value.dtype == object else ()
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        features = int(getattr(value, "n_features_in_", None) or features)
        items = vars(value).values()
    for item in items:
        _require_bounds(item, where, features, seen)


def _tree(tree: Any, features: int) -> bool:
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = left != -1
    return _forward(left[inner], right[inner], np.flatnonzero(inner), tree.node_count) and (
        bool(((tree.feature[inner] >= 0) & (tree.feature[inner] < min(features, tree.n_features))).all())
        and len(tree.value) == tree.node_count > 0
    )


def _predictor(predictor: Any, features: int) -> bool:
    nodes = predictor.nodes
    at = np.flatnonzero(nodes["is_leaf"] == 0)
    inner = nodes[at]
    bitsets = min(len(predictor.binned_left_cat_bitsets), len(predictor.raw_left_cat_bitsets))
    return (
        len(nodes) > 0
        and _forward(inner["left"], inner["right"], at, len(nodes))
        and bool((inner["feature_idx"] >= 0).all() and (inner["feature_idx"] < features).all())
        and bool((inner["bitset_idx"][inner["is_categorical"] != 0] < bitsets).all())
    )


def _forward(left: Any, right: Any, parents: Any, nodes: int) -> bool:
    """Children stand after their parent and inside, so that every walk ends at a leaf."""
    return all(bool((side > parents).all() and (side < nodes).all()) for side in (left, right))
