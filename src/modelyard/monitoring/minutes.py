"""What services counted minute by minute, as a table: requests by how they ended, and how busy workers were.

A model's minutes stand in ``minutes/ENVIRONMENT/MODEL``, moved there from the log's segments as predictions are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from modelyard.monitoring.sheet import AT, fresh, opened, outage, safe
from modelyard.predictions import LoggedMinutes, read_minutes

COUNTED: dict[str, pl.DataType] = {
    "at": AT,
    "version": pl.Int64(),
    "workers": pl.Int64(),
    "answered": pl.Int64(),
    "refused": pl.Int64(),
    "overloaded": pl.Int64(),
    "failed": pl.Int64(),
    "busy": pl.Float64(),
    "waiting": pl.Int64(),
    "writer": pl.String(),
}
"""As of ``records.minute``; ``at`` is when the worker wrote it."""


def minutes(
    tables: Path, folder: Path, *, environment: str, model: str, start: dt.datetime, end: dt.datetime
) -> pl.DataFrame:
    """What was counted of the model from ``start`` up to, not including, ``end``, in the order of time; with the columns of
    ``COUNTED``.

    What is not collected yet is included; nothing comes twice. Raises ``StoreDown`` when log or table cannot be read.
    """
    home = minutes_home(tables, environment, model)
    wanted = pl.col("at").is_between(start, end, closed="left")
    parts = [pl.DataFrame(schema=COUNTED)]
    with outage(f"The minutes in {folder} and {home} cannot be read"):
        # As of predictions: the log first, since what leaves it in between is in the table then.
        tail = [found for found in read_minutes(folder) if found.model == model]
        table = opened(home)
        if table is not None:
            parts.append(pl.scan_delta(table).filter(wanted).collect())
        if new := fresh(tail, table):
            parts.append(minute_rows(new).filter(wanted))
        return pl.concat(parts).sort("at", "writer")


def minutes_home(tables: Path, environment: str, model: str) -> Path:
    return tables / "minutes" / safe(environment) / safe(model)


def minute_rows(found: Sequence[LoggedMinutes]) -> pl.DataFrame:
    """Frames as rows of the table."""
    each = [(frame, minute) for frame in found for minute in frame.minutes]
    names = [name for name in COUNTED if name not in ("at", "writer")]
    columns: dict[str, object] = {name: [getattr(minute, name) for _, minute in each] for name in names}
    columns["at"] = pl.Series([round(frame.at * 1e6) for frame, _ in each], dtype=pl.Int64).cast(AT)
    columns["writer"] = [frame.segment.writer for frame, _ in each]
    return pl.DataFrame(columns, schema=COUNTED)
