"""New data: the sources hold other rows, or an ingest took some in, than the model was trained on."""

from __future__ import annotations

import hashlib

import msgspec

from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.trigger import Fired


def new_data(project: Project, model: str, there: DatasetVersion | None) -> Fired | None:
    """``there`` is the dataset version that holds what the sources do, None where there is none. No row is read for
    it; a source that only reading can tell counts as new.

    Raises what looking at the sources raises.
    """
    from modelyard.data import origins

    dataset = project.model(model).data
    with project.yard.read() as facts:
        latest, run = facts.datasets.latest(dataset), facts.runs.latest(model)
    if there is None:
        found = origins(project.data(dataset), project.root)
        told = "unread" if found is None else hashlib.sha256(msgspec.json.encode(found)).hexdigest()[:16]
        after = f" after {latest.ref}" if latest else ""
        return Fired(
            kind="new_data",
            evidence=told,
            sentence=f"The sources of {dataset} hold other rows than were taken in{after}",
            numbers={"latest": latest.ref if latest else "", "files": 0 if found is None else len(found)},
        )
    if run is not None and run.dataset == there.ref:
        return None
    return Fired(
        kind="new_data",
        evidence=there.ref,
        sentence=f"{there.ref} is there, and {model} was trained on {run.dataset if run else 'nothing'}",
        numbers={"latest": there.ref, "trained": run.dataset if run else "", "rows": there.rows},
    )
