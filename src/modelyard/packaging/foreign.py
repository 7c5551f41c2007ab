"""Models that were made without Modelyard: a bare file, or a folder of MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from modelyard.errors import SourceMissing, StoreDown, Unconvertible
from modelyard.packaging.adapt import adapt, named_inputs
from modelyard.predictor.fitted import Fitted
from modelyard.records.package import Label, Task
from modelyard.records.schema import Schema
from modelyard.tables.batch import layout

Kind = Literal["onnx", "skops", "pickle", "pyfunc"]
LARGEST = 2 << 30
"""Bytes of a model file."""
_ENDINGS: dict[str, Kind] = {
    ".onnx": "onnx",
    ".skops": "skops",
    ".joblib": "pickle",
    ".pkl": "pickle",
    ".pickle": "pickle",
}


class Foreign(NamedTuple):
    kind: Kind
    path: Path
    content: bytes
    inputs: tuple[str, ...] = ()
    """The columns that its signature names, in their order."""
    told: Mapping[str, Any] | None = None
    """What a package keeps of a pyfunc model, whose folder ``path`` is."""


def read(path: Path) -> Foreign:
    """The model file at ``path``, or the one of the MLflow folder there; nothing of it is loaded.

    Raises ``SourceMissing`` where there is none, ``Unconvertible`` for a kind that is not taken.
    """
    if path.is_dir():
        return _of_mlflow(path)
    kind = _ENDINGS.get(path.suffix)
    if kind is None:
        raise Unconvertible(
            f"{path} is no model that can be imported; give a .mypkg, an MLflow folder, or a file that ends in "
            f"{', '.join(_ENDINGS)}."
        )
    content = _content(path)
    return Foreign(kind, path, content, named_inputs(content) if kind == "onnx" else ())


def fitted(
    foreign: Foreign, schema: Schema, *, task: Task, classes: tuple[Label, ...], place: Path | None = None
) -> tuple[Fitted, bytes | None]:
    """The trained model, loaded, or for ONNX the graph as a package serves it.

    A pickle is loaded, and the code of a pyfunc model runs from ``place``, where it is laid out as the model's ``code``:
    the caller has somebody who answers for it. Raises ``Unconvertible`` when it holds what is not
    known to be harmless or does not fit the schema, ``Tampered`` when it is damaged.
    """
    from modelyard.packaging import pyfunc
    from modelyard.predictor import pickles, safe
    from modelyard.predictor.author import hooks

    where = str(foreign.path)
    if foreign.kind == "onnx":
        graph = adapt(foreign.content, layout(schema), task=task, classes=len(classes), where=where)
        return Fitted(None, task, classes, "numpy", None, None, None), graph
    if foreign.told is not None:
        assert place is not None, "a pyfunc model is laid out before it is loaded"
        code, native = pyfunc.write(foreign.path, foreign.told, place)
        author = hooks(code)
        model = author.loaded(native)
        return Fitted(model, task, classes, "pandas", author.predict, author.save, author.load), None
    load = safe.loads if foreign.kind == "skops" else pickles.loads
    model = load(foreign.content, where)
    if not hasattr(model, "predict"):
        raise Unconvertible(f"{where} holds a {type(model).__name__}, which has no 'predict'.")
    known = getattr(model, "classes_", None)
    if known is not None and task in ("binary", "multiclass"):
        found = {value.item() if hasattr(value, "item") else value for value in known}
        if found != set(classes):
            raise Unconvertible(
                f"{where} answers {_few(sorted(map(str, found)))}, and the dataset's target has "
                f"{_few(sorted(map(str, classes)))}; name the dataset whose target it was trained on."
            )
    frame: Literal["pandas", "numpy"] = "pandas" if hasattr(model, "feature_names_in_") else "numpy"
    return Fitted(model, task, classes, frame, None, None, None), None


def narrowed(foreign: Foreign, schema: Schema, loaded: object = None) -> Schema:
    """The schema with the columns that the model takes, in its order, and the target; whole where it names none.

    Raises ``Unconvertible`` naming a column that the dataset lacks.
    """
    names = [str(name) for name in getattr(loaded, "feature_names_in_", ())] or list(foreign.inputs)
    if not names:
        return schema
    columns = {column.name: column for column in schema.features}
    if missing := [name for name in names if name not in columns]:
        raise Unconvertible(
            f"{foreign.path} takes the column '{missing[0]}', which the dataset does not have as a feature."
        )
    aside = [column for column in schema.columns if column.name not in columns]
    return msgspec.structs.replace(schema, columns=(*(columns[name] for name in names), *aside))


def _of_mlflow(folder: Path) -> Foreign:
    import yaml

    path = folder / "MLmodel"
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        flavors = told["flavors"]
        signature = told.get("signature") or {}
        columns = {
            str(column["name"]): str(column.get("type", ""))
            for column in json.loads(signature.get("inputs") or "[]")
            if "name" in column
        }
        inputs = tuple(columns)
    except FileNotFoundError:
        raise SourceMissing(f"{folder} is no folder of MLflow: it has no MLmodel.") from None
    except (
        OSError,
        yaml.YAMLError,
        UnicodeDecodeError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:
        raise Unconvertible(f"{path} cannot be read: {type(error).__name__}: {str(error)[:200]}") from None
    for flavor, key in (("onnx", "data"), ("sklearn", "pickled_model")):
        found = flavors.get(flavor) if isinstance(flavors, dict) else None
        if not isinstance(found, dict) or not isinstance(found.get(key), str):
            continue
        file = folder / found[key]
        if not file.resolve().is_relative_to(folder.resolve()):
            raise Unconvertible(f"{path} names {found[key]!r}, which is outside of the folder.")
        kind: Kind = "onnx" if flavor == "onnx" else "pickle"
        if found.get("serialization_format") == "skops":
            kind = "skops"
        content = _content(file)
        return Foreign(kind, file, content, inputs or (named_inputs(content) if kind == "onnx" else ()))
    if isinstance(flavors, dict) and isinstance(general := flavors.get("python_function"), dict):
        from modelyard.packaging import pyfunc

        return Foreign("pyfunc", folder, b"", inputs, pyfunc.told(folder, general, columns))
    names = ", ".join(map(str, flavors)) if isinstance(flavors, dict) else "none"
    raise Unconvertible(
        f"{path} has the flavors {names}; sklearn, onnx and python_function are taken. Write a model.py with 'load' and 'predict' for others."
    )


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise Unconvertible(f"{path} has {size:,} bytes, more than the {LARGEST:,} that are taken.")
        return path.read_bytes()
    except FileNotFoundError:
        raise SourceMissing(f"There is no file {path}.") from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror}.") from None


def _few(names: Sequence[Any]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
