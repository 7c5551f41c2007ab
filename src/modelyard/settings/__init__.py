"""One typed tree of settings, the only reader of ``modelyard.toml`` and the environment (floor 1)."""

from __future__ import annotations

from modelyard.settings.read import find, read
from modelyard.settings.tree import (
    DataSettings,
    EnvironmentSettings,
    GateSettings,
    IncrementalSettings,
    ModelSettings,
    MonitorSettings,
    ProjectSettings,
    Settings,
    SourceSettings,
    SplitSettings,
    YardSettings,
)

__all__ = [
    "DataSettings",
    "EnvironmentSettings",
    "GateSettings",
    "IncrementalSettings",
    "ModelSettings",
    "MonitorSettings",
    "ProjectSettings",
    "Settings",
    "SourceSettings",
    "SplitSettings",
    "YardSettings",
    "find",
    "read",
]
