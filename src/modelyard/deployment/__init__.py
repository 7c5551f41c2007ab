"""From an admitted version to a live one: application tests and targets (floor 4)."""

from __future__ import annotations

from modelyard.deployment.application import Golden, Outcome, application_tests
from modelyard.deployment.local import LocalTarget

__all__ = ["Golden", "LocalTarget", "Outcome", "application_tests"]
