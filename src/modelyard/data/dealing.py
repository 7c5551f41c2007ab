"""A table's rows to training and testing, piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from modelyard.data.extraction import extract
from modelyard.data.splitting import declared
from modelyard.errors import DataRefused, SettingsError
from modelyard.records.dataset import Split
from modelyard.records.schema import Schema
from modelyard.settings import SplitSettings
from modelyard.tables.rowhash import Words
from modelyard.tables.split import (
    FOLD,
    SPLIT,
    assign,
    check_columns,
    check_kinds,
    folds,
    key_hashes,
    settle,
)


class Dealt(NamedTuple):
    frame: pl.DataFrame
    """The rows with the split, and with the fold where folds were asked for, as last columns."""
    test: pl.Series
    moved: int
    """Rows that the version before would have held back and that are training rows now."""


@dataclass(frozen=True, kw_only=True)
class Dealer:
    """Deals any piece of one table by a rule that is settled."""

    schema: Schema
    split: Split
    holdout: Words | None = None
    before: tuple[Schema, Split] | None = None
    """How the version before was dealt, where that was otherwise and can still be asked."""
    trouble: SettingsError | None = None
    """Why rows cannot be dealt: columns are not of the kinds that the rule needs. None is held back then."""

    @property
    def extra(self) -> list[str]:
        """The columns that ``deal`` adds."""
        return [SPLIT, FOLD] if self.split.folds else [SPLIT]

    def deal(self, frame: pl.DataFrame) -> Dealt:
        if self.trouble:
            test = pl.repeat(False, frame.height, eager=True)
        else:
            test = assign(frame, schema=self.schema, split=self.split, holdout=self.holdout)
        moved = 0
        if self.before:
            schema, split = self.before
            moved = int((assign(frame, schema=schema, split=split) & ~test).sum())
        side = pl.select(pl.when(test).then(pl.lit("test")).otherwise(pl.lit("train")).alias(SPLIT))
        dealt = frame.with_columns(side.to_series())
        if self.split.folds:
            dealt = dealt.with_columns(folds(frame, schema=self.schema, split=self.split))
        return Dealt(dealt, test, moved)


def dealer(
    schema: Schema,
    *,
    settings: SplitSettings,
    root: Path,
    before: tuple[Schema, Split] | None,
    times: Callable[[str], tuple[pl.Series, Schema]],
) -> Dealer:
    """The dealer of a table of which names, kinds and roles are known.

    ``times`` reads one column whole, which is asked for when a time's beginning has to be chosen. Raises
    ``SettingsError`` for a column that is not there, ``DataRefused`` and ``SourceMissing`` for a holdout file
    that cannot be used; kinds that do not fit are the dealer's ``trouble``, for they may not be the last word.
    """
    split = declared(settings, root)
    check_columns(schema, split)
    try:
        check_kinds(schema, split)
    except SettingsError as trouble:
        return Dealer(schema=schema, split=split, trouble=trouble)
    if split.time and split.after is None:
        split = settle(times, split=split, before=before[1] if before else None)
    holdout = _holdout(settings.holdout, root, schema) if settings.holdout else None
    return Dealer(schema=schema, split=split, holdout=holdout, before=_other(before, schema, split))


def _other(before: tuple[Schema, Split] | None, schema: Schema, split: Split) -> tuple[Schema, Split] | None:
    """``before`` where it deals otherwise and can still be asked."""
    if before is None or before[1].holdout:
        return None
    # Rows are dealt before marks count: a column that is forbidden as a feature still is content.
    columns = tuple(msgspec.structs.replace(c, forbidden=False) for c in before[0].columns)
    then = msgspec.structs.replace(before[0], columns=columns)
    there = {c.name for c in columns} <= {c.name for c in schema.columns}
    return (then, before[1]) if there and _rule(then, before[1]) != _rule(schema, split) else None


def _rule(schema: Schema, split: Split) -> tuple[object, ...]:
    by = split.group or schema.key or tuple(c.name for c in schema.features)
    return (
        split.column,
        split.test_value,
        split.time,
        split.after,
        split.holdout,
        by,
        split.seed,
        split.test,
    )


def _holdout(path: str, root: Path, schema: Schema) -> Words:
    columns = tuple(schema.column(name) for name in schema.key)
    keys = extract(path, root, schema=Schema(columns=columns))
    for name in schema.key:
        if name not in keys.columns:
            raise DataRefused(
                f"The holdout file {path} has no column '{name}', which is the key; give it one."
            )
    return key_hashes(keys, schema)
