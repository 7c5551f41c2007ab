"""scikit-learn to ONNX: preprocessing in float64, trees on float32, one tensor of numbers and one of texts."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from modelyard.errors import Unconvertible
from modelyard.packaging import boosted, modules
from modelyard.packaging.finish import finish
from modelyard.packaging.labelwise import alone
from modelyard.packaging.operators import operators
from modelyard.packaging.together import together
from modelyard.predictor.boosters import library
from modelyard.predictor.fitted import Fitted
from modelyard.predictor.modules import is_module
from modelyard.predictor.parts import parts
from modelyard.predictor.session import NULL
from modelyard.records.schema import Schema
from modelyard.tables.batch import layout

TARGET = {"": 18, "ai.onnx.ml": 3}


def convert(fitted: Fitted, schema: Schema) -> bytes:
    """The trained model as an ONNX graph with the inputs and output that ``predictor.session`` asks for.

    Nothing is proven here. Raises ``Unconvertible`` with the reason.
    """
    if fitted.predict is not None:
        raise Unconvertible("the model answers through 'predict' in model.py, which is Python")
    if parted := alone(fitted):
        return together([convert(one, schema) for one in parted], labels=fitted.task == "multilabel")
    if is_module(fitted.model):
        return modules.convert(fitted.model, schema, regression=fitted.task == "regression")
    if type(fitted.model).__module__.partition(".")[0] not in ("sklearn", "xgboost", "lightgbm"):
        raise Unconvertible(f"a {type(fitted.model).__name__} is no scikit-learn estimator")
    if library(fitted.model):
        return _attempted(boosted.Bare(fitted.model), fitted, schema)
    if fitted.task != "regression" and not hasattr(fitted.model, "predict_proba"):
        raise Unconvertible(f"a {type(fitted.model).__name__} gives labels without probabilities")
    if isinstance(getattr(fitted.model, "classes_", None), list):
        raise Unconvertible(f"a {type(fitted.model).__name__} of several labels has no exact converter")
    seen = [c.item() if isinstance(c, np.generic) else c for c in getattr(fitted.model, "classes_", ())]
    if fitted.task in ("binary", "multiclass") and tuple(seen) != fitted.classes:
        raise Unconvertible("the model was not fitted on every class, or on another order of them")
    return _attempted(fitted.model, fitted, schema)


def _attempted(model: Any, fitted: Fitted, schema: Schema) -> bytes:
    try:
        return _converted(_prepared(model, schema), schema, regression=fitted.task == "regression")
    except Unconvertible:
        raise
    except Exception as error:  # a converter fails in its own ways; each is a reason to serve native
        line = (str(error).strip().splitlines() or ["no message"])[0]
        raise Unconvertible(f"skl2onnx cannot convert it ({type(error).__name__}: {line[:300]})") from error


def _converted(model: Any, schema: Schema, *, regression: bool) -> bytes:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer

    names = layout(schema)
    # a column too many where a ColumnTransformer picks: skl2onnx takes a pick of every column for all of
    # them as they stand, in whatever order they were picked
    spare = 1 if isinstance(_first(model), ColumnTransformer) else 0
    inputs = []
    if names.numbers:
        inputs.append(("numbers", DoubleTensorType([None, len(names.numbers) + spare])))
    if names.texts:
        inputs.append(("texts", StringTensorType([None, len(names.texts) + spare])))
    final = _final(model)
    head = model[:-1] if hasattr(model, "steps") and len(model.steps) > 1 else None
    options = {} if regression or isinstance(final, boosted.Bare) else {id(final): {"zipmap": False}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = convert_sklearn(
            model,
            name="model",
            initial_types=inputs,
            target_opset=TARGET,
            options=options,
            custom_conversion_functions=operators(final, head),
            custom_shape_calculators={boosted.Bare: boosted.shapes},
        )
    return finish(graph, regression=regression, spare=spare)


def _first(model: Any) -> Any:
    while hasattr(model, "steps"):
        model = model.steps[0][1]
    return model


def _final(model: Any) -> Any:
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return model


def _prepared(model: Any, schema: Schema) -> Any:
    """A copy in which columns are positions in (numbers, texts) and a null text is ``NULL``."""
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection._search import BaseSearchCV

    while isinstance(model, BaseSearchCV):
        model = model.best_estimator_
    model = copy.deepcopy(model)
    names = layout(schema)
    first = _first(model)
    if isinstance(first, ColumnTransformer):
        places = {name: at for at, name in enumerate(names.numbers)}
        places |= {name: len(names.numbers) + 1 + at for at, name in enumerate(names.texts)}
        if not names.numbers:
            places = {name: at for at, name in enumerate(names.texts)}
        positions = [places[c.name] for c in schema.features]
        _by_position(first, positions)
    elif names.texts and names.numbers:
        raise Unconvertible(
            "numbers and texts go into one transformer; take them apart with a ColumnTransformer"
        )
    for part in parts(model):
        _mark_nulls(part)
        if hasattr(part, "flatten_transform"):
            part.flatten_transform = False  # says how to transform, which is not asked here
    return model


def _by_position(transformer: Any, positions: list[int]) -> None:
    places = transformer._transformer_to_input_indices
    if not places:
        raise Unconvertible("its ColumnTransformer does not say which columns it takes")
    transformer.transformers_ = [
        (name, part, [positions[at] for at in np.atleast_1d(places[name]).tolist()])
        for name, part, _ in transformer.transformers_
    ]


def _mark_nulls(part: Any) -> None:
    categories = getattr(part, "categories_", None)
    if isinstance(categories, list):
        part.categories_ = [_marked(values) for values in categories]
    if type(part).__name__ == "SimpleImputer" and part.missing_values is None:
        part.missing_values = NULL
        part.statistics_ = _marked(np.asarray(part.statistics_))


def _marked(values: Any) -> Any:
    if getattr(values, "dtype", np.dtype(float)).kind != "O":
        return values
    null = np.array([value is None for value in values], dtype=bool)
    if not null.any():
        return values
    values = values.copy()
    values[null] = NULL
    return values
