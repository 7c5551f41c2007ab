"""What the settings ask of a model's test, in the records and columns that the stage takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from modelyard.errors import SettingsError
from modelyard.project import Project
from modelyard.records.gate import FairnessRule, Gate
from modelyard.records.package import Label
from modelyard.records.schema import Schema
from modelyard.settings import ModelSettings

if TYPE_CHECKING:
    import polars as pl

    from modelyard.evaluation import Sliced, Wanted


def rules(settings: ModelSettings) -> tuple[Gate, ...]:
    """The gates on metrics."""
    return tuple(
        Gate(
            metric=name,
            min=g.min,
            max=g.max,
            no_worse_than=g.no_worse_than,
            tolerance=g.tolerance,
            test=g.test,
            confidence=0.95 if g.confidence is None else g.confidence,
            slices=g.slices,
        )
        for name, g in settings.gates.items()
    )


def wanted(
    project: Project,
    model: str,
    schema: Schema,
    frame: pl.DataFrame,
    train: pl.DataFrame | None,
    *,
    labels: tuple[Label, ...] = (),
    taken: Schema,
) -> Wanted:
    """What is looked at beside metrics; without training rows what gates read and no more.

    ``labels`` are in the model's order, and ``taken`` is the schema of its features.

    Raises ``SettingsError`` for a column that is not there or cannot be cut so.
    """
    from modelyard.evaluation import Prices, Wanted
    from modelyard.tables.gather import gather, target

    settings = project.model(model)
    asked = settings.evaluation
    return Wanted(
        slices=_columns(project, model, schema, frame, _slices(settings)),
        min_rows=asked.min_rows,
        groups=_columns(
            project, model, schema, frame, {name: f.edges for name, f in settings.fairness.items()}
        ),
        fairness=tuple(
            FairnessRule(by=name, metric=f.metric, max_gap=f.max_gap, min_ratio=f.min_ratio)
            for name, f in settings.fairness.items()
        ),
        prices=Prices(asked.costs.false_positive, asked.costs.false_negative) if asked.costs else None,
        train=(gather(train, taken), target(train, schema, labels=labels))
        if train is not None and asked.baselines
        else None,
        importance=train is not None and asked.importance,
        stability=train is not None and asked.stability,
        search=train is not None and asked.search,
    )


def _slices(settings: ModelSettings) -> dict[str, tuple[float, ...]]:
    """Columns and edges of the report's slices, then of those that gates alone name."""
    edges: dict[str, tuple[float, ...]] = {}
    for asked in settings.evaluation.slices:
        edges |= {asked: ()} if isinstance(asked, str) else {asked.column: asked.edges}
    for gate in settings.gates.values():
        edges |= {name: () for name in gate.slices if name not in edges}
    return edges


def _columns(
    project: Project, model: str, schema: Schema, frame: pl.DataFrame, edges: Mapping[str, tuple[float, ...]]
) -> tuple[Sliced, ...]:
    from modelyard.evaluation import Sliced
    from modelyard.tables.gather import values

    columns = {c.name: c for c in schema.columns if c.name not in schema.targets}
    for name, ends in edges.items():
        if name not in columns:
            raise SettingsError(
                f"The evaluation of '{model}' is to look at '{name}', which is no column of "
                f"'{project.model(model).data}' beside its target; known: {', '.join(columns)}."
            )
        if ends and columns[name].kind in ("string", "boolean"):
            raise SettingsError(
                f"The evaluation of '{model}' gives edges for '{name}', which holds {columns[name].kind} values; "
                "leave the edges out."
            )
    return tuple(Sliced(columns[name], values(frame, columns[name]), ends) for name, ends in edges.items())
