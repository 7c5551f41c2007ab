"""Two trained models held together: what ``diff`` tells of each."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modelyard.actions.difference import difference
from modelyard.actions.evaluate import stored_report
from modelyard.actions.locate import opened
from modelyard.actions.sides import Side
from modelyard.errors import ModelyardError, UnknownName
from modelyard.project import Project
from modelyard.records.comparison import Comparison
from modelyard.records.contrast import Changed, Contrast, Rewritten, Series, Trained
from modelyard.records.difference import Difference
from modelyard.records.package import Manifest
from modelyard.records.report import Report
from modelyard.records.run import Run, Scalar

POINTS = 500
"""Of a logged metric that are told."""


def contrast(project: Project, before: Side | None, after: Side | None) -> Contrast:
    """What both are made of and how they do; with one only, what it is."""
    old, new = (None if side is None else trained(project, side) for side in (before, after))
    named = [side.run.model for side in (before, after) if side]
    model = " and ".join(dict.fromkeys(named))
    if before is None or after is None or old is None or new is None:
        return Contrast(model=model, before=old, after=new)
    project.tell(f"comparing {old.ref} and {new.ref}")
    same = old.package == new.package
    paired, unpaired = (None, "") if same else _paired(project, old, new)
    code, code_unknown = ((), "") if same else _code(project, before.run, after.run)
    data, data_unknown = _data(project, old, new)
    return Contrast(
        model=model,
        before=old,
        after=new,
        same=same,
        paired=paired,
        unpaired=unpaired,
        parameters=_changed(before.run.params, after.run.params, every=True),
        logged=_changed(
            {**before.run.metrics, **before.run.logged}, {**after.run.metrics, **after.run.logged}
        ),
        series=_series(project, before.run, after.run),
        libraries=_changed(before.run.environment, after.run.environment),
        code=code,
        code_unknown=code_unknown,
        data=data,
        data_unknown=data_unknown,
    )


def trained(project: Project, side: Side) -> Trained:
    """One side with the report on it, where it was tested."""
    run, report = side.run, _report(project, side)
    told = Trained(
        ref=side.ref,
        run=run.id,
        package=run.candidate or "",
        dataset=run.dataset,
        seed=run.seed,
        commit=run.code.commit,
        dirty=run.code.dirty,
        trained=run.started,
        seconds=run.seconds,
        note=side.note,
    )
    if report is None:
        return told
    return msgspec.structs.replace(
        told,
        tested=report.dataset,
        rows=report.rows,
        passed=report.passed,
        gates=report.gates,
        metrics=report.metrics,
        curves=report.curves,
        confusion=report.confusion,
        classes=report.classes,
        task=report.task,
        quantiles=report.quantiles,
    )


def _report(project: Project, side: Side) -> Report | None:
    """The last that was made."""
    with project.yard.read() as facts:
        package = facts.packages.get(side.run.candidate or "")
    digest = (package.report if package else None) or (side.version.report if side.version else None)
    if digest is None or not project.artifacts.has(digest):
        return None
    return stored_report(project, digest)


def _paired(project: Project, old: Trained, new: Trained) -> tuple[Comparison | None, str]:
    for one in (old, new):
        if one.tested is None:
            return None, f"{one.ref} was not tested yet"
    if old.tested != new.tested or old.rows != new.rows:
        return None, f"{old.ref} was tested on {old.tested} and {new.ref} on {new.tested}"
    try:
        found = _on_the_same_rows(project, old, new)
    except ModelyardError as error:
        return None, str(error).removesuffix(".")
    return (None, found.unfit) if found.unfit else (found, "")


def _on_the_same_rows(project: Project, old: Trained, new: Trained) -> Comparison:
    from modelyard import evaluation
    from modelyard.data import load
    from modelyard.tables.gather import gather, target

    name, _, number = (new.tested or "").partition("@")
    with project.yard.read() as facts:
        version = facts.datasets.get(name, int(number))
    if version is None:
        raise UnknownName(f"{new.tested} is not on record.")
    frame = load(version, project.holding(version), part="test")
    predictors = opened(project, new.package), opened(project, old.package)
    labels = predictors[0].manifest.classes
    rows, truth = gather(frame, predictors[0].schema), target(frame, version.schema, labels=labels)
    return evaluation.beside(*predictors, rows, truth, name=old.ref)


def _changed(
    before: Mapping[str, Scalar], after: Mapping[str, Scalar], *, every: bool = False
) -> tuple[Changed, ...]:
    return tuple(
        Changed(name=name, before=before.get(name), after=after.get(name))
        for name in {**before, **after}
        if every or before.get(name) != after.get(name)
    )


def _series(project: Project, before: Run, after: Run) -> tuple[Series, ...]:
    from modelyard.training.points import drawn

    found = [
        drawn(project.artifacts.get(run.points), POINTS)
        if run.points and project.artifacts.has(run.points)
        else {}
        for run in (before, after)
    ]
    return tuple(
        Series(metric=name, before=found[0].get(name, ()), after=found[1].get(name, ()))
        for name in found[0] | found[1]
        if max(len(side.get(name, ())) for side in found) > 1
    )


def _code(project: Project, before: Run, after: Run) -> tuple[tuple[Rewritten, ...], str]:
    from modelyard.packaging import code

    if before.code.digest == after.code.digest:
        return (), ""
    try:
        old, new = (code(_manifest(project, run)) for run in (before, after))
        return _rewritten(project, old, new), ""
    except ModelyardError as error:
        return (), str(error).removesuffix(".")


def _manifest(project: Project, run: Run) -> Manifest:
    from modelyard.predictor.verify import decode

    digest = run.candidate or ""
    return decode(project.artifacts.get(digest), f"The manifest of package {digest[:12]}")


def _rewritten(project: Project, old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Rewritten, ...]:
    from modelyard.actions.rewriting import rewritten

    def content(files: Mapping[str, str], path: str) -> bytes | None:
        return project.artifacts.get(files[path]) if path in files else None

    return tuple(
        rewritten(path, content(old, path), content(new, path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def _data(project: Project, old: Trained, new: Trained) -> tuple[Difference | None, str]:
    if old.dataset == new.dataset:
        return None, ""
    names = [one.dataset.partition("@")[0] for one in (old, new)]
    if names[0] != names[1]:
        return None, f"{old.dataset} and {new.dataset} are versions of two datasets"
    try:
        return difference(project, old.dataset, new.dataset), ""
    except ModelyardError as error:
        return None, str(error).removesuffix(".")
