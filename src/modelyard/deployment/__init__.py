"""From an admitted version to a live one: application tests and targets (floor 4)."""

from __future__ import annotations

from modelyard.deployment.application import Door, Subject, application_tests
from modelyard.deployment.local import LocalTarget
from modelyard.deployment.targets import Targets

__all__ = ["Door", "LocalTarget", "Subject", "Targets", "application_tests"]
