"""From a reference to the run that it names."""

from __future__ import annotations

from modelyard.errors import Misuse, UnknownName
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.registry import Version
from modelyard.records.run import Run


def run_of_id(project: Project, ref: str) -> Run:
    """The run of an id, of the beginning of one, or of ``MODEL@run``, its model's newest."""
    model, at, selector = ref.partition("@")
    if at:
        if selector != "run":
            raise Misuse(f"'{ref}' is no run; write a run's id, the beginning of one, or MODEL@run.")
        project.model(model)
    with project.yard.read() as facts:
        found = facts.runs.list(model)[:1] if at else _beginning(facts, ref)
    if len(found) > 1:
        raise Misuse(
            f"{len(found)} runs begin with '{ref}': {', '.join(r.id for r in found[:5])}; write more of it."
        )
    if not found:
        raise UnknownName(f"There is no run '{ref}'; 'modelyard runs' lists them.")
    return found[0]


def run_of(project: Project, ref: str) -> tuple[Run, Version | None]:
    """The finished run of ``NAME@7``, ``NAME@prod``, ``NAME@latest``, ``NAME`` (the latest version), ``NAME@run``
    (the newest finished run), an id or the beginning of one; with the version that was named."""
    from modelyard.registry import resolve

    name, at, selector = ref.partition("@")
    with project.yard.read() as facts:
        known = name in project.settings.models or facts.versions.latest(name) is not None
        if at and selector == "run":
            newest = facts.runs.latest(name)
            if newest is None:
                raise UnknownName(f"There is no trained '{name}' yet; run 'modelyard train {name}' first.")
            return newest, None
        if at or known:
            version = resolve(facts, ref, tuple(project.settings.environments))
            return _of_version(facts, version), version
    run = run_of_id(project, ref)
    if run.status != "finished" or run.candidate is None:
        state = "is still running" if run.status == "running" else f"failed ({(run.error or '').rstrip('.')})"
        raise Misuse(f"Run {run.id} of {run.model} {state}, so it gave no model; name one that finished.")
    return run, None


def _of_version(facts: Facts, version: Version) -> Run:
    run = facts.runs.get(version.run)
    if run is None:
        raise UnknownName(
            f"Run {version.run}, which {version.ref} is from, is not on record; run 'modelyard doctor'."
        )
    return run


def _beginning(facts: Facts, ref: str) -> list[Run]:
    if (run := facts.runs.get(ref)) is not None:
        return [run]
    return [run for run in facts.runs.list() if ref and run.id.startswith(ref)]
