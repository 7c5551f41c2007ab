"""The settings' shape. The docstrings are the documentation of ``docs/settings.md``."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from modelyard.settings.alerts import AlertSettings
from modelyard.settings.application import ApplicationTests
from modelyard.settings.control import ConsoleSettings, JobSettings
from modelyard.settings.data import DataSettings, Share
from modelyard.settings.doors import (
    JwtSettings,
    LogSettings,
    OwnSettings,
    QuotaSettings,
    TlsSettings,
    TracingSettings,
)
from modelyard.settings.monitor import MonitorSettings
from modelyard.settings.scan import ScanSettings
from modelyard.settings.targets import GitopsSettings, KubernetesSettings, PodSettings, SshSettings
from modelyard.settings.triggers import TriggerSettings

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Reference = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}@[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Port = Annotated[int, Meta(ge=1, le=65535)]


class ProjectSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[project]``: what the project is."""

    name: Name
    code: tuple[str, ...] = (".", "src")
    """Folders of the project that models may import shared code from: with ``"."``, ``import common.features``
    finds ``common/features.py``. What a model imports is part of its identity and of its package."""
    hashes: Literal["index", "project"] = "index"
    """Where the sha256 of a model's libraries come from that its lock does not tell: locks in the project, and with
    ``index`` then the package index, which uv asks when a model is evaluated. Where neither tells, the package says so."""


class YardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[yard]``: where facts and artifacts live."""

    database: str = "sqlite:///.modelyard/yard.db"
    """``sqlite:///FILE``, where a relative file starts at the project, or
    ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE`` (best given in ``MODELYARD_YARD__DATABASE``)."""
    artifacts: str = ".modelyard/artifacts"
    """A folder, where a relative one starts at the project, or ``s3://BUCKET/PREFIX``, ``gs://…``, ``az://…``."""


KeyId = Annotated[str, Meta(pattern=r"^[0-9a-f]{12,64}$")]


class SigningSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[signing]``: whose signatures let a package's code run here. Keys are PEM files, relative to the project."""

    key: str | None = None
    """The private key that signs, such as one that CI has; by default one of this machine's own, made at first use."""
    trusted: tuple[str, ...] = ()
    """Public keys that are trusted beside this machine's own."""
    revoked: tuple[KeyId, ...] = ()
    """Ids, or their first 12 characters or more, of keys that are trusted nowhere, whatever else says so."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[engine]``: the machines that models are trained and tuned on, and tables are scored on."""

    kind: Literal["local", "ray"] = "local"
    """``ray`` trains on the nodes of a Ray cluster, which need the model's libraries in the same versions."""
    address: str | None = None
    """Of the cluster, such as ``10.0.0.1:6379``; by default ``RAY_ADDRESS``, or the cluster that this machine is in."""
    processors: Annotated[int, Meta(ge=1)] = 1
    """Of the cluster's, how many a training or a trial takes."""

    def __post_init__(self) -> None:
        if self.kind == "local" and (self.address is not None or self.processors != 1):
            raise ValueError("'address' and 'processors' go with kind = 'ray'")


class LineageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[lineage]``: OpenLineage events of ingests, trainings, evaluations and deployments."""

    openlineage: Annotated[str, Meta(min_length=1)] | None = None
    """A file that takes them as JSON Lines, relative to the project, or an endpoint such as
    ``https://marquez.example/api/v1/lineage``. What cannot be delivered is kept and goes later; no command waits for it."""
    namespace: Annotated[str, Meta(min_length=1)] | None = None
    """Of jobs, data, models and services; by default ``modelyard://`` and the project's name."""
    token_file: str | None = None
    """A file with the bearer token that the endpoint asks for, relative to the project."""
    timeout: Annotated[float, Meta(gt=0, le=30)] = 2.0
    """Seconds that one event may take."""


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.gates]``: ``metric = { ... }``, what a version must meet."""

    min: float | None = None
    max: float | None = None
    no_worse_than: Name | None = None
    """An environment whose live version is scored again on the same rows."""
    tolerance: Annotated[float, Meta(ge=0)] = 0.0
    """By how much, in the metric's unit, ``no_worse_than`` lets it be worse."""
    test: Literal["point", "non_inferiority", "inferiority"] = "point"
    """What ``no_worse_than`` asks: ``point``, that the difference seen is within the tolerance;
    ``non_inferiority``, that it is shown to be; ``inferiority``, that it is not shown not to be."""
    confidence: Share | None = None
    """Of ``non_inferiority`` and ``inferiority``, one-sided; by default 0.95."""
    slices: tuple[str, ...] = ()
    """Columns in each of whose categories or bins the bounds must hold too."""

    def __post_init__(self) -> None:
        if self.no_worse_than is None and self.test != "point":
            raise ValueError("'test' goes with 'no_worse_than'")
        if self.confidence is not None and self.test == "point":
            raise ValueError("'confidence' goes with 'test' = 'non_inferiority' or 'inferiority'")


class SliceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``slices = [{ ... }]``: a column with bins of one's own."""

    column: str
    edges: Annotated[tuple[float, ...], Meta(min_length=1, max_length=19)]
    """Rising; a value is in the first bin whose edge it does not exceed."""

    def __post_init__(self) -> None:
        if any(a >= b for a, b in itertools.pairwise(self.edges)):
            raise ValueError("'edges' must rise")


class CostSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``costs = { false_positive = 1, false_negative = 5 }``: what an error of two classes costs."""

    false_positive: Annotated[float, Meta(gt=0)]
    """Answering the positive class (the last of two) where it is not."""
    false_negative: Annotated[float, Meta(gt=0)]
    """Not answering it where it is."""


class FairnessSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.fairness]``: ``column = { ... }``, the groups to look at; with a bound it is a gate,
    and ``monitor`` holds it while a version answers."""

    metric: Literal["demographic_parity", "equal_opportunity", "equalized_odds", "predictive_parity"] = (
        "equal_opportunity"
    )
    """Of what the bounds are: the share of positive answers, of positives found, of these and of false alarms, or
    of positive answers that are right."""
    max_gap: Annotated[float, Meta(ge=0, le=1)] | None = None
    """The largest difference between two groups."""
    min_ratio: Annotated[float, Meta(ge=0, le=1)] | None = None
    """The smallest ratio of two groups; 0.8 is the four-fifths rule."""
    edges: tuple[float, ...] = ()
    """Where a column of numbers is cut; by default at its quartiles."""


class EvaluationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.evaluation]``: what the report holds beyond metrics and gates."""

    champion: Name | None = None
    """An environment whose live version the report compares with, whether or not a gate asks."""
    slices: tuple[str | SliceSettings, ...] = ()
    """Columns whose categories or bins the report looks at one by one; numbers are cut at their quartiles, or at
    ``edges`` of ``{ column = "age", edges = [30, 50] }``. A column need not be a feature."""
    min_rows: Annotated[int, Meta(ge=2)] = 30
    """A slice of fewer rows is counted and not judged."""
    costs: CostSettings | None = None
    """What wrong answers cost: the report prices decisions, and says what another threshold would cost."""
    baselines: bool = True
    """Compare with the class shares (or the mean) and with a linear model, both learned from training rows."""
    importance: bool = True
    """Shuffle each feature to see how much the answers rest on it, and draw what the most important do."""
    stability: bool = True
    """Disturb rows by a little noise and missing values to see how the answers hold."""
    search: bool = True
    """Look for weak slices among all features, and where errors of numbers lean to one side."""
    learning_curve: bool = False
    """Fit the model again on growing parts of the training rows, 25 times, and measure it on folds of them that were
    held out."""
    footprint: bool = True
    """Measure what the package takes to answer: milliseconds and memory of a process of its own. A gate on
    ``latency_p50_ms``, ``latency_p99_ms``, ``memory_mb`` or ``package_mb`` measures in any case."""


class TuneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME] tune = { ... }``: a search for the parameters of ``SPACE``, on folds of the training split.

    What ``params`` or ``--set`` give is not searched. The first trial has the defaults (a grid's has not).
    """

    sampler: Literal["random", "grid", "tpe", "cmaes"] = "random"
    """How the next parameters are chosen: at random, every point of a grid, where good ones were (TPE), or by
    CMA-ES, which searches numbers and draws choices at random."""
    trials: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    """The most trials; by default 20, or all of a grid. Of a larger grid as many points, drawn by the seed."""
    folds: Annotated[int, Meta(ge=2, le=50)] | None = None
    """Folds to measure a trial by; by default those of the dataset's split, or 5."""
    timeout: Annotated[str, Meta(pattern=r"^[1-9][0-9]*[smhd]$")] | None = None
    """After this time no trial begins, such as ``30m``. The model's own ``timeout`` is that of each trial."""
    pruner: Literal["median", "none"] = "none"
    """``median`` ends a trial whose mean after a fold is worse than the median of those before it."""
    jobs: Annotated[int, Meta(ge=1, le=64)] = 1
    """Trials side by side, each in a process of its own. With one, a study is the same each time."""
    patience: Annotated[int, Meta(ge=1)] | None = None
    """After so many trials without a better one no other begins."""
    points: Annotated[int, Meta(ge=2, le=1000)] | None = None
    """Values of each number in a ``grid``; by default 5."""

    def __post_init__(self) -> None:
        if self.points is not None and self.sampler != "grid":
            raise ValueError("'points' goes with sampler = 'grid'")


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME]``: a folder of model code."""

    code: str
    """The folder with ``model.py``, relative to the project."""
    data: Name
    """The dataset to learn from."""
    include: tuple[str, ...] = ()
    """Shared files that no ``import`` names, as globs from the project: data files, and modules whose name
    is made up at run time."""
    uses: tuple[Reference, ...] = ()
    """Registered versions of other models whose answers the code asks for by ``my.used(NAME)``: ``encoder@3``, or
    ``encoder@prod`` and ``encoder@latest``, which become the number that they mean when the model is trained."""
    metric: str | None = None
    """The metric that decides; by default ``roc_auc``, ``accuracy``, ``f1_macro`` (of several labels) or ``r2`` by the
    task."""
    task: Literal["binary", "multiclass", "multilabel", "regression"] | None = None
    """What kind of answer; by default told from the target."""
    quantiles: tuple[Share, ...] = ()
    """Levels, rising, such as ``[0.05, 0.5, 0.95]``: the model answers a number for each instead of one. The
    middle one is its ``prediction``."""
    thresholds: dict[str, Share] = {}
    """By label of a ``multilabel`` model, the probability above which it is answered; by default 0.5."""
    seed: int = 0
    """Given to every random number generator before training."""
    params: dict[str, bool | int | float | str] = {}
    """Values that replace the defaults in ``SPACE``."""
    tune: TuneSettings | None = None
    """Search for the best parameters before the model is trained; by default it is trained with the defaults."""
    gates: dict[str, GateSettings] = {}
    fairness: dict[str, FairnessSettings] = {}
    """By column."""
    evaluation: EvaluationSettings = EvaluationSettings()
    proof_tolerance: Annotated[float, Meta(gt=0)] = 1e-5
    """Largest difference of probabilities (or of numbers, relative) at which ONNX may serve."""
    form: Literal["auto", "onnx", "native"] = "auto"
    """``auto`` serves ONNX where it is proven equal; ``onnx`` refuses anything else."""
    keep_native: bool = True
    """Keep the trained model in the package beside ONNX, where a safe form holds it: for other tools, and for
    ``modelyard predict --form native``. False makes packages smaller."""
    isolation: Literal["process", "venv"] = "process"
    """``venv`` trains in a virtual environment of its own that holds exactly what ``requirements.model`` leads to."""
    timeout: Annotated[str, Meta(pattern=r"^[1-9][0-9]*[smhd]$")] | None = None
    """The longest that a training may take, such as ``90s``, ``30m`` or ``2h``; by default there is no limit."""
    memory_gb: Annotated[float, Meta(gt=0)] | None = None
    """The most memory that a training may take beyond what its libraries do, with all the processes that it
    starts; by default what the machine has."""
    service: OwnSettings = OwnSettings()

    def __post_init__(self) -> None:
        if any(a >= b for a, b in itertools.pairwise(self.quantiles)):
            raise ValueError("'quantiles' must rise")
        if self.quantiles and self.task not in (None, "regression"):
            raise ValueError(f"'quantiles' are of a regression, not of a {self.task} model")
        if self.thresholds and self.task not in (None, "multilabel"):
            raise ValueError(f"'thresholds' are of a multilabel model, not of a {self.task} one")


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME]``: in order; promotion follows it."""

    port: Port
    host: str = "127.0.0.1"
    """Anything but loopback needs ``token_file``, ``jwt`` or clients' certificates."""
    origins: tuple[str, ...] = ()
    """Sites whose pages may ask from a browser (CORS), such as ``https://app.example.org``."""
    rate_limit: Annotated[float, Meta(gt=0)] | None = None
    """Predictions a second that one token may ask for, or all together where no token is asked; beyond them 429."""
    grpc_port: Port | None = None
    """Where the Open Inference Protocol is spoken over gRPC as well (extra ``grpc``)."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    target: Literal["local", "ssh", "kubernetes", "gitops"] = "local"
    """Where its services run: on this machine, on the server of ``ssh``, in the cluster of ``kubernetes``, or where another
    program applies the repository of ``gitops``."""
    ssh: SshSettings | None = None
    kubernetes: KubernetesSettings | None = None
    gitops: GitopsSettings | None = None
    reviews: tuple[Name, ...] = ()
    """What people must say yes to before a version is admitted."""
    four_eyes: bool = False
    """A yes of the person who registered the version does not count."""
    trusted: tuple[str, ...] | None = None
    """Public keys (PEM files), one of which must have signed whatever is admitted and goes live here; without it those of
    ``[signing]`` count, and only packages that run code need a signature."""
    token_file: str | None = None
    """A file of accepted bearer tokens, one a line, relative to the project."""
    jwt: JwtSettings | None = None
    tls: TlsSettings | None = None
    quota: QuotaSettings | None = None
    log: LogSettings = LogSettings()
    tracing: TracingSettings | None = None
    tests: ApplicationTests = ApplicationTests()

    @property
    def pods(self) -> PodSettings | None:
        """Of a service that runs in a cluster, whoever applies it."""
        return self.kubernetes or self.gitops


class PersonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[people.NAME]``: what a person may do beyond what everybody may."""

    reviews: tuple[Name, ...] = ()
    """Reviews that they may give. One that is given to nobody here is everybody's."""


Quantity = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi)?$")]
Host = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class InfraSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[infra]``: what ``render`` and ``image`` write for other machines."""

    base: str | None = None
    """The image that a service's is built on, best with its digest (``python:3.12-slim@sha256:...``); by default
    Python's own slim one, of the version that runs here."""
    registry: str = ""
    """Where images are kept, such as ``registry.example.org/team``."""
    domain: Host = "example.org"
    """Services are called ``PROJECT-ENVIRONMENT.DOMAIN``; the last environment's is ``PROJECT.DOMAIN``."""
    namespace: Name | None = None
    """Of Kubernetes, followed by the environment's name; by default the project's."""
    replicas: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]] = (2, 10)
    """The fewest and the most pods."""
    cpu: Quantity = "500m"
    """What a pod is given for sure; it may take more."""
    memory: Quantity = "512Mi"
    """What a pod is given, and the most that it may take."""
    upstreams: dict[Name, tuple[str, ...]] = {}
    """By environment, where its services answer for a gateway and Prometheus, as ``HOST:PORT``; by default on this
    machine."""
    retrain: str = "17 3 * * 1"
    """When a cluster builds again, as cron has it."""

    def __post_init__(self) -> None:
        if self.replicas[0] > self.replicas[1]:
            raise ValueError("'replicas' must not fall")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole tree."""

    project: ProjectSettings
    yard: YardSettings = YardSettings()
    signing: SigningSettings = SigningSettings()
    engine: EngineSettings = EngineSettings()
    lineage: LineageSettings = LineageSettings()
    data: dict[Name, DataSettings] = {}
    models: dict[Name, ModelSettings] = {}
    environments: dict[Name, EnvironmentSettings] = {}
    people: dict[str, PersonSettings] = {}
    monitor: dict[Name, MonitorSettings] = {}
    triggers: dict[Name, TriggerSettings] = {}
    infra: InfraSettings = InfraSettings()
    jobs: JobSettings = JobSettings()
    alerts: AlertSettings = AlertSettings()
    scan: ScanSettings = ScanSettings()
    console: ConsoleSettings = ConsoleSettings()
