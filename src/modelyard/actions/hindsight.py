"""What outcomes tell of one version's predictions, beside what it was tested with and must not fall below."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard import metrics
from modelyard.errors import SettingsError
from modelyard.project import Project
from modelyard.records.package import Manifest
from modelyard.records.report import Report
from modelyard.settings import ModelSettings

if TYPE_CHECKING:
    import polars as pl

    from modelyard.monitoring import Bound, Hindsight, Part, Raw

MOST = 1_000_000
"""Labelled predictions that are looked at, the newest."""
_ERRORS = 3.0
"""Standard errors below what the test split said."""
_Z = 1.959964
_FINER = 4
"""Parts of a window from each of which on quality may be found lost."""


def hindsight(
    project: Project,
    environment: str,
    model: str,
    version: int,
    *,
    manifest: Manifest,
    truths: pl.DataFrame,
    held_out: Callable[[], Raw | None],
) -> Hindsight | None:
    """All that is known of the version by now; ``until`` gives what is known of the time before a window's end.

    ``truths`` are as of ``monitoring.known``; ``held_out`` are the rows that it was tested on, by which slices are cut. None
    where nothing is known. Raises ``SettingsError`` for a bound on a metric that the model does not have.
    """
    from modelyard import monitoring

    if truths.is_empty():
        return None
    settings = project.model(model)
    asked = [s if isinstance(s, str) else s.column for s in settings.evaluation.slices]
    rows = monitoring.answered(
        project.tables,
        project.log_folder(environment),
        environment=environment,
        model=model,
        version=version,
        known=truths,
        names=asked,
    )
    if rows.is_empty():
        return None
    rows = rows.filter(monitoring.typed(rows["truth"], manifest.task, manifest.classes).is_not_null())
    rows = rows.tail(MOST).sort("arrived", "at", "request_id", "row")
    if rows.is_empty():
        return None
    report, begun = tested(project, environment, model, version)
    places = quarters(project, model, rows, begun)
    metric, bound = bounded(project, model, manifest, report)
    bounds = _bounds(settings, bound, report)
    return monitoring.Hindsight(
        manifest=manifest,
        rows=rows,
        judged=monitoring.judged(manifest, rows, places),
        metric=metric,
        bound=bound,
        errors=_from_test(
            "mae" if manifest.task == "regression" else "accuracy",
            report.metrics if report else (),
            "test split",
        ),
        balance=_balance(report),
        parts=_parts(settings, manifest, rows, bounds, held_out() if bounds else None),
        slices=len(bounds),
        tested=report.rows if report else 0,
        figures={m.name: m.value for m in report.metrics} if report else {},
    )


def quarters(project: Project, model: str, rows: pl.DataFrame, begun: dt.datetime) -> NDArray[np.intp]:
    """The parts of windows that the rows were answered in [n], numbered from the version's first answer."""
    from modelyard import monitoring

    size = monitoring.length(project.monitor(model)) / _FINER
    places = ((rows["at"] - begun).dt.total_seconds() // size.total_seconds()).clip(0).cast(int).to_numpy()
    return places.astype(np.intp)


def bounded(
    project: Project, model: str, manifest: Manifest, report: Report | None
) -> tuple[str, Bound | None]:
    """The metric that is looked at, and the bound of what is judged: of it, or of accuracy or the mean error where
    no bound on it can be judged row by row."""
    from modelyard import monitoring

    settings, asked = project.model(model), project.monitor(model).quality
    metric = asked.metric or settings.metric or metrics.default(manifest.task, manifest.quantiles)
    metrics.require(metric, manifest.task, manifest.quantiles)
    rises = metrics.higher_is_better(metric)
    if (asked.max if rises else asked.min) is not None:
        raise SettingsError(
            f"monitor.{model}.quality: of {metric} {'more' if rises else 'less'} is better; bound it with "
            f"'{'min' if rises else 'max'}'."
        )
    own = asked.min if rises else asked.max
    gate = settings.gates.get(metric)
    gated = None if gate is None else gate.min if rises else gate.max
    for value, reason in ((own, f"monitor.{model}.quality"), (gated, "its gate")):
        if value is not None:
            found = monitoring.Bound(metric=metric, value=value, reason=reason)
            if metric == "r2":
                return metric, _as_error(found, report)
            if metric in monitoring.JUDGED:
                return metric, found
            break
    judged = metric if metric in monitoring.JUDGED else {"regression": "rmse"}.get(manifest.task, "accuracy")
    return metric, _from_test(judged, report.metrics if report else (), "test split")


def _as_error(bound: Bound, report: Report | None) -> Bound | None:
    """The share of variance explained as a squared error, against the variance of the test split."""
    from modelyard import monitoring

    named = {m.name: m.value for m in report.metrics} if report else {}
    if "r2" not in named or "rmse" not in named or named["r2"] >= 1:
        return None
    around = named["rmse"] ** 2 / (1 - named["r2"])
    most = float(np.sqrt(max(0.0, 1 - bound.value) * around))
    return monitoring.Bound(
        metric="rmse", value=most, reason=f"{bound.reason}: r2 {bound.value:g} on the test split"
    )


def _from_test(metric: str, found: object, where: str) -> Bound | None:
    from modelyard import monitoring
    from modelyard.records.metric import Metric

    assert isinstance(found, tuple)
    one = next((m for m in found if isinstance(m, Metric) and m.name == metric), None)
    if one is None:
        return None
    rises = metrics.higher_is_better(metric)
    error = (one.value - one.low if rises else one.high - one.value) / _Z
    value = one.value - _ERRORS * error if rises else one.value + _ERRORS * error
    reason = f"{one.value:.3g} on the {where}, with three standard errors"
    return monitoring.Bound(metric=metric, value=value, reason=reason)


def _bounds(
    settings: ModelSettings, bound: Bound | None, report: Report | None
) -> dict[tuple[str, str], Bound]:
    """By column and label the slices that the settings name, where the report judged them by the same metric."""
    if bound is None or report is None:
        return {}
    asked = {s if isinstance(s, str) else s.column for s in settings.evaluation.slices}
    found = {
        (s.column, s.label): _from_test(bound.metric, s.metrics, "test split")
        for s in report.slices
        if s.column in asked
    }
    return {place: of for place, of in found.items() if of is not None}


def _parts(
    settings: ModelSettings,
    manifest: Manifest,
    rows: pl.DataFrame,
    bounds: dict[tuple[str, str], Bound],
    held_out: Raw | None,
) -> list[Part]:
    """The rows of those slices that have any. They are cut where the report's were."""
    from modelyard.evaluation.cells import cut
    from modelyard.evaluation.slices import sample
    from modelyard.evaluation.wanted import SAMPLE
    from modelyard.monitoring import Part, columns, features
    from modelyard.tables.gather import values

    held = features(rows)
    there = None if held_out is None else held_out.take(sample(len(held_out), SAMPLE, 0))
    before = columns(there, manifest.schema) if there is not None else {}
    found = []
    for asked in settings.evaluation.slices:
        name, edges = (asked, ()) if isinstance(asked, str) else (asked.column, asked.edges)
        if name not in held.columns:
            continue
        column = manifest.schema.column(name)
        like = before[name][1] if name in before and column.kind != "boolean" else None
        cells = cut(name, column.kind, values(held, column), edges, like=like)
        for at, label in enumerate(cells.labels):
            if of := bounds.get((name, label)):
                found.append(Part(name=f"{name} is {label}", rows=cells.rows(at), bound=of))
    return found


def _balance(report: Report | None) -> int:
    """Rows of the commoner class to one of the rarer, negative where the positive class is the commoner."""
    if report is None or len(report.confusion) != 2:
        return 1
    negative, positive = (max(1, sum(row)) for row in report.confusion)
    most = min(50, round(max(negative, positive) / min(negative, positive)))
    return most if negative >= positive else -most


def tested(project: Project, environment: str, model: str, version: int) -> tuple[Report | None, dt.datetime]:
    """The report on a version, and when it first was to answer there."""
    with project.yard.read() as facts:
        registered = facts.versions.get(model, version)
        releases = facts.releases.list(environment, model)
        package = facts.packages.get(registered.package) if registered else None
    begun = [r.started for r in releases if r.version == version]
    first = min(begun) if begun else dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    if package is None or package.report is None:
        return None, first
    return msgspec.json.decode(project.artifacts.get(package.report), type=Report), first
