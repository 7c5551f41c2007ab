"""XGBoost's and LightGBM's trees as an ONNX graph, in float64 throughout."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import Any

import numpy as np

from modelyard.errors import Tampered, Unconvertible
from modelyard.predictor.boosters import bare, content
from modelyard.predictor.forests import Forest, Tree, read

_SIGMOID = (
    "binary:logistic",
    "reg:logistic",
    "binary",
    "cross_entropy",
    "multiclassova",
    "sklearn:LogitLink",
)
_SOFTMAX = ("multi:softprob", "multi:softmax", "multiclass", "sklearn:MultinomialLogit")
_EXP = ("sklearn:LogLink", "count:poisson", "reg:gamma", "reg:tweedie", "poisson", "gamma", "tweedie")
_PLAIN = (
    "sklearn:IdentityLink",
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
)


def forest(model: Any) -> Forest | None:
    """The trees that a boosted model answers by; None for any other model.

    Raises ``Unconvertible`` for a booster of another kind than trees.
    """
    if type(model).__name__.startswith("HistGradientBoosting"):
        return _histogram(model)
    booster = bare(model)
    if booster is None:
        return None
    ending, written = content(booster)
    try:
        found = read(written, ending, "its booster")
    except Tampered as error:
        raise Unconvertible(str(error).rstrip(".")) from None
    best = booster.attr("best_iteration") if ending == "json" else None
    if best is None:
        return found
    return dataclasses.replace(found, trees=found.trees[: (int(best) + 1) * found.step])


def _histogram(model: Any) -> Forest:
    """scikit-learn's boosting over histograms, which skl2onnx's own converter does not read any more."""
    trees, odd = [], ""
    for each in model._predictors:
        for group, predictor in enumerate(each):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"] != 0
            odd = odd or ("categories" if nodes["is_categorical"].any() else "")
            trees.append(
                Tree(
                    feature=nodes["feature_idx"].astype(np.int64),
                    value=np.where(leaf, nodes["value"], nodes["num_threshold"]),
                    left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                    right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                    missing_left=nodes["missing_go_to_left"] != 0,
                    group=group,
                )
            )
    return Forest(
        trees=tuple(trees),
        features=model.n_features_in_,
        groups=model.n_trees_per_iteration_,
        step=model.n_trees_per_iteration_,
        objective=f"sklearn:{model._loss.link.__class__.__name__}",
        base=np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1),
        single=False,
        odd=odd or ("categories" if model.is_categorical_ is not None else ""),
    )


_TYPES = {
    "xgboost": ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"),
    "lightgbm": ("LGBMClassifier", "LGBMRegressor"),
    "sklearn.ensemble": ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
}


class Bare:
    """A Booster without an estimator around it, as skl2onnx walks it: one output, whatever the task."""

    def __init__(self, booster: Any) -> None:
        self._Booster = booster


def types() -> tuple[type, ...]:
    """What ``convert`` converts, of the libraries that are in use here; known to skl2onnx from now on."""
    from skl2onnx import update_registered_converter
    from skl2onnx._supported_operators import sklearn_operator_name_map as known

    found: list[type] = []
    for module, names in _TYPES.items():
        if (loaded := sys.modules.get(module)) is not None:
            found += [getattr(loaded, name) for name in names]
    for kind in found:
        if known.get(kind) != f"Modelyard{kind.__name__}":
            options = {"zipmap": [True, False, "columns"]} if hasattr(kind, "predict_proba") else None
            update_registered_converter(
                kind, f"Modelyard{kind.__name__}", shapes, convert, overwrite=True, options=options
            )
    return (*found, Bare)


def shapes(operator: Any) -> None:
    """The types of the outputs: label and probabilities of a classifier, else the one tensor."""
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType, StringTensorType

    found = _forest(operator.raw_operator)
    width = found.groups
    if len(operator.outputs) == 2:
        known = operator.raw_operator.classes_
        operator.outputs[0].type = (
            StringTensorType([None]) if known.dtype.kind in "OU" else Int64TensorType([None])
        )
    if len(operator.outputs) == 2 or _link(found) == "sigmoid":
        width = max(width, 2)
    operator.outputs[-1].type = DoubleTensorType([None, width])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """A converter as skl2onnx calls it."""
    add(scope, operator, container)


def add(scope: Any, operator: Any, container: Any, *, zeros_missing: bool = False) -> None:
    """Sums of leaves in float64, then the objective's own link.

    ``zeros_missing`` is for XGBoost on sparse rows, where it takes what is not stored as missing.
    """
    from onnx import TensorProto

    found = _forest(operator.raw_operator)
    link, scale = _link(found), _scale(found)
    if len(operator.inputs) != 1:
        raise Unconvertible("boosted trees take one tensor")
    graph = _Graph(scope, container)
    rows = operator.inputs[0].full_name
    if zeros_missing:
        wide = graph.cast(rows, TensorProto.DOUBLE)  # as float32 what is tiny would be 0 too
        rows = graph.node(
            "Where", graph.node("Equal", wide, graph.constant(0.0)), graph.constant(np.nan), wide
        )
    if found.single:
        rows = graph.cast(rows, TensorProto.FLOAT)
    rows = graph.cast(rows, TensorProto.DOUBLE)
    sums = graph.node("TreeEnsembleRegressor", rows, domain="ai.onnx.ml", **_attributes(found))
    margin = graph.cast(sums, TensorProto.DOUBLE)
    margin = graph.node("Add", margin, graph.constant(_margin(found, link).reshape(1, -1)))
    if found.mean:
        margin = graph.node("Mul", margin, graph.constant(found.step / len(found.trees)))
    if link == "sigmoid":
        answers = graph.node("Sigmoid", graph.node("Mul", margin, graph.constant(scale)))
        if found.groups == 1:
            other = graph.node("Sub", graph.constant(1.0), answers)
            answers = graph.node("Concat", other, answers, axis=1)
    elif link == "softmax":
        answers = graph.node("Softmax", margin, axis=1)
    else:
        answers = graph.node("Exp", margin) if link == "exp" else margin
    graph.node("Identity", answers, to=operator.outputs[-1].full_name)
    if len(operator.outputs) == 2:
        known = operator.raw_operator.classes_
        kind = TensorProto.STRING if known.dtype.kind in "OU" else TensorProto.INT64
        best = graph.node("ArgMax", answers, axis=1, keepdims=0)
        graph.node("Gather", graph.constant(known, kind), best, to=operator.outputs[0].full_name, axis=0)


class _Graph:
    """Adds nodes and constants under names of their own."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, kind: str, *inputs: str, to: str = "", domain: str = "", **attributes: Any) -> str:
        name: str = to or self._scope.get_unique_variable_name("boosted")
        self._container.add_node(
            kind,
            list(inputs),
            name,
            op_domain=domain,
            op_version=3 if domain else None,
            name=self._scope.get_unique_operator_name(kind),
            **attributes,
        )
        return name

    def cast(self, name: str, kind: int) -> str:
        made: str = self._scope.get_unique_variable_name("boosted")
        self._container.add_node(
            "Cast", [name], made, name=self._scope.get_unique_operator_name("Cast"), to=kind
        )
        return made

    def constant(self, values: Any, kind: int | None = None) -> str:
        from onnx import TensorProto

        name: str = self._scope.get_unique_variable_name("constant")
        held = np.asarray(values)
        given = [v.encode() if isinstance(v, str) else v for v in held.ravel().tolist()]
        self._container.add_initializer(name, kind or TensorProto.DOUBLE, list(held.shape), given)
        return name


def _forest(model: Any) -> Forest:
    found = forest(model)
    if found is None or not found.trees:
        raise Unconvertible("it has no trees")
    if found.odd:
        raise Unconvertible(f"its trees also decide by {found.odd}")
    missing = getattr(model, "missing", None)
    if missing is not None and not np.isnan(missing):
        raise Unconvertible(f"it takes {missing} as missing")
    return found


def _link(found: Forest) -> str:
    name, _, rest = found.objective.partition(" ")
    if name in _SIGMOID:
        return "sigmoid"
    if name in _SOFTMAX:
        return "softmax"
    if name in _EXP:
        return "exp"
    if name in _PLAIN and not rest:
        return "plain"
    raise Unconvertible(f"nothing is known here of the objective '{found.objective or 'of its own'}'")


def _scale(found: Forest) -> float:
    given = re.search(r"\bsigmoid:(\S+)", found.objective)
    return float(given[1]) if given else 1.0


def _margin(found: Forest, link: str) -> Any:
    """Where the sums begin: ``base`` before the link."""
    if not found.single or link in ("plain", "softmax"):
        return found.base
    if link == "exp":
        return np.log(found.base)
    return np.log(found.base) - np.log1p(-found.base)


def _attributes(found: Forest) -> dict[str, Any]:
    from onnx import TensorProto, helper

    def joined(pick: Any) -> Any:
        return np.concatenate([pick(tree) for tree in found.trees])

    def doubles(name: str, values: Any) -> Any:
        return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)

    sizes = [len(tree.left) for tree in found.trees]
    leaf = joined(lambda tree: tree.left == -1)
    at = np.repeat(np.arange(len(sizes)), sizes)
    node = np.concatenate([np.arange(size) for size in sizes])
    group = np.repeat([tree.group for tree in found.trees], sizes)
    value = joined(lambda tree: tree.value)
    inner = "BRANCH_LT" if found.single else "BRANCH_LEQ"
    return {
        "n_targets": found.groups,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": at.tolist(),
        "nodes_nodeids": node.tolist(),
        "nodes_featureids": joined(lambda tree: np.where(tree.left == -1, 0, tree.feature)).tolist(),
        "nodes_modes": ["LEAF" if each else inner for each in leaf.tolist()],
        "nodes_values_as_tensor": doubles("nodes_values", np.where(leaf, 0.0, value)),
        "nodes_truenodeids": joined(lambda tree: np.maximum(tree.left, 0)).tolist(),
        "nodes_falsenodeids": joined(lambda tree: np.maximum(tree.right, 0)).tolist(),
        "nodes_missing_value_tracks_true": joined(lambda tree: tree.missing_left.astype(int)).tolist(),
        "target_treeids": at[leaf].tolist(),
        "target_nodeids": node[leaf].tolist(),
        "target_ids": group[leaf].tolist(),
        "target_weights_as_tensor": doubles("target_weights", value[leaf]),
    }
