"""What was told of predictions, as a table: every outcome in the order of its arrival, none ever changed.

A model's outcomes stand in ``outcomes/ENVIRONMENT/MODEL``, moved there from the log's segments as predictions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from modelyard.monitoring.sheet import AT, fresh, opened, outage, safe
from modelyard.predictions import LoggedOutcomes, read_outcomes

TOLD: dict[str, pl.DataType] = {
    "by": pl.String(),
    "id": pl.String(),
    "row": pl.Int64(),
    "outcome": pl.String(),
    "at": AT,
    "arrived": AT,
    "writer": pl.String(),
    "number": pl.Int64(),
}
"""``by``, ``id``, ``row`` and ``at`` as of ``records.outcome``; ``outcome`` is its JSON, which keeps a label's type."""

_encode = msgspec.json.Encoder().encode


def told(tables: Path, folder: Path, *, environment: str, model: str) -> pl.DataFrame:
    """Every outcome that was told of the model in the environment, by arrival; with the columns of ``TOLD``.

    What is not collected yet is included; nothing comes twice. Raises ``StoreDown`` when log or table cannot be read.
    """
    home = outcomes_home(tables, environment, model)
    parts = [pl.DataFrame(schema=TOLD)]
    with outage(f"The outcomes in {folder} and {home} cannot be read"):
        # As of predictions: the log first, since what leaves it in between is in the table then.
        tail = [found for found in read_outcomes(folder) if found.model == model]
        table = opened(home)
        if table is not None:
            parts.append(pl.scan_delta(table).collect())
        if new := fresh(tail, table):
            parts.append(outcome_rows(new))
        return pl.concat(parts).sort("arrived", "writer", "number")


def outcomes_home(tables: Path, environment: str, model: str) -> Path:
    return tables / "outcomes" / safe(environment) / safe(model)


def outcome_rows(found: Sequence[LoggedOutcomes]) -> pl.DataFrame:
    """Frames as rows of the table."""
    each = [outcome for frame in found for outcome in frame.outcomes]
    lengths = [len(frame.outcomes) for frame in found]
    places = np.repeat(np.arange(len(found)), lengths)
    numbers = np.concatenate([frame.number + np.arange(len(frame.outcomes)) for frame in found])
    columns = {
        "by": [outcome.by for outcome in each],
        "id": [outcome.id for outcome in each],
        "row": [outcome.row for outcome in each],
        "outcome": [_encode(outcome.outcome).decode() for outcome in each],
        "at": pl.Series([None if o.at is None else round(o.at * 1e6) for o in each], dtype=pl.Int64).cast(AT),
        "arrived": pl.Series([round(frame.at * 1e6) for frame in found]).cast(AT).gather(places),
        "writer": pl.Series([frame.segment.writer for frame in found]).gather(places),
        "number": pl.Series(numbers.astype(np.int64)),
    }
    return pl.DataFrame(columns, schema=TOLD)
