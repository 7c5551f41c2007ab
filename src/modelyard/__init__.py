"""Modelyard: from a folder of model code to a tested, monitored, governed production service.

Importing this package loads the standard library only; what a ``model.py`` needs
(``my.log_uniform``, ``my.TrainingData``, ...) and what a notebook asks (``my.load``, ``my.data``, ``my.runs``, ``my.versions``)
arrives with its first use. ``__init__.pyi`` says of what types it is.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Params": "authoring",
    "TrainingData": "authoring",
    "choice": "authoring",
    "data": "notebook",
    "integer": "authoring",
    "load": "notebook",
    "log_artifact": "authoring",
    "log_chart": "authoring",
    "log_metric": "authoring",
    "log_param": "authoring",
    "log_uniform": "authoring",
    "runs": "notebook",
    "uniform": "authoring",
    "used": "authoring",
    "versions": "notebook",
}

__all__ = ["Params", "TrainingData", "__version__", "choice", "data", "integer", "load", "log_artifact"]
__all__ += ["log_chart", "log_metric", "log_param", "log_uniform", "runs", "uniform", "used", "versions"]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        # by name: what is below may import this package, and the notebook is above all of it
        return getattr(importlib.import_module(f"modelyard.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'modelyard' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
