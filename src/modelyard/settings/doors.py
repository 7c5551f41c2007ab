"""How a service is entered, and what it tells of its requests."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Address = Annotated[str, Meta(min_length=1, max_length=2048)]


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.tls]``: the service speaks TLS 1.2 or newer. PEM files, relative to the project."""

    certificate: str
    """The service's certificate, followed by those that vouch for it. A renewed file is taken without a restart."""
    key: str
    """Its private key, without a passphrase."""
    clients: str | None = None
    """Authorities of clients' certificates: whoever shows none of theirs is not let in (mutual TLS)."""


class JwtSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.jwt]``: bearer tokens that an identity provider signs are accepted (extra ``jwt``)."""

    keys: Address
    """Its JWKS: a file, relative to the project, or an ``https://`` address. Looked at again for keys that changed."""
    issuer: Address
    """What ``iss`` must be."""
    audience: Address
    """What must be among ``aud``."""
    scope: str | None = None
    """What must be among the words of ``scope`` (or ``scp``)."""


class QuotaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME] quota = { ... }``: how many predictions one token may ask for, over all workers."""

    requests: Annotated[int, Meta(ge=1)]
    per: Literal["hour", "day", "month"] = "day"
    """Of the calendar, in UTC; beyond it 429 until the next begins."""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.log]``: what the service tells of itself, on standard error and in ``service.log``."""

    form: Literal["text", "ecs"] = "text"
    """``ecs``: one JSON object a line, with the Elastic Common Schema's fields."""
    requests: Literal["none", "failed", "all"] = "none"
    """Of which requests a line is written: their path, status, duration and trace; never what they hold."""


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[environments.NAME.tracing]``: an OpenTelemetry span of each request (extra ``tracing``)."""

    endpoint: Annotated[str, Meta(pattern=r"^https?://[^\s]+$", max_length=2048)]
    """Where they are sent by OTLP over HTTP, such as ``http://127.0.0.1:4318/v1/traces``."""
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Of the requests that belong to no trace yet; for the others their trace says whether they are recorded."""


class OwnSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[models.NAME.service]``: how a model answers that serves in its native form. A compiled one needs none of it."""

    process: Literal["auto", "own", "shared"] = "auto"
    """``own``: in a process beside each worker, so that it holds up no other model; ``shared``: in the worker; ``auto``: own
    where several models are served together, or where anything below is set, or ``isolation`` is ``venv``."""
    timeout: Annotated[str, Meta(pattern=r"^[1-9][0-9]*[sm]$")] | None = None
    """What one answer (of all requests that it is asked at once) may take, 15 seconds by default; then the process is ended,
    those who waited get 503, and another begins."""
    memory_gb: Annotated[float, Meta(gt=0)] | None = None
    """The most memory that answering may take beyond what the loaded model has."""
    processors: Annotated[int, Meta(ge=1, le=256)] | None = None
    """Threads that its libraries may compute with, 1 by default."""
