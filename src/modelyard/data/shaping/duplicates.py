"""``deduplicate``: one row of each key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from modelyard.data.shaping.buckets import (
    ROOM,
    ROW,
    Windows,
    buckets_for,
    deal,
    gather,
    numbered,
    window_size,
)
from modelyard.data.shaping.cleaning import nearest
from modelyard.data.shaping.settled import Settled
from modelyard.errors import SettingsError
from modelyard.settings import DeduplicateSettings


def deduplicate(
    rows: Settled,
    key: Sequence[str],
    setting: str | DeduplicateSettings,
    folder: Path,
    *,
    ordered: bool,
    room: int = ROOM,
) -> Settled:
    """The rows, in their order, without those that another of the same key outdoes.

    A row with a null in its key is no duplicate of any. Without a key rows are the same when all their
    values are, nulls too. ``ordered`` says that the order of the rows means something; where it does not,
    rows that are equal in ``by`` are ordered by their values.
    """
    schema = rows.scan().collect_schema()
    names = schema.names()
    by = setting.by if isinstance(setting, DeduplicateSettings) else None
    keep = setting.keep if isinstance(setting, DeduplicateSettings) else setting
    for name in (*key, *([by] if by else [])):
        if name not in names:
            raise SettingsError(f"'deduplicate': there is no column '{name}'; {nearest(name, names)}")
    alike = list(key) or names
    rest = [n for n in names if n not in alike and n != by and not schema[n].is_nested()]
    ties = [ROW] if ordered else [*rest, ROW]
    columns = list(dict.fromkeys([ROW, *alike, *([by] if by else []), *ties]))
    thin = numbered(rows.scan()).select(columns)
    count = buckets_for(rows.size * len(columns) // len(names), room=room)
    dealt = deal(thin.drop_nulls(list(key)) if key else thin, alike, folder / "keys", count=count)
    size = window_size(rows, room=room)
    windows = Windows(folder / "gone", size)
    for bucket in range(count):
        frame = dealt.bucket(bucket)
        if frame is None:
            continue
        order = [*([by] if by else []), *ties]
        # The best comes first; a row without a value in ``by`` never does.
        best = frame.with_columns(pl.selectors.float().fill_nan(None)).sort(
            order, descending=keep == "last", nulls_last=True
        )
        gone = best.filter(~pl.struct(alike).is_first_distinct()).select(ROW)
        windows.add(gone, str(bucket))

    def make(frame: pl.DataFrame, window: int) -> pl.DataFrame:
        found = windows.of(window)
        kept = frame if found is None else frame.join(found, on=ROW, how="anti", maintain_order="left")
        return kept.drop(ROW)

    return gather(rows, size, make, folder / "deduplicated.parquet")
