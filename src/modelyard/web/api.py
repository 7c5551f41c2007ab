"""Models, the registry of versions, releases, windows, readiness and jobs as JSON; trainings that are asked for over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec
from starlette.responses import Response

from modelyard.actions import alerts, jobs, look
from modelyard.actions.history import history
from modelyard.actions.overview import Cell, overview
from modelyard.actions.readiness import readiness
from modelyard.actions.register import register
from modelyard.errors import Misuse
from modelyard.records.alert import Alert
from modelyard.records.job import Job, Said
from modelyard.records.readiness import Readiness
from modelyard.records.registry import Release, Version
from modelyard.records.window import ExaminedWindow
from modelyard.web.answers import Asking, Work, json

_MOST = 1000
_LONGEST = 2000
"""Characters of a filter."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A training that was asked for."""

    status: str = "ok"
    job: int
    state: str
    href: str
    """Where its state is told."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be registered."""

    package: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """A digest, or ``run`` for what the newest run sealed."""


class Printed(msgspec.Struct, frozen=True, kw_only=True):
    state: str
    pieces: list[Said]


class Way(NamedTuple):
    """One thing that can be asked."""

    method: str
    path: str
    work: Work
    summary: str
    gives: Any
    code: int = 200


def _overview(asking: Asking) -> Response:
    return json(overview(asking.project))


def _versions(asking: Asking) -> Response:
    model = asking.word("model")
    asking.project.model(model)
    where = asking.query("where") or ""
    if len(where) > _LONGEST:
        raise Misuse(f"'where' is longer than {_LONGEST} characters.")
    after = asking.count("after", 0, most=10**9)
    return json(look.versions(asking.project, model, where=where, after=after, limit=_limit(asking)))


def _version(asking: Asking) -> Response:
    return json(look.named(asking.project, f"{asking.word('model')}@{asking.word('version')}"))


def _register(asking: Asking) -> Response:
    try:
        sealed = msgspec.json.decode(asking.body, type=Sealed)
    except msgspec.MsgspecError as error:
        raise Misuse(f'A version is asked for with {{"package": "DIGEST"}}: {error}.') from None
    model = asking.word("model")
    asking.project.model(model)
    asking.project.require("developer")
    version = register(asking.project, f"{model}@{sealed.package}")
    return json(version, 201, Location=f"/models/{model}/versions/{version.number}")


def _releases(asking: Asking) -> Response:
    with asking.project.yard.read() as facts:
        return json(facts.releases.list(asking.query("environment"), asking.query("model"))[: _limit(asking)])


def _windows(asking: Asking) -> Response:
    found = history(asking.project, asking.word("environment"), (asking.word("model"),), limit=_limit(asking))
    return json(found)


def _readiness(asking: Asking) -> Response:
    return json(readiness(asking.project, asking.word("model")))


def _train(asking: Asking) -> Response:
    if asking.body.strip() not in (b"", b"{}"):
        raise Misuse("A training is asked for with an empty body: what it is made of stands in the project.")
    key = asking.request.headers.get("idempotency-key", "")
    if len(key) > 200:
        raise Misuse("Idempotency-Key is longer than 200 characters.")
    operation = f"train/{asking.project.actor}/{asking.word('model')}/{key}" if key else None
    job = jobs.ask(asking.project, "build", (asking.word("model"),), operation=operation)
    href = f"/jobs/{job.id}"
    return json(Begun(job=job.id, state=job.state, href=href), 202, Location=href)


def _jobs(asking: Asking) -> Response:
    return json(jobs.listed(asking.project, limit=_limit(asking)))


def _job(asking: Asking) -> Response:
    return json(jobs.shown(asking.project, asking.number("job")))


def _log(asking: Asking) -> Response:
    after = asking.count("after", 0, most=10**9)
    job, pieces = jobs.said(asking.project, asking.number("job"), after=after)
    return json(Printed(state=job.state, pieces=pieces))


def _cancel(asking: Asking) -> Response:
    return json(jobs.cancel(asking.project, asking.number("job")))


def _retry(asking: Asking) -> Response:
    return json(jobs.retry(asking.project, asking.number("job")))


def _alerts(asking: Asking) -> Response:
    return json(alerts.listed(asking.project, over=asking.query("over") == "1", limit=_limit(asking)))


def _limit(asking: Asking) -> int:
    return asking.count("limit", 100, most=_MOST)


WAYS = (
    Way("GET", "/models", _overview, "Every model where it may be live.", list[Cell]),
    Way(
        "GET",
        "/models/{model}/versions",
        _versions,
        "Its versions, ascending, ?after a number; of which the filter ?where is true.",
        list[look.Registered],
    ),
    Way("POST", "/models/{model}/versions", _register, "Register a tested package.", Version, 201),
    Way(
        "GET",
        "/models/{model}/versions/{version}",
        _version,
        "What a number, latest, an environment or an alias names.",
        Version,
    ),
    Way("GET", "/models/{model}/readiness", _readiness, "The ML Test Score of the live version.", Readiness),
    Way("POST", "/models/{model}/train", _train, "Build the model, when a worker is free.", Begun, 202),
    Way("GET", "/releases", _releases, "Newest first; of ?environment and ?model.", list[Release]),
    Way(
        "GET",
        "/windows/{environment}/{model}",
        _windows,
        "Examined windows, newest first.",
        list[ExaminedWindow],
    ),
    Way("GET", "/alerts", _alerts, "Open ones, newest first; with ?over=1 all.", list[Alert]),
    Way("GET", "/jobs", _jobs, "Newest first.", list[Job]),
    Way("GET", "/jobs/{job}", _job, "One job.", Job),
    Way("GET", "/jobs/{job}/log", _log, "What it printed, ?after a piece's number.", Printed),
    Way("POST", "/jobs/{job}/cancel", _cancel, "End it.", Job),
    Way("POST", "/jobs/{job}/retry", _retry, "Have it done again.", Job),
)
"""All of the API."""
