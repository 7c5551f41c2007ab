"""One typed tree of settings, the only reader of ``modelyard.toml`` and the environment (floor 1)."""

from __future__ import annotations

from modelyard.settings.application import ApplicationTests
from modelyard.settings.changes import changes
from modelyard.settings.data import (
    AsOfSettings,
    DataSettings,
    DeduplicateSettings,
    IncrementalSettings,
    SourceSettings,
    SplitSettings,
    TransformSettings,
)
from modelyard.settings.monitor import MonitorSettings
from modelyard.settings.read import find, parse, read
from modelyard.settings.targets import GitopsSettings, KubernetesSettings, PodSettings, SshSettings
from modelyard.settings.tree import (
    EngineSettings,
    EnvironmentSettings,
    GateSettings,
    ModelSettings,
    PersonSettings,
    ProjectSettings,
    Settings,
    SigningSettings,
    TuneSettings,
    YardSettings,
)
from modelyard.settings.triggers import (
    CanarySettings,
    ChampionSettings,
    PipelineSettings,
    PolicySettings,
    TriggerSettings,
)

__all__ = [
    "ApplicationTests",
    "AsOfSettings",
    "CanarySettings",
    "ChampionSettings",
    "DataSettings",
    "DeduplicateSettings",
    "EngineSettings",
    "EnvironmentSettings",
    "GateSettings",
    "GitopsSettings",
    "IncrementalSettings",
    "KubernetesSettings",
    "ModelSettings",
    "MonitorSettings",
    "PersonSettings",
    "PipelineSettings",
    "PodSettings",
    "PolicySettings",
    "ProjectSettings",
    "Settings",
    "SigningSettings",
    "SourceSettings",
    "SplitSettings",
    "SshSettings",
    "TransformSettings",
    "TriggerSettings",
    "TuneSettings",
    "YardSettings",
    "changes",
    "find",
    "parse",
    "read",
]
