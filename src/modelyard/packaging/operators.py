"""Converters in place of skl2onnx's own where those are not exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from modelyard.packaging import boosted
from modelyard.predictor.parts import parts

Converter = Callable[[Any, Any, Any], None]

GUARD = "guard"
"""Tensor [n, 1]: 0 for a row that the final estimator takes, NaN for one that it refuses."""


def operators(final: Any, head: Any = None) -> dict[type, Converter]:
    """Converters by estimator type; ``head`` is the preprocessing before ``final``, if any.

    Trees get their input as float32, as scikit-learn gives it to them; missing numbers are filled in
    float64; and before ``final`` a guard marks rows with a value that scikit-learn refuses there
    (not finite, or beyond float32 for trees), since a graph would answer them.
    """
    from sklearn.impute import SimpleImputer

    found: dict[type, Converter] = dict.fromkeys(_tree_types(), _on_float32)
    found[SimpleImputer] = _impute
    kind = type(final)
    if _takes_anything(final):
        return found | _boosted(final, head)
    found |= dict.fromkeys(boosted.types(), boosted.convert)
    float32 = _has_trees(final)
    within = found.get(kind, _registered)

    def guarded(scope: Any, operator: Any, container: Any) -> None:
        if operator.raw_operator is final:
            _guard(scope, operator, container, float32=float32)
        within(scope, operator, container)

    found[kind] = guarded
    return found


def _takes_anything(final: Any) -> bool:
    """Boosters do, and ensembles of nothing else: what is missing, and what is infinite."""
    kinds = boosted.types()
    members = getattr(final, "estimators_", None)
    if type(final).__name__.startswith(("Voting", "Stacking")) and not getattr(final, "passthrough", False):
        return all(isinstance(member, kinds) for member in members or ())
    return isinstance(final, kinds)


def _boosted(final: Any, head: Any) -> dict[type, Converter]:
    """Boosters take anything; scikit-learn's transformers before them nothing infinite."""
    last = head
    while hasattr(last, "steps"):
        last = last.steps[-1][1]
    sparse = getattr(last, "sparse_output_", False) is True
    checked = _checked(last)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        if operator.raw_operator is final and checked != []:
            _guard(scope, operator, container, missing=True, columns=checked)
        xgboost = type(operator.raw_operator).__module__.startswith("xgboost")
        boosted.add(scope, operator, container, zeros_missing=sparse and xgboost)

    return dict.fromkeys(boosted.types(), convert)


def _checked(last: Any) -> list[int] | None:
    """Columns that the last transformer lets nothing infinite into; None for all of them."""
    if last is None:
        return []
    if type(last).__name__ != "ColumnTransformer":
        return None
    found: list[int] = []
    for name, part, _ in last.transformers_:
        if name in last.output_indices_ and type(part).__name__ != "FunctionTransformer":
            place = last.output_indices_[name]
            found += range(place.start, place.stop) if part not in ("passthrough", "drop") else ()
    return found


def _tree_types() -> tuple[type, ...]:
    from sklearn import ensemble, tree

    return (
        tree.DecisionTreeClassifier,
        tree.DecisionTreeRegressor,
        tree.ExtraTreeClassifier,
        tree.ExtraTreeRegressor,
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
        ensemble.GradientBoostingClassifier,
        ensemble.GradientBoostingRegressor,
    )


def _has_trees(final: Any) -> bool:
    kinds = _tree_types()
    return any(isinstance(part, kinds) for part in parts(final))


def _registered(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common._registration import get_converter

    get_converter(operator.type)(scope, operator, container)


def _guard(
    scope: Any,
    operator: Any,
    container: Any,
    *,
    float32: bool = False,
    missing: bool = False,
    columns: list[int] | None = None,
) -> None:
    """A product with zeros is 0 for what is finite and NaN for what is not; one MatMul a tensor.

    With ``missing`` NaN is let pass; ``columns`` are those that are looked at, by default all.
    """
    from onnx import TensorProto

    sums = []
    for variable in operator.inputs:
        width = variable.type.shape[1]
        if not isinstance(width, int):
            raise NotImplementedError("the width of the final estimator's input is not known")
        element = variable.type.to_onnx_type().tensor_type.elem_type
        name = variable.full_name
        if element not in (TensorProto.DOUBLE, TensorProto.FLOAT):
            continue
        if float32 and element == TensorProto.DOUBLE:
            element, name = TensorProto.FLOAT, _cast(scope, container, name, TensorProto.FLOAT)
        if missing:
            name = _filled(scope, container, name, element)
        if columns is not None:
            name, width = _picked(scope, container, name, columns), len(columns)
        zeros = scope.get_unique_variable_name("zeros")
        container.add_initializer(zeros, element, [width, 1], [0.0] * width)
        product = scope.get_unique_variable_name("finite")
        container.add_node("MatMul", [name, zeros], product, name=scope.get_unique_operator_name("MatMul"))
        sums.append(_cast(scope, container, product, TensorProto.DOUBLE))
    while len(sums) > 1:
        total = scope.get_unique_variable_name("finite")
        container.add_node("Add", sums[:2], total, name=scope.get_unique_operator_name("Add"))
        sums[:2] = [total]
    if sums:
        # a Cast, since skl2onnx drops an Identity that nothing reads yet
        container.add_node(
            "Cast", [sums[0]], GUARD, to=TensorProto.DOUBLE, name=scope.get_unique_operator_name("Cast")
        )


def _picked(scope: Any, container: Any, name: str, columns: list[int]) -> str:
    from onnx import TensorProto

    places, made = scope.get_unique_variable_name("places"), scope.get_unique_variable_name("picked")
    container.add_initializer(places, TensorProto.INT64, [len(columns)], columns)
    named = scope.get_unique_operator_name("Gather")
    container.add_node("Gather", [name, places], made, axis=1, name=named)
    return str(made)


def _filled(scope: Any, container: Any, name: str, element: int) -> str:
    """The tensor with 0 for NaN."""
    gone, nothing, made = (scope.get_unique_variable_name(n) for n in ("gone", "nothing", "filled"))
    container.add_initializer(nothing, element, [], [0.0])
    container.add_node("IsNaN", [name], gone, name=scope.get_unique_operator_name("IsNaN"))
    container.add_node("Where", [gone, nothing, name], made, name=scope.get_unique_operator_name("Where"))
    return str(made)


def _cast(scope: Any, container: Any, name: str, to: int) -> str:
    cast: str = scope.get_unique_variable_name("cast")
    container.add_node("Cast", [name], cast, to=to, name=scope.get_unique_operator_name("Cast"))
    return cast


def _on_float32(scope: Any, operator: Any, container: Any) -> None:
    """The registered converter between a Cast to float32 and, where double is declared, one back."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    if len(operator.inputs) != 1:
        raise NotImplementedError("a tree takes one tensor")
    source = operator.inputs[0]
    cast = _cast(scope, container, source.full_name, TensorProto.FLOAT)
    outputs, back = [], []
    for variable in operator.outputs:
        if isinstance(variable.type, DoubleTensorType):
            name = scope.get_unique_variable_name("single")
            outputs.append(_Tensor(name, FloatTensorType(variable.type.shape)))
            back.append((name, variable.full_name))
        else:
            outputs.append(variable)
    stand = _Stand(operator, [_Tensor(cast, FloatTensorType(source.type.shape))], outputs)
    _registered(scope, stand, container)
    for single, double in back:
        container.add_node(
            "Cast", [single], double, to=TensorProto.DOUBLE, name=scope.get_unique_operator_name("Cast")
        )


def _impute(scope: Any, operator: Any, container: Any) -> None:
    """Missing numbers filled in float64 (skl2onnx's own fills in float32 only)."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType

    imputer = operator.raw_operator
    if imputer.add_indicator:
        raise NotImplementedError("SimpleImputer(add_indicator=True)")
    if not all(isinstance(variable.type, DoubleTensorType) for variable in operator.inputs):
        _registered(scope, operator, container)
        return
    fill = np.asarray(imputer.statistics_, dtype=np.float64)
    if not isinstance(imputer.missing_values, float) or not np.isnan(imputer.missing_values):
        raise NotImplementedError(f"SimpleImputer(missing_values={imputer.missing_values!r})")
    if np.isnan(fill).any():
        raise NotImplementedError("SimpleImputer of a column without any value")
    name = operator.inputs[0].full_name
    if len(operator.inputs) > 1:
        name = scope.get_unique_variable_name("joined")
        sources = [variable.full_name for variable in operator.inputs]
        container.add_node("Concat", sources, name, axis=1, name=scope.get_unique_operator_name("Concat"))
    filling, missing = scope.get_unique_variable_name("fill"), scope.get_unique_variable_name("missing")
    container.add_initializer(filling, TensorProto.DOUBLE, [1, len(fill)], fill.tolist())
    container.add_node("IsNaN", [name], missing, name=scope.get_unique_operator_name("IsNaN"))
    container.add_node(
        "Where",
        [missing, filling, name],
        operator.outputs[0].full_name,
        name=scope.get_unique_operator_name("Where"),
    )


class _Tensor:
    """As much of skl2onnx's variable as a converter reads."""

    def __init__(self, name: str, kind: Any) -> None:
        self.full_name = self.onnx_name = self.raw_name = name
        self.type = kind

    def get_first_dimension(self) -> Any:
        return self.type.shape[0] if self.type.shape else None

    def get_second_dimension(self) -> Any:
        return self.type.shape[1] if len(self.type.shape) > 1 else None


class _Stand:
    """An operator whose tensors were exchanged."""

    def __init__(self, operator: Any, inputs: list[Any], outputs: list[Any]) -> None:
        self._operator = operator
        self.inputs, self.outputs = inputs, outputs

    @property
    def input_full_names(self) -> list[str]:
        return [variable.full_name for variable in self.inputs]

    @property
    def output_full_names(self) -> list[str]:
        return [variable.full_name for variable in self.outputs]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operator, name)
