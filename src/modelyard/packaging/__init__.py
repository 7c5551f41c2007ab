"""Seals a trained model as an immutable folder, stores and fetches it (floor 4)."""

from __future__ import annotations

from modelyard.packaging.archive import ENDING, pack, unpack
from modelyard.packaging.code import code
from modelyard.packaging.seal import ASKED_NATIVE, BESIDE, seal
from modelyard.packaging.store import fetch, store

__all__ = ["ASKED_NATIVE", "BESIDE", "ENDING", "code", "fetch", "pack", "seal", "store", "unpack"]
