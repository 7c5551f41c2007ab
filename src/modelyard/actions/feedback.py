"""``feedback``: the true outcomes of predictions, from a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from modelyard.actions.locate import materialised
from modelyard.errors import DataRefused, SourceMissing, UnknownName
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.feedback import Feedback, Refused
from modelyard.records.outcome import Outcome
from modelyard.records.package import Manifest
from modelyard.records.registry import Release

_SHOWN = 10
_AT_ONCE = 5000
"""Outcomes of one frame of the log."""


def feedback(
    project: Project,
    model: str,
    file: Path,
    *,
    environment: str | None = None,
    by: Sequence[str] = (),
    outcome: str | None = None,
) -> Feedback:
    """Keep the outcomes in a CSV, JSON Lines or Parquet file and tell what they are of.

    Each row names a prediction by ``by`` and what turned out to be true in the column ``outcome``, by default the
    column ``outcome`` or the dataset's target. ``environment`` is by default the last in which the model is live.
    Rows that tell nothing are refused one by one; ``DataRefused`` when all are. Told again it changes nothing.
    """
    from modelyard import monitoring
    from modelyard.data import extract

    project.require("developer")
    if not file.exists():
        raise SourceMissing(f"There is no file {file}.")
    release = _release(project, model, environment)
    folder = materialised(project, release.package)
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    names = (outcome,) if outcome else (monitoring.OUTCOME, manifest.schema.target or monitoring.OUTCOME)
    project.tell(f"reading {file.name}")
    frame = extract(
        str(file.resolve()), file.parent.resolve(), schema=monitoring.shape(manifest.schema, names)
    )
    name = next((name for name in names if name in frame.columns), names[0])
    way = monitoring.whose(frame.columns, manifest.schema, manifest.schema.key, by)
    given = monitoring.given(
        frame, manifest.schema, by=way, outcome=name, task=manifest.task, classes=manifest.classes
    )
    if not given.outcomes:
        row, reason = given.refused[0] if given.refused else (1, "is not there")
        raise DataRefused(f"No row of {file} tells an outcome of {model}: row {row} {reason}.")
    project.tell(f"keeping {len(given.outcomes)} outcomes")
    writer = _keep(project, release, given.outcomes)
    monitoring.collect(
        project.log_folder(release.environment), project.tables, environment=release.environment
    )
    told = monitoring.told(
        project.tables,
        project.log_folder(release.environment),
        environment=release.environment,
        model=model,
    )
    project.tell("looking for their predictions")
    counted = monitoring.reckon(
        monitoring.resolved(
            told,
            project.tables,
            project.log_folder(release.environment),
            environment=release.environment,
            model=model,
        ),
        writer,
    )
    found = Feedback(
        model=model,
        environment=release.environment,
        by=way,
        told=len(given.outcomes),
        refused=len(given.refused),
        reasons=tuple(Refused(row=row, reason=reason) for row, reason in given.refused[:_SHOWN]),
        **counted,
    )
    _on_record(project, found, release)
    return found


def _keep(project: Project, release: Release, outcomes: Sequence[Outcome]) -> str:
    """Write to the environment's log as a service does, and wait for the disk; the writer that did."""
    from modelyard.predictions import open_writer

    writer = open_writer(project.log_folder(release.environment), 0)
    now = time.time()
    try:
        for start in range(0, len(outcomes), _AT_ONCE):
            writer.outcomes(release.model, outcomes[start : start + _AT_ONCE], at=now)
            writer.flush()
        writer.flush(fsync=True)
    finally:
        writer.close()
    return writer.writer


def _on_record(project: Project, found: Feedback, release: Release) -> None:
    def append(facts: Facts) -> None:
        facts.events.append(
            "outcomes.told",
            f"{found.model}@{release.version}",
            environment=found.environment,
            by=", ".join(found.by),
            told=found.told,
            joined=found.joined,
            corrected=found.corrected,
            refused=found.refused,
        )

    project.yard.once(fresh("feedback"), project.actor, append, type(None))


def _release(project: Project, model: str, environment: str | None) -> Release:
    project.model(model)
    if environment is not None:
        project.environment(environment)
    wanted = [environment] if environment else list(project.settings.environments)[::-1]
    with project.yard.read() as facts:
        for name in wanted:
            release = facts.releases.live(name, model)
            if release is not None:
                return release
    where = f"in {environment}" if environment else "anywhere"
    raise UnknownName(
        f"Nothing of {model} is live {where}, so there is nothing to tell outcomes of; run 'modelyard deploy "
        f"{environment or wanted[-1] if wanted else 'test'} {model}'."
    )
