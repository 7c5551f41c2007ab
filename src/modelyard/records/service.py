"""What an environment's service should be answering for, as a file that any supervisor can read."""

from __future__ import annotations

from typing import Literal

import msgspec

from modelyard.records.trust import Trust

Arm = Literal["champion", "canary", "shadow"]
"""What answers; takes a share of the requests; is asked as well and answered to nobody."""

JOURNAL = "service.log"
"""The file in a service's folder that takes what its processes print."""


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """A native model runs in a process of its own, beside each worker's."""

    seconds: float = 15.0
    """For one turn; then the process is ended, and another begun."""
    memory: int | None = None
    """Bytes that answering may take beyond what the loaded model has."""
    threads: int = 1
    python: str | None = None
    """The interpreter, with the model's own libraries; by default the service's."""
    path: str | None = None
    """Where that one finds Modelyard."""


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model in a service."""

    model: str
    version: int
    """0 for a package that is not registered."""
    model_id: str
    """``screening/prod/7``: model, environment, version; recorded with each prediction."""
    package: str
    """Digest."""
    folder: str
    """Absolute path of the materialised package; its signatures stand beside it."""
    trust: Trust = Trust()
    """Whose signatures let code of it run."""
    arm: Arm = "champion"
    """A model has one champion, and at most one of the others beside it."""
    share: float = 1.0
    """Of the requests, or of the clients, that a canary answers."""
    sticky: str | None = None
    """The header that says whose request it is."""
    own: Own | None = None
    """Where a native model runs; a compiled one answers in the worker."""


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute paths of PEM files."""

    certificate: str
    key: str
    clients: str | None = None


class Jwt(msgspec.Struct, frozen=True, kw_only=True):
    """Whose signed tokens are accepted; ``keys`` is an absolute path or an address."""

    keys: str
    issuer: str
    audience: str
    scope: str | None = None


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one token in a period of the calendar, counted in the file at ``path``."""

    requests: int
    per: Literal["hour", "day", "month"]
    path: str


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What a service tells of its requests, and in which form."""

    form: Literal["text", "ecs"] = "text"
    requests: Literal["none", "failed", "all"] = "none"
    traces: str | None = None
    """Where spans are sent."""
    share: float = 1.0


class ServicePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted state of one environment's service; written atomically, the supervisor converges.

    ``generation`` grows with each plan. ``token_sha256`` lists accepted bearer tokens' digests;
    empty means open, which is refused on a host that is not loopback.
    """

    environment: str
    generation: int
    host: str = "127.0.0.1"
    port: int
    workers: int = 1
    models: tuple[ServedModel, ...] = ()
    token_sha256: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    """Sites whose pages may ask from a browser and read the answers."""
    rate_limit: float | None = None
    """Requests a second of one token, or of all together where no token is asked, over all workers."""
    grpc_port: int | None = None
    """Where the Open Inference Protocol is spoken over gRPC, on the same host."""
    tls: Tls | None = None
    jwt: Jwt | None = None
    quota: Quota | None = None
    telling: Telling = Telling()
    log: str | None = None
    """Absolute folder of the prediction log's segments; None logs nothing."""

    @property
    def place(self) -> tuple[object, ...]:
        """What a service cannot change while it runs: host, ports, workers, and who is let in to speak at all."""
        return (
            self.host,
            self.port,
            self.grpc_port,
            self.workers,
            self.tls and (self.tls.clients or "anybody"),
        )

    @property
    def guarded(self) -> bool:
        """Whether who asks must say who they are."""
        return bool(self.token_sha256 or self.jwt or (self.tls and self.tls.clients))


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor reports beside the plan, written atomically after each change."""

    pid: int
    generation: int
    """The plan that all workers answer for."""
    workers: tuple[int, ...]
    """Their pids."""
    models: tuple[str, ...]
    """``model_id`` of each model that answers."""
    error: str | None = None
    """Why the newest plan could not be carried out; the plan before it keeps serving."""
    failed_generation: int | None = None
