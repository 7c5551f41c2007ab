"""Where code is hosted and its pipelines run: comments on pull requests, states of commits (floor 4)."""

from __future__ import annotations

from modelyard.forges.here import here

__all__ = ["here"]
