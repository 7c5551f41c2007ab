"""From an admitted version to a live one: application tests and targets (floor 4)."""

from __future__ import annotations

from modelyard.deployment.application import Door, Subject, application_tests
from modelyard.deployment.local import Candidate, LocalTarget

__all__ = ["Candidate", "Door", "LocalTarget", "Subject", "application_tests"]
