"""Loads a Modelyard package for ``mlflow.pyfunc.load_model`` where Modelyard is not installed.

A package carries this file as ``code/modelyard_pyfunc.py``. It needs NumPy, pandas and, as the manifest
says, onnxruntime or the trained model's own libraries. ``predict`` takes a DataFrame with the
features by name, or rows in schema order, and returns probabilities [n, c] float64 in the order of the manifest's
``classes`` for a classification (of several labels each one's own), numbers [n] float64 for a regression, of quantiles [n, k] in the order of the manifest's
``quantiles``, and labels [n] for a classifier without probabilities.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NULL = "\ue000null"
SAFE: tuple[str, ...] = ()
DAY = 86_400_000_000


def _load_pyfunc(path: str) -> Model:
    """What MLflow calls with the package's folder."""
    root = Path(path)
    manifest = json.loads((root / "manifest.json").read_bytes())
    for file in manifest["files"]:
        if hashlib.sha256((root / file["path"]).read_bytes()).hexdigest() != file["sha256"]:
            raise ValueError(f"{root / file['path']} was changed; it does not match the package's manifest.")
    return Model(root, manifest)


class Model:
    """A package that answers."""

    def __init__(self, root: Path, manifest: dict[str, Any]) -> None:
        self.manifest = manifest
        schema = manifest["schema"]
        aside = {schema.get("target"), *schema.get("labels", ()), *schema.get("key", ())}
        self.features = [c for c in schema["columns"] if c["name"] not in aside and not c.get("forbidden")]
        self._ask = _onnx(root, manifest) if manifest["form"] == "onnx" else _native(root, manifest)

    def predict(self, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """Answers [n, c] or [n] for rows; ``ValueError`` for a feature that is missing and for
        an answer that is not finite."""
        frame = self._frame(model_input)
        answers = self._ask(frame, self)
        if answers.dtype.kind == "f" and not np.isfinite(answers).all():
            raise ValueError("The model gave an answer that is not finite; every answer must be.")
        return answers

    def _frame(self, rows: Any) -> pd.DataFrame:
        names = [c["name"] for c in self.features]
        if isinstance(rows, np.ndarray):
            rows = pd.DataFrame(rows, columns=names)
        elif not isinstance(rows, pd.DataFrame):
            rows = pd.DataFrame(rows)
        missing = [name for name in names if name not in rows.columns]
        if missing:
            raise ValueError(f"The column '{missing[0]}' is missing.")
        return pd.DataFrame(
            {c["name"]: _typed(rows[c["name"]], c) for c in self.features}, index=pd.RangeIndex(len(rows))
        )

    def numbers(self, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        """The features that are no texts as [n, k] float64, NaN for null."""
        columns = [_number(frame[c["name"]], c["kind"]) for c in self.features if c["kind"] != "string"]
        return np.ascontiguousarray(np.stack(columns, axis=1)) if columns else np.empty((len(frame), 0))

    def texts(self, frame: pd.DataFrame) -> np.ndarray[Any, Any]:
        """The texts as [n, s] objects, None for null."""
        names = [c["name"] for c in self.features if c["kind"] == "string"]
        return frame[names].to_numpy(dtype=object) if names else np.empty((len(frame), 0), dtype=object)


def _typed(values: pd.Series[Any], column: dict[str, Any]) -> Any:
    """A column as the schema says, which is how the model saw it in training."""
    kind, null = column["kind"], values.isna().to_numpy()
    if kind == "string":
        made = values.astype(object).to_numpy(dtype=object, copy=True)
        made[null] = None
        return pd.Series(made, dtype=object)
    if kind in ("date", "datetime"):
        return pd.Series(pd.to_datetime(values.to_numpy()).as_unit("us"))
    free = not column.get("nullable", False) and not null.any()
    if kind == "boolean":
        made = np.array(
            [None if gone else bool(v) for v, gone in zip(values, null, strict=True)], dtype=object
        )
        return made.astype(bool) if free else pd.Series(made, dtype=object)
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers.astype(np.int64) if kind == "integer" and free else numbers


def _number(values: pd.Series[Any], kind: str) -> Any:
    null = values.isna().to_numpy()
    if kind in ("date", "datetime"):
        moments = values.to_numpy(dtype="datetime64[us]").astype(np.int64).astype(np.float64)
        moments[null] = np.nan
        return moments / DAY if kind == "date" else moments
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _onnx(root: Path, manifest: dict[str, Any]) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # unless told, it reports to its maker
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        str(root / "model" / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    inputs = {entry.name for entry in session.get_inputs()}

    def ask(frame: pd.DataFrame, model: Model) -> Any:
        feed: dict[str, Any] = {}
        if "numbers" in inputs:
            feed["numbers"] = model.numbers(frame)
        if "texts" in inputs:
            texts = model.texts(frame)
            feed["texts"] = np.where(pd.isna(texts), NULL, texts)
        answers = session.run(None, feed)[0]
        return (
            answers.reshape(-1) if manifest["task"] == "regression" and not manifest["quantiles"] else answers
        )

    return ask


def _native(root: Path, manifest: dict[str, Any]) -> Any:
    within = _within(root, manifest)
    with within():
        author, model = _opened(root, manifest)
    classes, levels = manifest["classes"], manifest["quantiles"]

    def ask(frame: pd.DataFrame, caller: Model) -> Any:
        with within():
            return answered(frame, caller)

    def answered(frame: pd.DataFrame, caller: Model) -> Any:
        rows = _rows(frame, caller, manifest["frame"])
        if manifest["custom_predict"]:
            given = np.asarray(author.predict(model, rows))
        elif hasattr(model, "state_dict") and not hasattr(model, "predict"):
            given = _module(model, rows, manifest["task"])
        elif type(model).__name__ == "Booster":
            given = _bare(model, rows, manifest["task"])
        elif manifest["task"] == "multilabel":
            given = _of_labels(model, rows)
        elif levels and isinstance(model, list):
            given = np.column_stack([np.asarray(one.predict(rows)).reshape(-1) for one in model])
        elif manifest["task"] != "regression" and hasattr(model, "predict_proba"):
            given = _ordered(np.asarray(model.predict_proba(rows)), model, classes)
        else:
            given = np.asarray(model.predict(rows))
        if levels:
            return given.reshape(len(frame), len(levels)).astype(np.float64)
        if manifest["task"] == "regression":
            return given.reshape(len(frame)).astype(np.float64)
        return (
            given.astype(np.float64)
            if given.ndim == 2 and given.shape[1] == len(classes)
            else given.reshape(-1)
        )

    return ask


def _opened(root: Path, manifest: dict[str, Any]) -> tuple[Any, Any]:
    """The author's module, where it is needed, and the model."""
    author: Any = None
    if manifest["custom_predict"] or (root / "model" / "native").is_dir():
        author = _author(root)
    if (root / "model" / "native").is_dir():
        return author, author.load(root / "model" / "native")
    import skops.io

    content = (root / "model" / "model.skops").read_bytes()
    code = root / "code"
    names = {path.stem for path in code.glob("*.py")} | {p.name for p in code.iterdir() if p.is_dir()}
    own = names - set(sys.stdlib_module_names) - {"modelyard"}
    strange = set(skops.io.get_untrusted_types(data=content)) - set(SAFE)
    if others := [name for name in strange if name.partition(".")[0] not in own]:
        raise ValueError(f"model/model.skops holds {min(others)}, a type that is not safe to load.")
    if strange:
        author = author or _author(root)
    return author, _boosted(skops.io.loads(content, trusted=[*SAFE, *strange]), root / "model")


class _Used:
    """A package that this one's code asks by ``my.used``."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.classes = tuple(model.manifest["classes"])

    def predict(self, rows: Any) -> Any:
        given = self._given(rows)
        if given.ndim == 1:
            return given
        if self._model.manifest["task"] == "multilabel":
            found = np.empty(len(given), dtype=object)
            for at, row in enumerate(given):
                bounds = self._model.manifest["thresholds"] or [0.5] * len(self.classes)
                found[at] = [name for name, p, t in zip(self.classes, row, bounds, strict=True) if p > t]
            return found
        labels = np.array(self.classes, dtype=object if isinstance(self.classes[0], str) else None)
        return labels[given.argmax(axis=1)]

    def predict_proba(self, rows: Any) -> Any:
        given = self._given(rows)
        if given.ndim == 1:
            raise ValueError("This model gives no probabilities; ask it with 'predict'.")
        return given

    def _given(self, rows: Any) -> Any:
        if not isinstance(rows, (np.ndarray, pd.DataFrame)):  # Polars
            rows = pd.DataFrame({name: np.asarray(rows[name]) for name in rows.columns})
        return self._model.predict(rows)


def _within(root: Path, manifest: dict[str, Any]) -> Callable[[], Any]:
    """What the author's code runs in: there ``my.used`` gives the packages that this one carries."""
    if not manifest.get("uses"):
        return contextlib.nullcontext
    found = {
        used["model"]: _Used(_load_pyfunc(str(root / "uses" / f"{used['model']}@{used['number']}")))
        for used in manifest["uses"]
    }
    authoring = _authoring(root / "code")
    return lambda: authoring.using(found.__getitem__)


def _authoring(code: Path) -> Any:
    """What an author imports; a small ``modelyard`` stands in where the real one is not installed."""
    if importlib.util.find_spec("modelyard") is None:
        sys.path.append(str(code / "modelyard_fallback"))
    found = importlib.import_module("modelyard")
    return found if hasattr(found, "using") else importlib.import_module("modelyard.authoring")


def _boosted(model: Any, folder: Path) -> Any:
    """The model with the boosters of XGBoost and LightGBM, which stand in files of their own."""
    if isinstance(model, str):
        return _booster(folder / model.partition(":")[2])
    waiting, seen = [model], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif isinstance(value, np.ndarray) and value.dtype == object:
            waiting += value.ravel().tolist()
        elif hasattr(value, "get_params") and not isinstance(value, type):
            if isinstance(vars(value).get("_Booster"), str):
                value._Booster = _booster(folder / value._Booster.partition(":")[2])
            waiting += vars(value).values()
    return model


def _booster(path: Path) -> Any:
    if path.suffix == ".json":
        return importlib.import_module("xgboost").Booster(model_file=path)
    return importlib.import_module("lightgbm").Booster(model_file=path)


def _bare(model: Any, rows: Any, task: str) -> Any:
    """What a Booster without an estimator around it answers."""
    if type(model).__module__.startswith("xgboost"):
        best = model.attr("best_iteration")
        span = (0, 0 if best is None else int(best) + 1)
        given = np.asarray(model.inplace_predict(rows, iteration_range=span))
    else:
        given = np.asarray(model.predict(rows))
    return np.column_stack([1 - given, given]) if task == "binary" and given.ndim == 1 else given


def _module(model: Any, rows: Any, task: str) -> Any:
    """What a PyTorch module answers."""
    torch = importlib.import_module("torch")
    model.eval()
    with torch.no_grad():
        given = model(torch.from_numpy(np.asarray(rows, dtype=np.float32))).numpy()
    if task == "binary" and (given.ndim == 1 or given.shape[1:] == (1,)):
        given = given.reshape(-1)
        given = np.column_stack([1 - given, given])
    return given


def _of_labels(model: Any, rows: Any) -> Any:
    """[n, k] of an estimator of several labels, or of a list of classifiers, one a label."""
    if isinstance(model, list):
        if not all(hasattr(one, "predict_proba") for one in model):
            return np.column_stack([np.asarray(one.predict(rows)).reshape(-1) for one in model])
        given: Any = [one.predict_proba(rows) for one in model]
        known: Any = [getattr(one, "classes_", None) for one in model]
    else:
        given = (model.predict_proba if hasattr(model, "predict_proba") else model.predict)(rows)
        known = getattr(model, "classes_", None)
    if not isinstance(given, list) or np.ndim(given[0]) != 2:
        return np.asarray(given)
    fits = isinstance(known, list) and len(known) == len(given)
    return np.column_stack([_yes(one, known[at] if fits else None) for at, one in enumerate(given)])


def _yes(given: Any, seen: Any) -> Any:
    if seen is None or len(seen) != given.shape[1]:
        return given[:, 1]
    at = [place for place, one in enumerate(seen) if one == 1]
    return given[:, at[0]] if at else np.zeros(len(given))


def _ordered(given: Any, model: Any, classes: list[Any]) -> Any:
    known = getattr(model, "classes_", None)
    seen = classes if known is None else [c.item() if isinstance(c, np.generic) else c for c in known]
    if seen == classes or len(seen) != given.shape[1] or not set(seen) <= set(classes):
        return given
    columns = np.zeros((given.shape[0], len(classes)), dtype=given.dtype)
    columns[:, [classes.index(c) for c in seen]] = given
    return columns


def _rows(frame: pd.DataFrame, model: Model, kind: str) -> Any:
    if kind == "pandas":
        return frame
    if kind == "numpy":
        if not any(c["kind"] == "string" for c in model.features):
            return model.numbers(frame)
        rows = np.empty(frame.shape, dtype=object)
        for at, c in enumerate(model.features):
            values = frame[c["name"]]
            rows[:, at] = values if c["kind"] == "string" else _number(values, c["kind"])
        return rows
    polars: Any = importlib.import_module("polars")
    kinds = {
        "string": polars.String,
        "boolean": polars.Boolean,
        "date": polars.Date,
        "datetime": polars.Datetime("us"),
    }
    columns = []
    for c in model.features:
        values = frame[c["name"]]
        if c["kind"] in ("integer", "float"):
            columns.append(polars.Series(c["name"], values.to_numpy()))
        elif c["kind"] in ("date", "datetime"):
            # to_numpy: a pandas series of times would need pyarrow
            moments = polars.Series(c["name"], values.to_numpy(dtype="datetime64[us]"), nan_to_null=True)
            columns.append(moments.cast(kinds[c["kind"]]))
        else:
            columns.append(polars.Series(c["name"], values.tolist(), dtype=kinds[c["kind"]]))
    return polars.DataFrame(columns)


def _author(root: Path) -> Any:
    """The author's ``model.py``, with a small ``modelyard`` where the real one is not installed."""
    code = root / "code"
    if root.parent.name == "uses":
        raise ValueError(
            f"{root.name} answers by code of its own, which has no place here beside that of the model which uses it; "
            "open the package with Modelyard."
        )
    _authoring(code)
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))
    spec = importlib.util.spec_from_file_location("modelyard_packaged_model", code / "model.py")
    if spec is None or spec.loader is None:
        raise ValueError(f"There is no {code / 'model.py'}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
