"""Sources to a checked, split and digested table."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import polars as pl

from modelyard.data.extraction import Extracted, gather_files
from modelyard.data.fingerprint import fingerprint, locate
from modelyard.data.sources.listing import Setting, kind, listed
from modelyard.errors import DataRefused, SettingsError
from modelyard.records.dataset import SourceFile, Split
from modelyard.records.schema import Column, Schema
from modelyard.settings import DataSettings
from modelyard.tables.check import check
from modelyard.tables.digest import digest
from modelyard.tables.infer import infer, is_blank
from modelyard.tables.kinds import conform
from modelyard.tables.split import SPLIT, assign, shares


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What becomes a dataset version; ``frame`` is in the schema's types with the split as a column."""

    frame: pl.DataFrame
    schema: Schema
    digest: str
    split: Split
    sources: tuple[SourceFile, ...]
    marks: dict[str, int]
    """Values outside of the ranges and categories of the version before (of its own, without one)."""
    widened: tuple[str, ...] = ()
    """Columns that were integer in the version before and are float now."""
    test_rows: int
    rows: int


def prepare(settings: DataSettings, root: Path, *, previous: Schema | None) -> Prepared:
    """Extract, check against the version before, infer, split.

    A column keeps its kind from version to version; integers may become floats, a column that never
    had a value may become anything. Nulls, ranges and categories are inferred anew; what was declared is
    kept, and refuses. Raises ``SourceMissing``, ``StoreDown``, or ``DataRefused`` naming file, row and column.
    """
    key = (settings.key,) if isinstance(settings.key, str) else settings.key
    before = _stamps(settings.source, root)
    sources = fingerprint(settings.source, root)
    extracted = gather_files(settings.source, root, schema=previous, record=sources is None)
    if _stamps(settings.source, root) != before:
        raise DataRefused("The sources changed while they were read; run it again when they are complete.")
    _check_names(extracted.frame.columns, settings.target, key)
    if previous is not None:
        _check_columns(extracted.frame.columns, previous)
        extracted = _in_order(extracted, previous)
    inferred = infer(extracted.frame, target=settings.target, key=key)
    schema, widened = (inferred, ()) if previous is None else _carry(inferred, previous)
    marks = _check_rows(extracted, schema, previous)
    frame = conform(extracted.frame, schema)
    _check_key(frame, extracted, schema)
    _check_target(frame, extracted, schema)
    test = assign(frame, schema=schema, split=_split(settings, {}))
    _check_sides(test)
    found = shares(frame, test, schema=schema) if settings.split.stratify else {}
    frame = frame.with_columns(
        pl.select(pl.when(test).then(pl.lit("test")).otherwise(pl.lit("train")).alias(SPLIT)).to_series()
    )
    return Prepared(
        frame=frame,
        schema=schema,
        digest=digest(frame, schema),
        split=_split(settings, found),
        sources=extracted.sources or () if sources is None else sources,
        marks=marks,
        widened=widened,
        test_rows=int(test.sum()),
        rows=frame.height,
    )


def _split(settings: DataSettings, found: dict[str, float]) -> Split:
    split = settings.split
    return Split(test=split.test, seed=split.seed, stratify=split.stratify, shares=found)


def _stamps(source: Setting, root: Path) -> list[object]:
    local: list[object] = [(p, p.stat().st_size, p.stat().st_mtime_ns) for p in locate(source, root)]
    elsewhere = tuple(one for one in listed(source) if kind(one, root) != "files")
    return [*local, fingerprint(elsewhere, root)] if elsewhere else local


def _check_names(names: list[str], target: str | None, key: tuple[str, ...]) -> None:
    if SPLIT in names:
        raise DataRefused(f"Column '{SPLIT}' is a name of our own; rename it in the source.")
    lower: dict[str, str] = {}
    for name in names:
        if not name.strip():
            raise DataRefused("A column has an empty name; name it in the source.")
        if (other := lower.setdefault(name.lower(), name)) != name:
            raise DataRefused(
                f"Columns '{other}' and '{name}' differ in case only, which a Delta table cannot hold; rename one."
            )
    for role, name in (*(("target", t) for t in [target] if t), *(("key", k) for k in key)):
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "the columns are"
            raise SettingsError(f"There is no column '{name}' for the {role}; {hint} {_listed(names, near)}")
    if target in key:
        raise SettingsError(f"Column '{target}' is both target and key; take another key.")
    if not set(names) - {target, *key}:
        raise DataRefused("There is no column beside target and key; add features.")


def _listed(names: list[str], near: list[str]) -> str:
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    listed = ", ".join(names[:20]) + more
    return f"(The columns are {listed}.)" if near else listed + "."


def _check_columns(names: list[str], previous: Schema) -> None:
    known = [c.name for c in previous.columns]
    gone = [n for n in known if n not in names]
    new = [n for n in names if n not in known]
    advice = "mend the source, or begin a dataset of another name in modelyard.toml."
    if gone and new:
        raise DataRefused(f"Column '{gone[0]}' vanished and '{new[0]}' appeared; {advice}")
    if gone:
        raise DataRefused(f"Column '{gone[0]}' of the version before is not there any more; {advice}")
    if new:
        raise DataRefused(f"Column '{new[0]}' was not in the version before; {advice}")


def _in_order(extracted: Extracted, previous: Schema) -> Extracted:
    return replace(extracted, frame=extracted.frame.select(c.name for c in previous.columns))


def _carry(inferred: Schema, previous: Schema) -> tuple[Schema, tuple[str, ...]]:
    """The inferred schema with the kinds and the declared rules of the version before."""
    columns, widened = [], []
    for now in inferred.columns:
        then = previous.column(now.name)
        if is_blank(now):
            now = Column(name=now.name, kind=then.kind, nullable=True)
        elif now.kind != then.kind and not is_blank(then):
            if {now.kind, then.kind} != {"integer", "float"}:
                raise DataRefused(
                    f"Column '{now.name}' is {now.kind} now and was {then.kind} in the version before; "
                    "mend the source, or begin a dataset of another name in modelyard.toml."
                )
            if now.kind == "float":
                widened.append(now.name)
            now = msgspec.structs.replace(now, kind="float")
        columns.append(_declared(now, then))
    return msgspec.structs.replace(inferred, columns=tuple(columns)), tuple(widened)


def _declared(now: Column, then: Column) -> Column:
    rules = then.declared
    return msgspec.structs.replace(
        now,
        nullable=then.nullable if "nullable" in rules else now.nullable,
        minimum=then.minimum if "range" in rules else now.minimum,
        maximum=then.maximum if "range" in rules else now.maximum,
        categories=then.categories if "categories" in rules else now.categories,
        declared=rules,
    )


def _check_rows(extracted: Extracted, schema: Schema, previous: Schema | None) -> dict[str, int]:
    expected = schema
    if previous is not None:
        columns = tuple(
            c if c.name in schema.key else _expected(c, previous.column(c.name)) for c in schema.columns
        )
        expected = msgspec.structs.replace(schema, columns=columns)
    checked = check(extracted.frame, expected)
    if checked.faults:
        fault = checked.faults[0]
        message = fault.message
        if fault.row is not None:
            message = f"{extracted.place(fault.row)}: {message.removeprefix(f'Row {fault.row}: ')}"
        more = f" ({checked.broken - 1} more like it.)" if checked.broken > 1 else ""
        raise DataRefused(message + more)
    return checked.marks


def _expected(now: Column, then: Column) -> Column:
    """The ranges and categories of the version before, with the kind and the nulls of this one."""
    if is_blank(then):
        return now
    return msgspec.structs.replace(then, kind=now.kind, nullable=now.nullable)


def _check_key(frame: pl.DataFrame, extracted: Extracted, schema: Schema) -> None:
    if not schema.key:
        return
    for name in schema.key:
        missing = frame[name].is_null()
        if schema.column(name).kind == "float":
            missing = missing | frame[name].is_nan()
        if (count := int(missing.sum())) > 0:
            raise DataRefused(
                f"{extracted.place(int(missing.arg_true()[0]) + 1)}: the key '{name}' is null "
                f"(in {count} of {frame.height} rows); give every row its key."
            )
    repeated = frame.select(pl.struct(schema.key).is_duplicated()).to_series()
    if not repeated.any():
        return
    extra = frame.height - frame.select(schema.key).n_unique()
    first = int(repeated.arg_true()[0])
    value = ", ".join(str(frame[name][first]) for name in schema.key)
    raise DataRefused(
        f"{extracted.place(first + 1)}: the key '{', '.join(schema.key)}' is not unique: {value} comes again, "
        f"and {extra} row{'s' if extra > 1 else ''} in all repeat a key; drop them or take another key."
    )


def _check_target(frame: pl.DataFrame, extracted: Extracted, schema: Schema) -> None:
    if schema.target is None:
        return
    labels = frame[schema.target]
    missing = labels.is_null()
    if labels.dtype.is_float():
        missing = missing | labels.is_nan()
    count = int(missing.sum())
    if count == frame.height:
        raise DataRefused(f"The target '{schema.target}' has no value in any row; name another target.")
    if count:
        raise DataRefused(
            f"{extracted.place(int(missing.arg_true()[0]) + 1)}: the target '{schema.target}' is null "
            f"(in {count} of {frame.height} rows); leave rows without an outcome out."
        )
    if labels.n_unique() == 1:
        raise DataRefused(
            f"The target '{schema.target}' is {labels[0]} in all {frame.height} rows; "
            "there is nothing to tell apart, so add rows or name another target."
        )


def _check_sides(test: pl.Series) -> None:
    rows, held_back = test.len(), int(test.sum())
    if held_back in (0, rows):
        side = "test" if held_back == 0 else "train"
        raise DataRefused(
            f"No row of {rows} falls into the {side} split; add rows, or change the share or the seed of 'split'."
        )
