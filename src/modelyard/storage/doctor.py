"""What is wrong with a yard, and what to do about it."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from modelyard.errors import AuditBroken, DatabaseDown, ModelyardError
from modelyard.ports import ArtifactStore, Facts, Yard
from modelyard.records.package import Manifest
from modelyard.records.registry import Release
from modelyard.storage.database import SqlYard
from modelyard.storage.events import verify

STUCK = dt.timedelta(minutes=10)
"""A release wanted for longer was begun by a process that is gone."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    where: str
    sentence: str
    fix: str
    waste: bool = False
    """It only takes room: nothing is wrong because of it."""


def examine(yard: Yard, artifacts: ArtifactStore, *, now: dt.datetime | None = None) -> list[Problem]:
    """Every problem found; empty is health. Reads all artifacts that the facts refer to."""
    try:
        return list(_examined(yard, artifacts, now or dt.datetime.now(dt.UTC)))
    except DatabaseDown as error:
        return [Problem(where="database", sentence=str(error), fix="restore the database from a copy")]


def _examined(yard: Yard, artifacts: ArtifactStore, now: dt.datetime) -> Iterator[Problem]:
    if isinstance(yard, SqlYard):
        for line in yard.database.integrity():
            yield Problem(
                where="database",
                sentence=f"The database is not whole: {line.rstrip('.')}.",
                fix="restore the database from a copy",
            )
    try:
        verify(yard)
    except AuditBroken as error:
        fix = "Find out who could write to it."
        yield Problem(where="audit", sentence=str(error), fix=fix)
    with yard.read() as facts:
        wanted = dict(_wanted(facts))
        releases = facts.releases.list()
        strays = [r for r in releases if r.status == "live" and not _admitted(facts, r)]
    yield from _content(wanted, artifacts)
    for release in strays:
        ref = f"{release.model}@{release.version}"
        yield Problem(
            where=f"{release.environment}/{release.model}",
            sentence=f"{ref} is live in {release.environment}, which never admitted it.",
            fix=f"run 'modelyard rollback {release.environment} {release.model}'",
        )
    for release in releases:
        if release.status == "wanted" and now - release.started > STUCK:
            yield _stuck(release)


def _admitted(facts: Facts, release: Release) -> bool:
    return facts.admissions.get(release.model, release.version, release.environment) is not None


def _stuck(release: Release) -> Problem:
    ref = f"{release.model}@{release.version}"
    return Problem(
        where=f"{release.environment}/{release.model}",
        sentence=f"Release {release.id} of {ref} was begun at {release.started:%Y-%m-%d %H:%M} and neither "
        "went live nor failed.",
        fix=f"run 'modelyard deploy {release.environment} {ref}' to complete it",
    )


def _wanted(facts: Facts) -> Iterator[tuple[str, str]]:
    """Digests that must be there, and what each is."""
    for dataset in facts.datasets.list():
        yield dataset.profile, f"the profile of {dataset.ref}"
    for package in facts.packages.list():
        if package.report:
            yield package.report, f"the report on the package {package.digest[:12]} of {package.model}"
        yield package.digest, f"the manifest of the package {package.digest[:12]} of {package.model}"
    for version in facts.versions.list():
        yield version.report, f"the report on {version.ref}"
        yield version.package, f"the manifest of {version.ref}"


def _content(wanted: dict[str, str], artifacts: ArtifactStore) -> Iterator[Problem]:
    fetched: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
        place = Path(folder) / "content"
        for digest, what in wanted.items():
            yield from _checked(digest, what, artifacts, place)
            if not what.startswith("the manifest") or not place.exists():
                continue
            for file in _files(place):
                if file[0] not in fetched | wanted.keys():
                    fetched.add(file[0])
                    named = what.replace("the manifest", f"the file {file[1]}", 1)
                    yield from _checked(file[0], named, artifacts, place)


def _checked(digest: str, what: str, artifacts: ArtifactStore, place: Path) -> Iterator[Problem]:
    place.unlink(missing_ok=True)
    try:
        artifacts.fetch(digest, place)
    except ModelyardError as error:
        sentence = f"{what[:1].upper()}{what[1:]} cannot be read: {error}"
        yield Problem(
            where=f"artifact {digest[:12]}", sentence=sentence, fix="restore it from a copy, or build again"
        )


def _files(manifest: Path) -> list[tuple[str, str]]:
    try:
        found = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
    except msgspec.MsgspecError:
        return []
    return [(file.sha256, file.path) for file in found.files]
