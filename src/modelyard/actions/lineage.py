"""``lineage``: where a dataset version came from, and what became of it."""

from __future__ import annotations

from modelyard.actions.stored import dataset_version
from modelyard.project import Project
from modelyard.records.lineage import Lineage, TrainedRun, TrainedVersion


def lineage(project: Project, ref: str) -> Lineage:
    """Source files, runs trained on the version, versions registered from these runs, and their releases."""
    version = dataset_version(project, ref)
    with project.yard.read() as facts:
        runs = [run for run in facts.runs.list() if run.dataset == version.ref]
        registered = facts.versions.list()
        releases = facts.releases.list()
    return Lineage(
        dataset=version,
        runs=tuple(
            TrainedRun(
                run=run,
                versions=tuple(
                    TrainedVersion(
                        version=found,
                        releases=tuple(
                            r
                            for r in reversed(releases)
                            if (r.model, r.version) == (found.model, found.number)
                        ),
                    )
                    for found in registered
                    if found.run == run.id
                ),
            )
            for run in reversed(runs)
        ),
    )
