"""A verb told to others as it begins and ends, in OpenLineage's form, where the settings ask for it.

A noun that ``ingest``, ``train``, ``evaluate`` and ``deploy`` share. Nothing of it fails or holds up the verb.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

import modelyard
from modelyard.errors import ModelyardError
from modelyard.lineage import Happened, Moment, Outbox, of_data, of_package, of_service, of_source, run_event
from modelyard.project import Project, now
from modelyard.records.dataset import DatasetVersion, SourceFile
from modelyard.records.profile import Profile
from modelyard.records.registry import Release


class Announcement:
    """What the verb tells of as it learns it."""

    def __init__(self, project: Project, happened: Happened | None) -> None:
        self._project, self._happened = project, happened

    def sources(self, files: Sequence[SourceFile]) -> None:
        """It read these."""
        self._add("inputs", lambda _: [of_source(file, self._project.root) for file in files])

    def data(self, version: DatasetVersion, *, made: bool = False) -> None:
        """It read this version of a dataset, or ``made`` it."""
        self._add("outputs" if made else "inputs", lambda space: [self._data(version, space, made=made)])

    def package(self, digest: str, *, made: bool = False) -> None:
        """It read this package, or ``made`` it."""
        self._add("outputs" if made else "inputs", lambda space: [self._package(digest, space, made=made)])

    def service(self, environment: str, model: str, version: int) -> None:
        """It made this answer there."""
        self._add("outputs", lambda space: [of_service(environment, model, version, namespace=space)])

    def _add(self, where: str, make: Callable[[str], list[dict[str, Any]]]) -> None:
        if self._happened is None:
            return
        with contextlib.suppress(
            ModelyardError
        ):  # a record that cannot be read is the verb's to say, not ours
            getattr(self._happened, where).extend(make(self._happened.namespace))

    def _data(self, version: DatasetVersion, space: str, *, made: bool) -> dict[str, Any]:
        from modelyard.data import describe

        profile = msgspec.json.decode(self._project.artifacts.get(version.profile), type=Profile)
        return of_data(version, describe(version, profile), namespace=space, made=made)

    def _package(self, digest: str, space: str, *, made: bool) -> dict[str, Any]:
        from modelyard.predictor.verify import decode

        manifest = decode(self._project.artifacts.get(digest), f"The manifest of package {digest[:12]}")
        return of_package(manifest, digest, namespace=space, made=made)


@contextlib.contextmanager
def announced(
    project: Project,
    verb: str,
    subject: str,
    *,
    run: str = "",
    commit: str | None = None,
    parameters: Mapping[str, object] | None = None,
    data: DatasetVersion | None = None,
    package: str = "",
) -> Iterator[Announcement]:
    """START before, COMPLETE after, FAIL or ABORT when it raises; nothing without ``lineage.openlineage``.

    ``run`` is the verb's id in the yard, where it has one; ``data`` and ``package`` are what it reads.
    """
    if project.settings.lineage.openlineage is None:
        yield Announcement(project, None)
        return
    box = outbox(project)
    happened = Happened(
        verb,
        subject,
        namespace=project.settings.lineage.namespace or f"modelyard://{project.settings.project.name}",
        modelyard=modelyard.__version__,
        id=run,
        parameters=parameters or {},
        code=_code(project, commit),
    )
    told = Announcement(project, happened)
    if data is not None:
        told.data(data)
    if package:
        told.package(package)
    box.send(run_event(happened, "START", at=now()))
    try:
        yield told
    except BaseException as error:
        moment: Moment = "FAIL" if isinstance(error, Exception) else "ABORT"
        box.send(run_event(happened, moment, at=now(), error=str(error) or type(error).__name__))
        raise
    box.send(run_event(happened, "COMPLETE", at=now()))


def known(release: Release) -> str:
    """What names a release among those of all yards."""
    return f"{release.id}/{release.started.isoformat()}"


def outbox(project: Project) -> Outbox:
    """Where the settings want events to go."""
    settings = project.settings.lineage
    to = settings.openlineage or ""
    token = ""
    if settings.token_file:
        with contextlib.suppress(OSError):  # then the endpoint refuses, and the event is kept
            token = (project.root / settings.token_file).read_text().strip()
    if not to.startswith(("http://", "https://")):
        to = str(project.root / to)
    return Outbox(to, project.home / "lineage" / "waiting.jsonl", timeout=settings.timeout, token=token)


def _code(project: Project, commit: str | None) -> tuple[str, str] | None:
    """The repository that the commit can be found in, without anybody's name or password."""
    if commit is None:
        return None
    from modelyard.training.history import git

    url = (git(project.root, "remote", "get-url", "origin") or "").strip()
    if not re.match(r"(https?|ssh|git)://", url):
        found = re.fullmatch(r"(?:[^@/]+@)?([^:/]+):(.+)", url)
        url = f"ssh://{found[1]}/{found[2]}" if found else ""
    return (re.sub(r"//[^/@]*@", "//", url), commit) if url else None
