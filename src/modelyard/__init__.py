"""Modelyard: from a folder of model code to a tested, monitored, governed production service.

Importing this package loads the standard library only; what a ``model.py`` needs
(``my.log_uniform``, ``my.TrainingData``, ...) arrives with its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.authoring import (
        Params,
        TrainingData,
        choice,
        integer,
        log_artifact,
        log_chart,
        log_metric,
        log_param,
        log_uniform,
        uniform,
    )

__version__ = "0.1.0"

__all__ = [
    "Params",
    "TrainingData",
    "__version__",
    "choice",
    "integer",
    "log_artifact",
    "log_chart",
    "log_metric",
    "log_param",
    "log_uniform",
    "uniform",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        from modelyard import authoring

        return getattr(authoring, name)
    raise AttributeError(f"module 'modelyard' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
