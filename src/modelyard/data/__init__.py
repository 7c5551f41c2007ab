"""From sources to a dataset version (floor 4).

``fingerprint``, ``novelty`` and ``origins`` need the standard library only, so that a build in which nothing changed stays
quick; the others arrive with Polars at their first use.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from modelyard.data.definition import differs
from modelyard.data.fingerprint import fingerprint
from modelyard.data.idle import idle, remember
from modelyard.data.memory import load_polars
from modelyard.data.novelty import NothingNew, Novelty, novelty, outdated, refuse_again, together
from modelyard.data.origins import origins
from modelyard.data.splitting import agrees, declared

if TYPE_CHECKING:
    from modelyard.data.description import describe
    from modelyard.data.difference import differ
    from modelyard.data.extraction import extract
    from modelyard.data.growth import Base
    from modelyard.data.inspection import inspect, parts, strays, whole
    from modelyard.data.outlets import Outlet, occupied, outlet, write
    from modelyard.data.passage import columns_of
    from modelyard.data.preparation import Prepared, prepare
    from modelyard.data.shelf import Stored, load, scan, staged_version, store
    from modelyard.data.staging import Staged, stage
    from modelyard.data.watermarks import threshold

__all__ = [
    "Base",
    "NothingNew",
    "Novelty",
    "Outlet",
    "Prepared",
    "Staged",
    "Stored",
    "agrees",
    "columns_of",
    "declared",
    "describe",
    "differ",
    "differs",
    "extract",
    "fingerprint",
    "idle",
    "inspect",
    "load",
    "novelty",
    "occupied",
    "origins",
    "outdated",
    "outlet",
    "parts",
    "prepare",
    "refuse_again",
    "remember",
    "scan",
    "stage",
    "staged_version",
    "store",
    "strays",
    "threshold",
    "together",
    "whole",
    "write",
]

_HOMES = {
    "staged_version": "shelf",
    "columns_of": "passage",
    "stage": "staging",
    "Staged": "staging",
    "write": "outlets",
    "occupied": "outlets",
    "outlet": "outlets",
    "Outlet": "outlets",
    "Base": "growth",
    "Prepared": "preparation",
    "Stored": "shelf",
    "describe": "description",
    "differ": "difference",
    "extract": "extraction",
    "inspect": "inspection",
    "load": "shelf",
    "parts": "inspection",
    "prepare": "preparation",
    "scan": "shelf",
    "store": "shelf",
    "strays": "inspection",
    "threshold": "watermarks",
    "whole": "inspection",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        load_polars()
        return getattr(importlib.import_module(f"modelyard.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'modelyard.data' has no attribute {name!r}")


class _Asked(ModuleType):
    """``my.data("patients")`` has this room's name: once the room is imported, ``modelyard.data`` is the room."""

    def __call__(self, ref: str, **where: Any) -> object:
        return importlib.import_module("modelyard.notebook").data(ref, **where)


sys.modules[__name__].__class__ = _Asked
