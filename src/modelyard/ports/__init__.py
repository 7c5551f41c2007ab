"""The seams (floor 0): small Protocols with their promises.

Each has a conformance kit in ``modelyard.testing`` that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from modelyard.ports.control import Alerts, Jobs, Notices, Schedules, Windows
from modelyard.ports.pipelines import Pipelines as Pipelines
from modelyard.ports.sink import Answered as Answered
from modelyard.ports.sink import PredictionSink as PredictionSink
from modelyard.ports.sink import Rows as Rows
from modelyard.records.access import Token
from modelyard.records.dataset import DatasetVersion
from modelyard.records.event import Event, Wanted
from modelyard.records.package import Package
from modelyard.records.registry import Admission, Alias, Marks, Release, Review, Version
from modelyard.records.run import Run
from modelyard.records.service import ServicePlan, ServiceState
from modelyard.records.step import StepRecord

T = TypeVar("T")
Condition = Callable[[Any], tuple[Any, Any]]
"""Asked with values as ``tables.expressions.Values`` has them, it says where it is true and where it is false."""


class ArtifactStore(Protocol):
    """Immutable content under its sha256. Safe under threads and processes; puts are idempotent.

    Every read checks the digest: content that does not match raises ``Tampered`` naming it. What
    ``put`` acknowledged survives ``kill -9`` and power loss. Raises ``StoreDown`` when the medium
    fails (full, unreachable, no permission).
    """

    def put(self, content: bytes) -> str:
        """Store and return the digest."""
        ...

    def put_file(self, path: Path) -> str:
        """Store a file's content without holding it in memory."""
        ...

    def get(self, digest: str) -> bytes:
        """The content; ``UnknownName`` when absent, ``Tampered`` when it does not match."""
        ...

    def fetch(self, digest: str, path: Path) -> None:
        """Write the content to ``path`` (replaced atomically), checked on the way."""
        ...

    def has(self, digest: str) -> bool: ...

    def digests(self) -> Iterator[str]:
        """All that is stored, in no order."""
        ...

    def delete(self, digest: str) -> None:
        """Remove; no error when absent. Only ``gc`` calls it."""
        ...


class Datasets(Protocol):
    """Dataset versions. Names share one namespace with models."""

    def next_number(self, dataset: str) -> int:
        """Reserve the next number; never reused, even when the version is deleted."""
        ...

    def add(self, version: DatasetVersion) -> None: ...
    def get(self, dataset: str, number: int) -> DatasetVersion | None: ...
    def latest(self, dataset: str) -> DatasetVersion | None: ...
    def by_digest(self, dataset: str, digest: str) -> DatasetVersion | None: ...
    def list(self, dataset: str | None = None) -> list[DatasetVersion]: ...


class Runs(Protocol):
    """Trainings; ``put`` inserts or replaces by id."""

    def put(self, run: Run) -> None: ...
    def get(self, run_id: str) -> Run | None: ...
    def latest(self, model: str) -> Run | None:
        """The newest finished run."""
        ...

    def list(self, model: str | None = None) -> list[Run]:
        """Newest first."""
        ...


class Packages(Protocol):
    """Sealed packages by digest; ``put`` inserts or replaces (a report is attached later)."""

    def put(self, package: Package) -> None: ...
    def get(self, digest: str) -> Package | None: ...
    def list(self, model: str | None = None) -> list[Package]: ...


class Versions(Protocol):
    def next_number(self, model: str) -> int:
        """Reserve the next number; never reused."""
        ...

    def add(self, version: Version) -> None: ...
    def get(self, model: str, number: int) -> Version | None: ...
    def latest(self, model: str) -> Version | None: ...
    def by_package(self, model: str, digest: str) -> Version | None: ...
    def live(self, model: str, environment: str) -> Version | None:
        """The one whose release is live there."""
        ...

    def aliased(self, model: str, name: str) -> Version | None: ...
    def search(self, condition: Condition, model: str | None = None) -> list[Version]:
        """Those of which the condition is true, by model and number, ascending.

        Its columns, null where a version has none of it: ``version`` (a number), ``registered`` (a time), ``by``,
        ``dataset``, ``run``, ``note`` and ``tags.NAME`` (texts), ``metrics.NAME`` (numbers); and, never null,
        ``deprecated``, ``aliases.NAME``, ``admitted.ENVIRONMENT`` and ``live.ENVIRONMENT`` (booleans).
        """
        ...

    def known(self, group: Literal["metrics", "tags", "aliases"], model: str | None = None) -> list[str]:
        """Names that some version has there, sorted."""
        ...

    def list(self, model: str | None = None) -> list[Version]:
        """By model and number, ascending."""
        ...


class Labels(Protocol):
    """What people say of versions and may change."""

    def put(self, marks: Marks) -> None:
        """Insert, or replace those of that version."""
        ...

    def get(self, model: str, version: int) -> Marks:
        """Empty where nobody said anything."""
        ...

    def list(self, model: str | None = None) -> list[Marks]:
        """Of versions of which anything is said, by model and number."""
        ...


class Aliases(Protocol):
    def put(self, alias: Alias) -> None:
        """Give the name to a version; it is taken from the one that had it."""
        ...

    def remove(self, model: str, name: str) -> None:
        """No error when it is not there."""
        ...

    def get(self, model: str, name: str) -> Alias | None: ...
    def list(self, model: str | None = None) -> list[Alias]:
        """By model and name."""
        ...


class Admissions(Protocol):
    def add(self, admission: Admission) -> None: ...
    def get(self, model: str, version: int, environment: str) -> Admission | None: ...
    def list(self, environment: str, model: str) -> list[Admission]:
        """By version, ascending."""
        ...


class Reviews(Protocol):
    def add(self, review: Review) -> None: ...
    def list(self, model: str, version: int) -> list[Review]:
        """In the order given; for each subject the last counts."""
        ...


class Releases(Protocol):
    """At most one release per (environment, model) is ``live``."""

    def next_id(self) -> int: ...
    def put(self, release: Release) -> None:
        """Insert, or replace by id."""
        ...

    def get(self, release_id: int) -> Release | None: ...
    def live(self, environment: str, model: str) -> Release | None: ...
    def list(self, environment: str | None = None, model: str | None = None) -> list[Release]:
        """Newest first."""
        ...


class Events(Protocol):
    """The audit chain."""

    def append(self, action: str, object: str, **payload: str | int) -> None:
        """Add a link in this transaction, by the transaction's actor."""
        ...

    def newest(self) -> Event | None: ...
    def list(
        self,
        *,
        after: int = 0,
        limit: int | None = None,
        wanted: Wanted | None = None,
        last: int | None = None,
    ) -> list[Event]:
        """Ascending by ``seq``, those that are ``wanted``; of these with ``last`` only so many at the end."""
        ...


class Steps(Protocol):
    """Build steps that are done, by their identity; ``put`` inserts or replaces."""

    def put(self, record: StepRecord) -> None: ...
    def get(self, identity: str) -> StepRecord | None: ...
    def latest(self, step: str) -> StepRecord | None:
        """Of all identities of one step the record made last."""
        ...


class Tokens(Protocol):
    """What proves who somebody is; ``put`` inserts or replaces by id."""

    def put(self, token: Token) -> None: ...
    def get(self, token_id: str) -> Token | None: ...
    def by_sha256(self, sha256: str) -> Token | None: ...
    def asked(self) -> bool:
        """Whether any of them ``guards``."""
        ...

    def list(self) -> list[Token]:
        """By id."""
        ...


class Facts(Protocol):
    """One transaction's view of the yard; not to be used after it ends, nor by another thread."""

    @property
    def datasets(self) -> Datasets: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def packages(self) -> Packages: ...
    @property
    def versions(self) -> Versions: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def aliases(self) -> Aliases: ...
    @property
    def admissions(self) -> Admissions: ...
    @property
    def reviews(self) -> Reviews: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def events(self) -> Events: ...
    @property
    def steps(self) -> Steps: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def windows(self) -> Windows: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def notices(self) -> Notices: ...
    def done(self, operation: str, result: type[T]) -> T | None:
        """What ``Yard.once`` stored for that operation; None when it was never done."""
        ...


class Yard(Protocol):
    """Where facts live. Safe under threads and processes. Raises ``DatabaseDown``."""

    def read(self) -> AbstractContextManager[Facts]:
        """A consistent snapshot; writes through it fail."""
        ...

    def once(self, operation: str, actor: str, work: Callable[[Facts], T], result: type[T]) -> T:
        """Do ``work`` in one write transaction, at most once per ``operation``.

        The result is stored with the transaction; a repeat of the same operation returns it and
        does nothing. ``work`` does no I/O beside the facts; when it raises, nothing has happened.
        ``result`` is a type that msgspec encodes.
        """
        ...

    def mark(self, actor: str, work: Callable[[Facts], T]) -> T:
        """Do ``work`` in one write transaction that is no operation and appends no event: leases, heartbeats, clocks.

        Nothing but its facts is stored. When it raises ``DatabaseDown`` it may have happened all the same.
        """
        ...


class Candidate(Protocol):
    """A service that is tested before it takes traffic."""

    @property
    def url(self) -> str:
        """As this machine asks it."""
        ...

    @property
    def grpc(self) -> str | None:
        """Host and port, where it speaks gRPC."""
        ...

    def memory_mb(self) -> float:
        """What its processes hold; what they share is counted once."""
        ...


class Target(Protocol):
    """Where an environment's services run.

    Canary, shadow and rollback are plans like any other: the models of a plan say who answers what.
    """

    def apply(self, plan: ServicePlan, *, timeout: float) -> ServiceState:
        """Make the service answer for ``plan``; return when it does.

        Without a service it starts one. On failure the plan before keeps answering and
        ``ServiceDown`` says why. A repeat of the same plan is harmless.
        """
        ...

    def state(self, environment: str) -> ServiceState | None:
        """What answers now; None when nothing runs."""
        ...

    def plan(self, environment: str) -> ServicePlan | None:
        """The plan that was applied last; None when there was none."""
        ...

    def stop(self, environment: str) -> None:
        """Drain and end the service; no error when nothing runs."""
        ...

    def logs(self, environment: str, *, lines: int = 100) -> str:
        """The last lines of what the service's processes printed; empty when nothing ever ran."""
        ...

    def drift(self, environment: str) -> tuple[str, ...]:
        """What stands otherwise than it was applied last, a sentence each; empty where only ``apply`` changes anything."""
        ...

    def candidate(
        self, plan: ServicePlan, *, timeout: float = 20.0, workers: int = 1
    ) -> AbstractContextManager[Candidate]:
        """A service for ``plan`` where the environment's runs, on free ports of loopback; ended on leaving.

        It speaks gRPC when the plan does, and asks for the plan's tokens; but without TLS and an identity provider, and
        its rate is not limited. Nothing is logged, and nothing of the environment's service is touched. It ends with this
        process too, should that be killed.
        """
        ...


class Forge(Protocol):
    """Where a pipeline of a pull request runs. What fails raises ``ForgeDown``; what the token may not do,
    ``ForgeDenied``."""

    name: str
    token: str
    """The variable that holds the token."""
    longest: int
    """Characters that a comment may have."""
    summary: str
    """A file that the pipeline's page shows; empty where there is none."""
    request: str
    """The pull request's number; empty when the pipeline is of none."""
    commit: str
    """What was pushed, which the state is of."""
    page: str
    """The pipeline's address."""

    def comment(self, text: str, mark: str) -> None:
        """One comment: that which holds the mark is replaced, else a new one is made."""
        ...

    def state(self, passed: bool, sentence: str) -> None:
        """The commit's state, called ``modelyard``."""
        ...

    def picture(self, name: str, content: bytes) -> str | None:
        """Keep a PNG where a comment can show it and return its address; None where there is no such place."""
        ...
