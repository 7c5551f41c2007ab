"""Loading a skops file with an allow-list of types: never a pickle, never a type outside it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
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
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.DotProduct",
        "sklearn.gaussian_process.kernels.ExpSineSquared",
        "sklearn.gaussian_process.kernels.Exponentiation",
        "sklearn.gaussian_process.kernels.Matern",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.gaussian_process.kernels.RationalQuadratic",
        "sklearn.gaussian_process.kernels.Sum",
        "sklearn.gaussian_process.kernels.WhiteKernel",
        "sklearn.metrics._dist_metrics.ChebyshevDistance64",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
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


def untrusted(content: bytes, own: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The types in a skops file that are neither on the allow-list nor of the author's ``own`` modules, sorted."""
    return tuple(name for name in strange(content, "The file") if name.partition(".")[0] not in own)


def strange(content: bytes, where: str) -> tuple[str, ...]:
    """The types in a skops file that are not on the allow-list, sorted; ``Tampered`` for a file that is damaged."""
    import skops.io

    try:
        return tuple(sorted(set(skops.io.get_untrusted_types(data=content)) - SAFE))
    except Exception as error:
        raise Tampered(f"{where} cannot be loaded: {type(error).__name__}: {str(error)[:200]}") from None


def loads(content: bytes, where: str, own: frozenset[str] = frozenset()) -> Any:
    """The model in a skops file.

    ``own`` are modules of the package's own code, which its digest covers and which must be importable. Raises
    ``Unconvertible`` naming a type that is not on the allow-list, ``Tampered`` for a file that is damaged.
    """
    import skops.io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = strange(content, where)
            if others := [name for name in found if name.partition(".")[0] not in own]:
                raise Unconvertible(f"{where} holds {others[0]}, a type that is not safe to load.")
            model = skops.io.loads(content, trusted=[*sorted(SAFE), *found])
    except (Unconvertible, Tampered):
        raise
    except Exception as error:
        raise Tampered(f"{where} cannot be loaded: {type(error).__name__}: {error}") from None
    require_bounds(model, where)
    return model


def require_bounds(model: Any, where: str) -> None:
    """``Tampered`` for a tree whose nodes lead outside of it: scikit-learn follows them without looking."""
    _require_bounds(model, where, sys.maxsize, set())


def _require_bounds(value: Any, where: str, features: int, seen: set[int]) -> None:
    """Walk everything that was loaded; ``features`` is what the nearest estimator above takes."""
    if id(value) in seen:
        return
    seen.add(id(value))
    kind = type(value)
    if (look := _LOOKS.get(kind.__name__)) and kind.__module__.startswith("sklearn."):
        if not look(value, features):
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


def _neighbours(tree: Any, features: int) -> bool:
    """Rows in boxes or balls: children of node i are 2i + 1 and 2i + 2, and each node is a span of ``index``."""
    data, index, nodes, bounds, _, levels, count, *_, weights = tree.__getstate__()
    last = 2 * np.arange(len(nodes)) + 2 >= len(nodes)
    return (
        data.ndim == 2
        and len(index) == len(data) > 0
        and len(nodes) == count == 2**levels - 1 > 0
        and bounds.shape == (len(bounds), count, data.shape[1])
        and len(bounds) == (2 if type(tree).__name__ == "KDTree" else 1)
        and data.shape[1] <= features
        and bool(((index >= 0) & (index < len(data))).all())
        and bool(((nodes["idx_start"] >= 0) & (nodes["idx_start"] <= nodes["idx_end"])).all())
        and bool((nodes["idx_end"] <= len(index)).all() and (nodes["is_leaf"][last] != 0).all())
        and (weights is None or len(weights) == len(data))
    )


_LOOKS: dict[str, Callable[[Any, int], bool]] = {
    "Tree": _tree,
    "TreePredictor": _predictor,
    "KDTree": _neighbours,
    "BallTree": _neighbours,
}


def _forward(left: Any, right: Any, parents: Any, nodes: int) -> bool:
    """Children stand after their parent and inside, so that every walk ends at a leaf."""
    return all(bool((side > parents).all() and (side < nodes).all()) for side in (left, right))
