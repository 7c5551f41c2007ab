"""A version goes live, fails to, is replaced, brought back or stopped."""

from __future__ import annotations

import datetime as dt

from msgspec.structs import replace

from modelyard.errors import Misuse, NotAdmitted, UnknownName
from modelyard.ports import Facts
from modelyard.records.registry import Release, ReleaseStatus, Trial, Version
from modelyard.registry.label import refuse_deprecated
from modelyard.registry.reason import worded
from modelyard.registry.resolve import registered

LONGEST = 2000
"""Characters kept of the reason of a failure."""
_WAS_LIVE: tuple[ReleaseStatus, ...] = ("live", "replaced", "rolled_back", "stopped")


def begin(
    facts: Facts,
    *,
    environment: str,
    model: str,
    version: int,
    by: str,
    now: dt.datetime,
    reason: str = "",
    restores: int | None = None,
    trial: Trial | None = None,
) -> Release:
    """Want the version live, or on trial beside what is: what ``succeed`` or ``fail`` then decides.

    At most one release is wanted for an environment and model: an older one that was left so
    fails. ``restores`` is the release that a rollback brings back, whatever was said of it since. Raises
    ``NotAdmitted``, ``Deprecated``.
    """
    found = registered(facts, model, version)
    if facts.admissions.get(model, version, environment) is None:
        raise NotAdmitted(
            f"{found.ref} is not admitted to {environment}; "
            f"run 'modelyard promote {found.ref} --to {environment}' first."
        )
    if restores is None:
        refuse_deprecated(facts, found)
    if trial is not None:
        _refuse_trial(facts, found, environment)
    for pending in facts.releases.list(environment, model):
        if pending.status == "wanted":
            fail(facts, pending.id, f"given up for {found.ref}", now)
    reason = worded(reason)
    release = Release(
        id=facts.releases.next_id(),
        environment=environment,
        model=model,
        version=version,
        package=found.package,
        status="wanted",
        reason=reason,
        by=by,
        started=now,
        restores=restores,
        trial=trial,
    )
    facts.releases.put(release)
    _tell(facts, release, reason=reason)
    return release


def succeed(facts: Facts, release_id: int, now: dt.datetime) -> Release:
    """The release is live; the one before is ``replaced``, or ``rolled_back`` by a rollback. A trial's is on trial, and
    what is live stays; either ends the trial before.

    A repeat is harmless. Raises ``Misuse`` for a release that failed or was replaced meanwhile.
    """
    release = _known(facts, release_id)
    if release.status in ("live", "canary", "shadow"):
        return release
    if release.status != "wanted":
        raise Misuse(
            f"Release {release_id} of {release.model}@{release.version} in {release.environment} is "
            f"{release.status} and cannot go live; deploy again."
        )
    tried = on_trial(facts, release.environment, release.model)
    if tried:
        facts.releases.put(replace(tried, status="ended", ended=now))
    if release.trial is not None:
        begun = replace(release, status=release.trial.arm, finished=now)
        facts.releases.put(begun)
        _tell(facts, begun)
        return begun
    before = facts.releases.live(release.environment, release.model)
    if before:
        brought_back = release.restores is not None and before.version != release.version
        left: ReleaseStatus = "rolled_back" if brought_back else "replaced"
        facts.releases.put(replace(before, status=left, ended=now))
    live = replace(release, status="live", finished=now)
    facts.releases.put(live)
    _tell(facts, live, before=before.version if before else 0)
    return live


def fail(facts: Facts, release_id: int, reason: str, now: dt.datetime) -> Release:
    """The release did not go live; what was live stays. A repeat keeps the first reason."""
    release = _known(facts, release_id)
    if release.status == "failed":
        return release
    if release.status != "wanted":
        raise Misuse(f"Release {release_id} went live ({release.status}) and cannot fail; roll it back.")
    # The reason is often another program's words: whatever they are, the failure goes on record.
    reason = reason.encode(errors="replace").decode()[:LONGEST]
    failed = replace(release, status="failed", reason=reason, finished=now)
    facts.releases.put(failed)
    _tell(facts, failed, reason=reason)
    return failed


def on_trial(facts: Facts, environment: str, model: str) -> Release | None:
    """The model's canary or shadow in the environment."""
    releases = facts.releases.list(environment, model)
    return next((r for r in releases if r.status in ("canary", "shadow")), None)


def _refuse_trial(facts: Facts, version: Version, environment: str) -> None:
    live = facts.releases.live(environment, version.model)
    if live is None:
        raise Misuse(
            f"Nothing of {version.model} is live in {environment}, so there is nothing to try {version.ref} beside; "
            "deploy it without --canary or --shadow."
        )
    if live.version == version.number:
        raise Misuse(f"{version.ref} is live in {environment} already: a trial is of another version.")


def rollback_target(facts: Facts, environment: str, model: str) -> Release | None:
    """The release to bring back; None when there is nothing before.

    It is the one that the current release took over from. After a rollback, current stands where
    the restored release stood, so a second rollback walks further back and never returns to what
    was just left; a deploy begins the walk anew. Releases of the current version are passed over.
    """
    history = [r for r in reversed(facts.releases.list(environment, model)) if r.status in _WAS_LIVE]
    if not history:
        return None
    place = {release.id: at for at, release in enumerate(history)}
    at = len(history) - 1
    while True:
        while (restored := history[at].restores) is not None:
            at = place[restored]
        at -= 1
        if at < 0:
            return None
        if history[at].version != history[-1].version:
            return history[at]


def stop(facts: Facts, *, environment: str, model: str, by: str, now: dt.datetime) -> Release | None:
    """Nothing of the model is live in the environment; what was, or None when nothing was."""
    release = facts.releases.live(environment, model)
    if release is None:
        return None
    if tried := on_trial(facts, environment, model):
        facts.releases.put(replace(tried, status="ended", ended=now))
    stopped = replace(release, status="stopped", ended=now)
    facts.releases.put(stopped)
    _tell(facts, stopped, by=by, at=now.isoformat())
    return stopped


def _known(facts: Facts, release_id: int) -> Release:
    release = facts.releases.get(release_id)
    if release is None:
        raise UnknownName(f"There is no release {release_id}; see 'modelyard releases'.")
    return release


def _tell(facts: Facts, release: Release, **more: str | int) -> None:
    facts.events.append(
        f"release.{release.status}",
        f"{release.model}@{release.version}",
        environment=release.environment,
        release=release.id,
        **more,
    )
