"""A package's application tests against its service, for ``check`` and ``deploy``."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from modelyard.actions.locate import materialised
from modelyard.actions.switch import TIMEOUT
from modelyard.actions.written import written
from modelyard.deployment import Door, Subject, application_tests
from modelyard.errors import CheckFailed, ModelyardError
from modelyard.loadtest import drive, figures, judge, parse
from modelyard.loadtest.drive import request
from modelyard.ports import Candidate
from modelyard.predictor import verify, vouched
from modelyard.project import Project, now
from modelyard.records.load import Figures, Load
from modelyard.records.package import Package
from modelyard.records.service import ServicePlan
from modelyard.records.tested import ApplicationReport, Golden, Outcome
from modelyard.records.trust import Trust
from modelyard.settings import ApplicationTests
from modelyard.storage.scratch import scratch
from modelyard.training import payloads

_MEGABYTES = "after the load its processes held {held:,.0f} MB"


def try_out(
    project: Project,
    package: Package,
    plan: ServicePlan,
    *,
    subject: str,
    trust: Trust,
    environment: str | None = None,
) -> ApplicationReport:
    """Serve ``plan``, which is of that package alone, as a candidate, and ask it everything that is asked there.

    The payloads are code: ``Untrusted`` when nobody whom ``trust`` holds signed the package. The report is written
    for people beside the package's others; whether it is good is for ``refuse`` to say.
    """
    folder = materialised(project, package.digest)
    manifest = verify(folder, package.digest)
    if (folder / "code" / "test_model.py").is_file():
        vouched(folder, digest=package.digest, trust=trust, needs="code/test_model.py")
    golden = msgspec.json.decode((folder / "golden.json").read_bytes(), type=Golden)
    asked = project.environment(environment).tests if environment else ApplicationTests()
    token = secrets.token_urlsafe() if plan.token_sha256 or plan.jwt else None
    if token:
        known = hashlib.sha256(token.encode()).hexdigest()
        plan = msgspec.structs.replace(plan, token_sha256=(*plan.token_sha256, known))
    loaded = bool(asked.slo or asked.memory_mb)
    load: Figures | None = None
    held: float | None = None
    with project.target.candidate(plan, timeout=TIMEOUT, workers=plan.workers if loaded else 1) as candidate:
        door = Door(candidate.url, token=token, grpc=candidate.grpc)
        about = Subject(door, manifest, package.digest, golden, payloads(folder / "code"))
        outcomes = list(application_tests(about, asked.kinds))
        if loaded:
            body = [msgspec.json.encode({"rows": [row]}) for row in golden.rows]
            promises, load, held = _loaded(project, candidate, asked, body, model=manifest.model, token=token)
            outcomes += promises
    report = ApplicationReport(
        subject=subject,
        package=package.digest,
        environment=environment,
        at=now(),
        kinds=asked.kinds if loaded else tuple(kind for kind in asked.kinds if kind != "performance"),
        outcomes=tuple(outcomes),
        load=load,
        memory_mb=held,
    )
    _write(project, report, manifest.model)
    return report


def encoded(report: ApplicationReport) -> bytes:
    """The report as it is kept."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2)


def page_of(project: Project, report: ApplicationReport, model: str) -> Path:
    """Where a person finds it."""
    where = report.environment or "check"
    return project.report_folder(model, report.package) / f"application-{where}.html"


def refuse(project: Project, report: ApplicationReport, model: str) -> None:
    """Raise ``CheckFailed`` when one failed, naming the first and counting the rest."""
    if failed := report.failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise CheckFailed(
            f"{report.subject} failed the application test '{failed[0].name}': {failed[0].sentence}{more}; "
            f"nothing was switched. All of them: {page_of(project, report, model)}."
        )


def _loaded(
    project: Project,
    candidate: Candidate,
    asked: ApplicationTests,
    bodies: list[bytes],
    *,
    model: str,
    token: str | None,
) -> tuple[list[Outcome], Figures | None, float]:
    """The promises held against a short load of golden rows, and what the service held after it."""
    url = f"{candidate.url}/models/{model}/predict"
    promised = [parse(text) for text in asked.slo]
    load = Load(
        url=url,
        model="closed" if asked.rate is None else "open",
        levels=(float(asked.users) if asked.rate is None else asked.rate,),
        seconds=asked.seconds,
        ramp=min(1.0, asked.seconds / 4),
        users=asked.users,
    )
    requests = [request(url, body, token=token) for body in bodies]
    begun = time.perf_counter()
    try:
        with scratch("load-", project.scratch) as place:
            found = drive(load, requests, processes=1, scratch=place, tell=project.tell)
    except ModelyardError as error:
        failed = Outcome(kind="performance", name="load", passed=False, sentence=str(error))
        return [failed], None, candidate.memory_mb()
    level, took, held = found.levels[-1], time.perf_counter() - begun, candidate.memory_mb()
    errors = "".join(f"; {count:,} times {cause}" for cause, count in level.errors.items())
    outcomes = [
        Outcome(
            kind="performance",
            name=f"promise {verdict.promise}",
            passed=verdict.met,
            sentence=f"{verdict.shown} at {level.rate:,.0f} answers a second{errors}",
            seconds=round(took, 4),
        )
        for verdict in judge(level, promised)
    ]
    if not level.answered:
        outcomes.append(
            Outcome(kind="performance", name="load", passed=False, sentence=f"nothing was answered{errors}")
        )
    outcomes += _memory(asked.memory_mb, held)
    return outcomes, figures(level), held


def _memory(most: float | None, held: float) -> Iterator[Outcome]:
    if most is not None:
        yield Outcome(
            kind="performance",
            name=f"memory within {most:g} MB",
            passed=0 < held <= most,
            sentence=_MEGABYTES.format(held=held),
        )


def _write(project: Project, report: ApplicationReport, model: str) -> None:
    from modelyard.render.tested import page

    path = page_of(project, report, model)
    written(path, page(report))
    written(path.with_suffix(".json"), encoded(report))
