"""What one version answered, by the groups that ``[models.NAME.fairness]`` bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.actions.hindsight import MOST, quarters, tested
from modelyard.evaluation import cells
from modelyard.project import Project
from modelyard.records.gate import FairnessRule
from modelyard.records.package import Manifest
from modelyard.records.profile import ColumnProfile, Profile
from modelyard.records.schema import Column
from modelyard.settings import ModelSettings
from modelyard.tables.kinds import DTYPES

if TYPE_CHECKING:
    from modelyard.monitoring import Peopled


def peopled(
    project: Project,
    environment: str,
    model: str,
    version: int,
    *,
    manifest: Manifest,
    profile: Profile,
    truths: pl.DataFrame,
) -> tuple[Peopled, ...]:
    """For each column of ``fairness`` with a bound the rows that are known by now: of demographic parity all predictions,
    else those with an outcome (``truths``, as of ``monitoring.known``). Groups are those of ``profile``, so they stay the
    same however many rows come."""
    from modelyard import monitoring

    settings = project.model(model)
    if manifest.task != "binary":
        return ()
    least = settings.evaluation.min_rows
    found = []
    for rule in _rules(settings):
        held = next((c for c in profile.columns if c.name == rule.by), None)
        if held is None:
            why = f"'{rule.by}' is no feature of the model, so its predictions do not hold it"
            found.append(monitoring.nobody(rule, least, why=why))
            continue
        wanted = None if rule.metric == "demographic_parity" else truths
        rows = monitoring.answered(
            project.tables,
            project.log_folder(environment),
            environment=environment,
            model=model,
            version=version,
            known=wanted,
            names=[rule.by],
        )
        if rows.height and wanted is not None:
            rows = rows.filter(monitoring.typed(rows["truth"], manifest.task, manifest.classes).is_not_null())
            rows = rows.tail(MOST).sort("arrived", "at", "request_id", "row")
        column = manifest.schema.column(rule.by)
        empty = pl.DataFrame(schema={rule.by: DTYPES[column.kind]})
        asked = empty if rows.is_empty() else monitoring.features(rows := rows.tail(MOST))
        labels, codes = groups_of(held, column, asked, settings.fairness[rule.by].edges)
        if rows.is_empty():
            found.append(monitoring.nobody(rule, least, labels=labels))
            continue
        _, begun = tested(project, environment, model, version)
        said = monitoring.said(manifest, rows) == 1
        positive = np.zeros(len(said), dtype=bool)
        if wanted is not None:
            positive = monitoring.typed(rows["truth"], manifest.task, manifest.classes).to_numpy() == 1
        found.append(
            monitoring.Peopled(
                rule=rule,
                min_rows=least,
                labels=labels,
                codes=codes,
                said=said,
                positive=positive,
                window=quarters(project, model, rows, begun),
                at=rows["at"],
            )
        )
    return tuple(found)


def _rules(settings: ModelSettings) -> list[FairnessRule]:
    return [
        FairnessRule(by=name, metric=f.metric, max_gap=f.max_gap, min_ratio=f.min_ratio)
        for name, f in settings.fairness.items()
        if f.max_gap is not None or f.min_ratio is not None
    ]


def groups_of(
    held: ColumnProfile, column: Column, frame: pl.DataFrame, edges: Sequence[float]
) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The groups that the training data had, and of which each row is; -1 of none of them."""
    from modelyard.tables.gather import values

    given = values(frame, column)
    missing = [cells.MISSING] if held.nulls + held.nans else []
    if column.kind in ("string", "boolean"):
        counts = held.categories
        most = sorted((n for n in counts if counts[n]), key=lambda name: (-counts[name], name))[: cells.MOST]
        place: dict[object, int] = {name: at for at, name in enumerate(most)}
        if column.kind == "boolean":
            given = np.array(["true" if v == 1 else "false" if v == 0 else None for v in given], dtype=object)
        place[None] = len(most) if missing else -1
        codes = np.fromiter((place.get(v, -1) for v in given.tolist()), np.intp, len(given))
        return (*most, *missing), codes
    ends = list(edges) or _quarters(held)
    labels = (*cells.bins(ends, column.kind), *missing)
    codes = np.searchsorted(np.array(ends), given, side="left")
    return labels, np.where(np.isfinite(given), codes, len(ends) + 1 if missing else -1).astype(np.intp)


def _quarters(held: ColumnProfile) -> list[float]:
    """Where the training data is cut into quarters; at each value where there are few."""
    inner = held.edges[1:-1]
    if len(inner) < cells.AS_THEY_ARE:
        return list(inner)
    share = np.cumsum(held.counts)[1:-1] / max(sum(held.counts), 1)
    found = {float(inner[min(int(np.searchsorted(share, q)), len(inner) - 1)]) for q in (0.25, 0.5, 0.75)}
    return sorted(end for end in found if math.isfinite(end))
