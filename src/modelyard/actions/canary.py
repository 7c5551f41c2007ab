"""A version on trial beside the live one: begun, looked at, ended; steps of a retraining."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from modelyard import registry
from modelyard.actions.deploy import deploy
from modelyard.actions.doors import directly
from modelyard.actions.rollback import rollback
from modelyard.actions.switch import address
from modelyard.errors import Misuse, ServiceDown
from modelyard.ports import Facts
from modelyard.project import Project, now
from modelyard.records.canary import Arm, Begun, CanaryReport
from modelyard.records.registry import Release, Trial

if TYPE_CHECKING:
    from modelyard.gates import Counts

_TIMEOUT = 10
_SAMPLES = {"model_infer_request_success_total": 0, "model_infer_request_failure_total": 1}


def begin(
    project: Project, environment: str, ref: str, share: float, *, reason: str, operation: str
) -> Begun:
    """Try the version on a share of the requests, and remember what the service had counted until then.

    Raises ``Misuse`` for an environment whose service only its own server can ask.
    """
    with project.yard.read() as facts:
        if done := facts.done(f"{operation}/begun", Begun):
            return done
    settings = project.environment(environment)
    if settings.pods:
        raise Misuse(
            f"A canary of {ref} in {environment} could not be judged from here: each pod counts for itself. Take 'canary' "
            f"out of the model's triggers, or try it by hand with 'modelyard deploy {environment} {ref} --canary'."
        )
    if settings.target != "local" and settings.host in ("127.0.0.1", "localhost", "::1"):
        raise Misuse(
            f"A canary of {ref} in {environment} could not be judged from here: its service answers on the loopback of its "
            f"own server. Give environments.{environment}.host an address that this machine reaches, or take 'canary' out of "
            "the model's triggers."
        )
    tried = deploy(
        project,
        environment,
        ref,
        trial=Trial(arm="canary", share=share),
        reason=reason,
        operation=operation,
    ).release
    with project.yard.read() as facts:
        live = facts.releases.live(environment, tried.model)
        of = facts.versions.get(tried.model, live.version) if live else None
    assert live is not None, "a trial is beside what is live"
    counted = _counters(project, environment, tried.model) or {}
    begun = Begun(
        release=tried.id,
        version=tried.version,
        champion=live.version,
        share=share,
        since=now(),
        rival=counted.get(tried.version, Arm()),
        live=counted.get(live.version, Arm()),
        tolerance=of.metrics.get("rmse") if of else None,
    )
    return project.yard.once(f"{operation}/begun", project.actor, lambda _: begun, Begun)


def failed(project: Project, operation: str) -> str:
    """Why an earlier call of ``begin`` failed; empty where none did."""
    with project.yard.read() as facts:
        done = facts.done(operation, Release)
        release = facts.releases.get(done.id) if done else None
    return release.reason if release is not None and release.status == "failed" else ""


def look(project: Project, environment: str, model: str, begun: Begun) -> CanaryReport:
    """What has been seen since the step began. Raises ``ServiceDown`` when the service does not answer."""
    from modelyard.gates import Counts, canary

    settings = project.trigger(model).canary
    requests = _asked(project, environment, model, begun)
    outcomes = None
    if settings.judge != "requests":
        arms = _outcomes(project, environment, model, begun, anyway=settings.judge == "outcomes")
        outcomes = Counts(*arms) if arms else None
    return canary(settings, begun, requests, outcomes, environment=environment, model=model, now=now())


def _outcomes(
    project: Project, environment: str, model: str, begun: Begun, *, anyway: bool
) -> tuple[Arm, Arm] | None:
    """Of answers since the step began what turned out wrong, of each request the first row. None where nothing was ever told of the
    model there, unless ``anyway``."""
    from modelyard import monitoring

    folders = project.tables, project.log_folder(environment)
    if not anyway and not monitoring.told(*folders, environment=environment, model=model).height:
        return None
    rows = monitoring.window(*folders, environment=environment, model=model, start=begun.since, end=now())
    if rows.is_empty():
        return Arm(), Arm()
    rows = monitoring.with_truth(rows, *folders, environment=environment, model=model)
    found = monitoring.wrong(rows, begun.tolerance)
    return found.get(begun.version, Arm()), found.get(begun.champion, Arm())


def judged(project: Project, report: CanaryReport, *, operation: str) -> CanaryReport:
    """Put a verdict on record; a repeat is the first one."""

    def append(facts: Facts) -> CanaryReport:
        registry.tried(facts, report)
        return report

    return project.yard.once(f"{operation}/judged", project.actor, append, CanaryReport)


def verdict(project: Project, operation: str) -> CanaryReport | None:
    """What ``judged`` put on record."""
    with project.yard.read() as facts:
        return facts.done(f"{operation}/judged", CanaryReport)


def on_trial(project: Project, environment: str, begun: Begun, model: str) -> Release | None:
    """The release of that step, while it is on trial."""
    with project.yard.read() as facts:
        tried = registry.on_trial(facts, environment, model)
    return tried if tried and tried.id == begun.release else None


def end(project: Project, environment: str, model: str, begun: Begun, *, reason: str, operation: str) -> None:
    """Only what is live answers again; nothing happens when the trial was ended already."""
    if on_trial(project, environment, begun, model):
        rollback(project, environment, model, reason=reason, operation=f"{operation}/rollback")


def _since(before: Arm, counted: Arm) -> Arm:
    """A service that was started again counts from nothing."""
    if counted.judged < before.judged or counted.errors < before.errors:
        return counted
    return Arm(judged=counted.judged - before.judged, errors=counted.errors - before.errors)


def _asked(project: Project, environment: str, model: str, begun: Begun) -> Counts:
    """Requests of both arms since the step began. Where the service lets this project's token not read its counters, those
    that the log holds: answered ones, of which none failed."""
    from modelyard import monitoring
    from modelyard.gates import Counts

    counted = _counters(project, environment, model)
    if counted is not None:
        return Counts(
            _since(begun.rival, counted.get(begun.version, Arm())),
            _since(begun.live, counted.get(begun.champion, Arm())),
        )
    rows = monitoring.window(
        project.tables,
        project.log_folder(environment),
        environment=environment,
        model=model,
        start=begun.since,
        end=now(),
    )
    first = rows.filter(rows["row"] == 0)["version"]
    return Counts(*(Arm(judged=int((first == n).sum())) for n in (begun.version, begun.champion)))


def _counters(project: Project, environment: str, model: str) -> dict[int, Arm] | None:
    """What the environment's service has counted of each version; None where it lets nobody with this project's token look.
    Raises ``ServiceDown`` when it does not answer."""
    from prometheus_client.parser import text_string_to_metric_families

    url = f"{address(project, environment)}/metrics"
    token = next(iter(project.tokens(environment)), None)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    asked = urllib.request.Request(url, headers=headers)
    try:
        with directly(_trusting(project, environment)).open(asked, timeout=_TIMEOUT) as answer:
            text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403):
            return None
        tls, reason = project.environment(environment).tls, getattr(error, "reason", error)
        if tls and tls.clients and not isinstance(reason, ConnectionRefusedError):
            return None  # it asks for a certificate, which this project has none of
        raise ServiceDown(
            f"{url} does not answer ({reason}), so the canary of {model} cannot be judged; "
            f"run 'modelyard deploy {environment} {model}' or 'modelyard rollback {environment} {model}'."
        ) from None
    found: dict[int, list[int]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            at = _SAMPLES.get(sample.name)
            if at is not None and sample.labels.get("model") == model:
                found.setdefault(int(sample.labels["version"]), [0, 0])[at] += int(sample.value)
    return {version: Arm(judged=ok + bad, errors=bad) for version, (ok, bad) in found.items()}


def _trusting(project: Project, environment: str) -> ssl.SSLContext | None:
    """The service's own certificate is trusted for itself, whatever name it is for; None without TLS."""
    tls = project.environment(environment).tls
    if tls is None:
        return None
    context = ssl.create_default_context(cafile=str(project.root / tls.certificate))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
