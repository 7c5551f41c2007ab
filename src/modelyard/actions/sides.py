"""From a reference to the models that it names: a run, a version, an environment, a git revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, NamedTuple

from modelyard.actions.staged import shared
from modelyard.actions.trained import run_of
from modelyard.errors import ModelyardError, UnknownName
from modelyard.project import Project
from modelyard.records.registry import Version
from modelyard.records.run import Run
from modelyard.settings import read
from modelyard.storage.scratch import scratch

Kind = Literal["dataset", "model", "environment", "revision"]
_RUN = re.compile(r"[0-9a-f]{4,12}")


class Side(NamedTuple):
    """A trained model and how a reference came to it."""

    run: Run
    version: Version | None
    note: str = ""
    stale: bool = False
    """Its code is not that of the revision that led to it."""

    @property
    def ref(self) -> str:
        return self.version.ref if self.version else f"{self.run.model}@run/{self.run.id}"


def kind(project: Project, ref: str) -> Kind:
    """What a reference is of: a name of the yard first, then an environment, a run's id, a git revision."""
    from modelyard.training.history import commit

    name, at, _ = ref.partition("@")
    with project.yard.read() as facts:
        if name in project.settings.data or facts.datasets.latest(name):
            return "dataset"
        if at and name:
            return "model"
        if name in project.settings.models or facts.versions.latest(name):
            return "model"
        if ref in project.settings.environments:
            return "environment"
        if _RUN.fullmatch(ref) and any(run.id.startswith(ref) for run in facts.runs.list()):
            return "model"
    if commit(project.root, ref):
        return "revision"
    raise UnknownName(
        f"There is no '{ref}' to compare: it is no model, dataset or run of this yard, no environment of the settings and "
        "no git revision."
    )


def sides(project: Project, ref: str, kind: Kind) -> dict[str, Side]:
    """The models by name. Raises ``UnknownName`` when there is none."""
    if kind == "model":
        run, version = run_of(project, ref)
        return {run.model: Side(run, version)}
    found = _live(project, ref) if kind == "environment" else _given(project, ref)
    if not found:
        what = (
            f"Nothing is live in {ref}; run 'modelyard deploy {ref} MODEL' first."
            if kind == "environment"
            else f"No finished training of '{ref}', or of what led to it, is on record here; run 'modelyard build' there."
        )
        raise UnknownName(what)
    return found


def _live(project: Project, environment: str) -> dict[str, Side]:
    found = {}
    with project.yard.read() as facts:
        for model in sorted({version.model for version in facts.versions.list()}):
            release = facts.releases.live(environment, model)
            version = facts.versions.get(model, release.version) if release else None
            run = facts.runs.get(version.run) if version else None
            if version and run:
                found[model] = Side(run, version)
    return found


def _given(project: Project, revision: str) -> dict[str, Side]:
    """Of each model the newest run of the commit; else of the nearest before it, the code being the same; else of
    another commit with the same code; else of the nearest before it."""
    from modelyard.training.history import before, commit

    name = commit(project.root, revision) or ""
    line = {one: at for at, one in enumerate(before(project.root, name))}
    with project.yard.read() as facts:
        known = [run for run in facts.runs.list() if run.status == "finished" and run.candidate]
    nearest: dict[str, Run] = {}
    for run in known:  # newest first
        best = nearest.get(run.model)
        if run.code.commit in line and (best is None or _rank(run, line) < _rank(best, line)):
            nearest[run.model] = run
    notes: dict[str, str] = {}
    stale: set[str] = set()
    away = {
        run.model for run in known if run.model not in nearest or line[nearest[run.model].code.commit or ""]
    }
    codes = _codes(project, name) if away else {}
    for model in sorted(away):
        best, digest = nearest.get(model), codes.get(model)
        alike = next((run for run in known if (run.model, run.code.digest) == (model, digest)), None)
        if best is not None:
            far = line[best.code.commit or ""]
            notes[model] = f"trained {far} commit{'s' if far > 1 else ''} before {revision}"
        if best is not None and best.code.digest == digest:
            continue
        if alike is not None:
            nearest[model] = alike
            notes[model] = f"the code of {revision}, trained at {(alike.code.commit or 'no commit')[:12]}"
        elif best is not None:
            notes[model] += "; its code was changed since"
            stale.add(model)
    with project.yard.read() as facts:
        return {
            model: Side(
                run,
                facts.versions.by_package(model, run.candidate or ""),
                notes.get(model, ""),
                model in stale,
            )
            for model, run in sorted(nearest.items())
        }


def _codes(project: Project, commit: str) -> dict[str, str]:
    """The digest of each model's code as it was committed; without those that cannot be read."""
    from modelyard.training import identify
    from modelyard.training.history import checkout

    found = {}
    with scratch("commit-", project.scratch) as held, suppress(ModelyardError):
        root = checkout(project.root, commit, held)
        if root is None:
            return {}
        then = Project(root=root, settings=read(root), asserted=project.asserted, secret=project.secret)
        for model, settings in then.settings.models.items():
            with suppress(ModelyardError):
                found[model] = identify(root / settings.code, root, shared(then, model)).digest
    return found


def _rank(run: Run, line: Mapping[str, int]) -> tuple[int, bool]:
    return line[run.code.commit or ""], run.code.dirty
