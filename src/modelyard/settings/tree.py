"""The settings' shape. The docstrings are the documentation of ``docs/settings.md``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Share = Annotated[float, Meta(gt=0, lt=1)]
Port = Annotated[int, Meta(ge=1, le=65535)]


class ProjectSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[project]``: what the project is."""

    name: Name


class YardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[yard]``: where facts and artifacts live."""

    database: str = "sqlite:///.modelyard/yard.db"
    """An SQLAlchemy URL; a relative SQLite path starts at the project."""
    artifacts: str = ".modelyard/artifacts"
    """A folder; a relative path starts at the project."""


class SplitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``split``: which rows are held back for testing."""

    test: Share = 0.2
    """The share of rows held back, by a hash of the row's key and the seed."""
    stratify: bool = False
    """Verify that each class has its share in the test split, and refuse an empty class."""
    seed: int = 0


class DataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[data.NAME]``: a dataset and where its rows come from."""

    source: str | tuple[str, ...]
    """A CSV or Parquet file, or a glob of them, relative to the project; or a list of such."""
    target: str | None = None
    """The column to predict."""
    key: str | tuple[str, ...] = ()
    """What identifies a row; without it, its content does."""
    split: SplitSettings = SplitSettings()


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.gates]``: ``metric = { ... }``, what a version must meet."""

    min: float | None = None
    max: float | None = None
    no_worse_than: Name | None = None
    """An environment whose live version is scored again on the same rows."""
    tolerance: Annotated[float, Meta(ge=0)] = 0.0


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME]``: a folder of model code."""

    code: str
    """The folder with ``model.py``, relative to the project."""
    data: Name
    """The dataset to learn from."""
    metric: str | None = None
    """The metric that decides; by default ``roc_auc``, ``accuracy`` or ``r2`` by the task."""
    task: Literal["binary", "multiclass", "regression"] | None = None
    """What kind of answer; by default told from the target."""
    seed: int = 0
    """Given to every random number generator before training."""
    params: dict[str, bool | int | float | str] = {}
    """Values that replace the defaults in ``SPACE``."""
    gates: dict[str, GateSettings] = {}
    proof_tolerance: Annotated[float, Meta(gt=0)] = 1e-5
    """Largest difference of probabilities (or of numbers, relative) at which ONNX may serve."""
    form: Literal["auto", "onnx", "native"] = "auto"
    """``auto`` serves ONNX where it is proven equal; ``onnx`` refuses anything else."""


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME]``: in order; promotion follows it."""

    port: Port
    host: str = "127.0.0.1"
    """Anything but loopback needs ``token_file``."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    target: Literal["local"] = "local"
    reviews: tuple[Name, ...] = ()
    """What people must say yes to before a version is admitted."""
    four_eyes: bool = False
    """A yes of the person who registered the version does not count."""
    token_file: str | None = None
    """A file of accepted bearer tokens, one a line, relative to the project."""


class MonitorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[monitor.MODEL]``: how a model's logged predictions are watched."""

    window: Annotated[str, Meta(pattern=r"^[0-9]+[smhd]$")] = "1h"
    """The span that one look covers, such as ``30m``, ``1h`` or ``7d``."""
    alpha: Share = 0.05
    """False alarms to accept per window, all columns together."""
    correction: Literal["holm", "benjamini-hochberg"] = "holm"
    min_effect: Annotated[float, Meta(ge=0)] = 0.01
    """Smallest effect that is worth an alert: the population stability index less what chance alone
    adds to it. A shift of 0.1 standard deviations has 0.01, one of 0.2 has 0.04, of 0.5 about 0.25."""
    min_rows: Annotated[int, Meta(ge=1)] = 50
    """Fewer rows than this are not judged."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole tree."""

    project: ProjectSettings
    yard: YardSettings = YardSettings()
    data: dict[Name, DataSettings] = {}
    models: dict[Name, ModelSettings] = {}
    environments: dict[Name, EnvironmentSettings] = {}
    monitor: dict[Name, MonitorSettings] = {}
