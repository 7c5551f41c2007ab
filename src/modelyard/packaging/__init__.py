"""Seals a trained model as an immutable folder, stores and fetches it (floor 4)."""

from __future__ import annotations

from modelyard.packaging.seal import seal
from modelyard.packaging.store import fetch, store

__all__ = ["fetch", "seal", "store"]
