"""A pyfunc model of MLflow as it was imported: its files lie in this package, and their own code answers.

This is ``model.py`` of such a package. MLflow need not be installed: a model of ``mlflow.pyfunc.PythonModel`` finds the
few names here that it is derived from.
"""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import importlib
import importlib.util
import inspect
import json
import lzma
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

TOLD = "pyfunc.json"
CLASSES = "mlflow.pyfunc.model"
OURS = (CLASSES, "mlflow.pyfunc.loaders.code_model")
"""Loaders of MLflow that are not needed here."""
_KINDS = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "object",
}
_OPENED: dict[str, Callable[..., Any]] = {"lzma": lzma.open, "bzip2": bz2.open, "gzip": gzip.open}


class Model:
    """What ``load`` gives: the model and how it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: dict[str, Any] = json.loads((folder / TOLD).read_text(encoding="utf-8"))
        with _mlflow():
            self._ask = self._loaded()

    def predict(self, rows: Any) -> Any:
        kinds = {name: _KINDS[kind] for name, kind in self.told["columns"].items() if kind in _KINDS}
        with _mlflow():
            return self._ask(rows.astype(kinds) if kinds else rows)

    def _loaded(self) -> Callable[[Any], Any]:
        files, told = self.folder / "files", self.told
        if told["loader_module"] in OURS and not _installed():
            return _of_class(self._python_model(files), files, told)
        load = importlib.import_module(told["loader_module"])._load_pyfunc
        path = str(files / told["data"]) if told["data"] else str(files)
        more = (
            {"model_config": told["config"]} if "model_config" in inspect.signature(load).parameters else {}
        )
        model = load(path, **more)
        given = {"params": None} if "params" in inspect.signature(model.predict).parameters else {}
        return lambda rows: model.predict(rows, **given)

    def _python_model(self, files: Path) -> Any:
        if told := self.told["model_code_path"]:
            _set.clear()
            spec = importlib.util.spec_from_file_location("mlflow_code_model", files / told)
            assert spec is not None
            assert spec.loader is not None
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
            if not _set:
                raise ValueError(f"{told} calls no mlflow.models.set_model")
            return _set[-1]
        import cloudpickle

        opened = _OPENED.get(self.told["compression"] or "", open)
        with opened(files / self.told["python_model"], "rb") as file:
            return cloudpickle.load(file)


def save(model: Model, folder: Path) -> None:
    for path in sorted(model.folder.rglob("*")):
        if path.is_file():
            place = folder / path.relative_to(model.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def load(folder: Path) -> Model:
    return Model(folder)


def predict(model: Model, rows: Any) -> Any:
    return model.predict(rows)


class PythonModel:
    """What models derive from."""

    def load_context(self, context: Any) -> None:
        """Nothing, where the model has no own."""


class PythonModelContext:
    def __init__(self, artifacts: dict[str, str], model_config: dict[str, Any] | None) -> None:
        self.artifacts, self.model_config = artifacts, model_config


class FunctionModel(PythonModel):
    """What MLflow keeps a plain function in."""

    func: Callable[[Any], Any]

    def predict(self, model_input: Any) -> Any:
        return self.func(model_input)


class Inert:
    """Signatures and hints of types, which MLflow keeps with a model and which answer nothing."""

    def __init__(self, *_: Any) -> None: ...


_INERT = ("mlflow.models.signature", "mlflow.types", "mlflow.types.schema")
_set: list[Any] = []
_stand_ins: dict[str, ModuleType] = {}


def _of_class(model: Any, files: Path, told: dict[str, Any]) -> Callable[[Any], Any]:
    """The model in its context; a plain function takes the rows alone."""
    if not hasattr(model, "predict") and callable(model):
        function: Callable[[Any], Any] = model
        return function
    artifacts = {name: str(files / path) for name, path in told["artifacts"].items()}
    context = PythonModelContext(artifacts, told["config"])
    model.load_context(context)
    names = [name for name in inspect.signature(model.predict).parameters if name != "self"]
    before = (context,) if len([name for name in names if name != "params"]) == 2 else ()
    more = {"params": None} if "params" in names else {}
    return lambda rows: model.predict(*before, rows, **more)


@contextlib.contextmanager
def _mlflow() -> Iterator[None]:
    """Stand-ins while the model's code runs, where MLflow is not installed."""
    if _installed():
        yield
        return
    if not _stand_ins:
        _stand_ins.update(_made())
    sys.modules.update(_stand_ins)
    try:
        yield
    finally:
        for name in _stand_ins:
            sys.modules.pop(name, None)


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("mlflow") is not None


def _inert(name: str) -> type[Inert]:
    if name.startswith("__"):
        raise AttributeError(name)
    return Inert


def _made() -> dict[str, ModuleType]:
    utils = ("mlflow.pyfunc.utils", "mlflow.pyfunc.utils.data_validation")
    names = ("mlflow", "mlflow.pyfunc", CLASSES, *utils, "mlflow.models", *_INERT)
    made = {name: ModuleType(name) for name in names}
    for name, module in made.items():
        module.__dict__["__path__"] = []
        above, _, last = name.rpartition(".")
        if above:
            setattr(made[above], last, module)
    for place in ("mlflow.pyfunc", CLASSES):
        made[place].__dict__.update(PythonModel=PythonModel, PythonModelContext=PythonModelContext)
    made["mlflow.models"].__dict__["set_model"] = _set.append
    made[CLASSES].__dict__["_FunctionPythonModel"] = FunctionModel
    for place in _INERT:
        made[place].__dict__["__getattr__"] = _inert
    return made
