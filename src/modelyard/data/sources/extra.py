"""Libraries that only some sources need."""

from __future__ import annotations

import importlib
from typing import Any

from modelyard.errors import ExtraMissing


def needs(module: str, extra: str, what: str) -> Any:
    """The module. Raises ``ExtraMissing`` with the line that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise ExtraMissing(
            f"To read {what} install '{module}': pip install 'modelyard[yard,{extra}]'."
        ) from None
