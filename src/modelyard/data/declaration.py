"""What a person declares of a dataset, and a schema with it in the place of what was inferred."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec

from modelyard.errors import SettingsError
from modelyard.records.schema import Column, Kind, RowRule, Rule, Schema, Severity
from modelyard.settings.spans import Span, span
from modelyard.tables import expressions, patterns, rules

Bound = Any
"""A number, or for dates and times one of TOML's own; msgspec has no union of them."""
Severities = dict[Rule, Severity]


class ColumnDeclared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[columns.NAME]``."""

    kind: Kind | None = None
    unit: str | None = None
    description: str | None = None
    nullable: bool | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None
    categories: tuple[str, ...] | None = None
    pattern: str | None = None
    unique: bool = False
    personal: bool = False
    forbidden: bool = False
    severity: Severity | Severities = "error"
    """Of all rules of the column, or by rule: ``{ range = "warn" }``."""


class RuleDeclared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rules.NAME]``."""

    check: str
    severity: Severity = "error"


class RowsDeclared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``rows`` in ``[table]``."""

    min: Annotated[int, msgspec.Meta(ge=0)] | None = None
    max: Annotated[int, msgspec.Meta(ge=1)] | None = None
    severity: Severity = "error"


class FreshnessDeclared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``freshness`` in ``[table]``."""

    column: str
    within: Span
    severity: Severity = "error"

    @property
    def span(self) -> dt.timedelta:
        return span(self.within)


class TableDeclared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[table]``."""

    description: str | None = None
    rows: RowsDeclared | None = None
    freshness: FreshnessDeclared | None = None


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a person declared."""

    table: TableDeclared = TableDeclared()
    columns: dict[str, ColumnDeclared] = {}
    rules: dict[str, RuleDeclared] = {}

    @property
    def digest(self) -> str:
        """Of what is declared, however it is written; empty when nothing is. Descriptions bind nobody and are left out."""
        bare = msgspec.structs.replace
        columns = {name: bare(column, description=None) for name, column in self.columns.items()}
        binding = Declaration(
            table=bare(self.table, description=None),
            columns={name: column for name, column in columns.items() if column != ColumnDeclared()},
            rules=self.rules,
        )
        if binding == Declaration():
            return ""
        return hashlib.sha256(msgspec.json.encode(binding, order="sorted")).hexdigest()


def check(declared: Declaration, path: Path) -> None:
    """Raises ``SettingsError`` with file and key for what cannot be right, whatever the data is."""
    for name, column in declared.columns.items():
        _check_column(path, name, column)
    _check_table(path, declared.table)


def told_kind(column: ColumnDeclared) -> Kind | None:
    """The kind that is declared, or that goes with what is."""
    if column.kind is not None or (column.categories is None and column.pattern is None):
        for bound in (column.minimum, column.maximum):
            if column.kind is None and isinstance(bound, dt.date):
                return "datetime" if isinstance(bound, dt.datetime) else None
        return column.kind
    return "string"


def declare(inferred: Schema, declaration: Declaration, path: Path) -> Schema:
    """The inferred schema with all that is declared in the place of what was inferred.

    Raises ``SettingsError`` with file and key where the declaration does not fit the columns.
    """
    names = [c.name for c in inferred.columns]
    for name in declaration.columns:
        if name not in names:
            raise SettingsError(
                f"{path}: 'columns.{name}': the data has no column '{name}'{near(name, names)}."
            )
    for name, column in declaration.columns.items():
        if column.forbidden and name in inferred.targets:
            raise SettingsError(f"{path}: 'columns.{name}.forbidden': it is the target; name another target.")
    columns = tuple(
        _column(c, declaration.columns[c.name], path) if c.name in declaration.columns else c
        for c in inferred.columns
    )
    schema = msgspec.structs.replace(
        inferred,
        columns=columns,
        rules=tuple(
            RowRule(name=name, check=rule.check, severity=rule.severity)
            for name, rule in declaration.rules.items()
        ),
    )
    kinds = {c.name: c.kind for c in columns}
    for rule in schema.rules:
        try:
            expressions.parse(rule.check, kinds)
        except expressions.BadExpression as error:
            raise SettingsError(f"{path}: 'rules.{rule.name}.check': {error}.") from None
    fresh = declaration.table.freshness
    if fresh is not None and kinds.get(fresh.column) not in ("date", "datetime"):
        what = (
            f"'{fresh.column}' is {kinds[fresh.column]}"
            if fresh.column in kinds
            else "the data has no such column"
        )
        raise SettingsError(
            f"{path}: 'table.freshness.column': {what}{near(fresh.column, names)}; name a column of dates or times."
        )
    if not schema.features:
        raise SettingsError(f"{path}: every column is target, key or forbidden; leave a feature.")
    return schema


def binding(schema: Schema) -> Schema:
    """Without the descriptions: another wording makes no other dataset."""
    columns = tuple(msgspec.structs.replace(column, description=None) for column in schema.columns)
    return msgspec.structs.replace(schema, columns=columns)


def _column(seen: Column, told: ColumnDeclared, path: Path) -> Column:
    kind = told_kind(told) or seen.kind
    low = _bound(path, seen.name, "minimum", told.minimum, kind)
    high = _bound(path, seen.name, "maximum", told.maximum, kind)
    for key, value, fits in (
        ("categories", told.categories, kind == "string"),
        ("pattern", told.pattern, kind == "string"),
    ):
        if value is not None and not fits:
            raise SettingsError(
                f"{path}: 'columns.{seen.name}.{key}': goes with texts, and the column is {kind}."
            )
    if low is not None and high is not None and low > high:
        raise SettingsError(f"{path}: 'columns.{seen.name}.minimum' is above its maximum.")
    given: dict[Rule, bool] = {
        "kind": told.kind is not None,
        "nullable": told.nullable is not None,
        "range": low is not None or high is not None,
        "categories": told.categories is not None,
        "pattern": told.pattern is not None,
        "unique": told.unique,
    }
    severity = severities(told)
    declared = tuple(r for r, is_given in given.items() if is_given and severity[r] == "error")
    warned = tuple(r for r, is_given in given.items() if is_given and severity[r] == "warn")
    kept = kind == seen.kind and not told.personal  # what a personal column holds is nobody's to copy
    nullable = seen.nullable
    if "nullable" in declared:
        nullable = bool(told.nullable)
    if told.nullable:
        nullable, warned = True, tuple(r for r in warned if r != "nullable")
    return Column(
        name=seen.name,
        kind=kind,
        nullable=nullable,
        minimum=low if given["range"] else seen.minimum if kept else None,
        maximum=high if given["range"] else seen.maximum if kept else None,
        categories=told.categories if given["categories"] else seen.categories if kept else None,
        declared=declared,
        warned=warned,
        pattern=told.pattern,
        unique=told.unique,
        unit=told.unit,
        description=told.description,
        personal=told.personal,
        forbidden=told.forbidden,
    )


def severities(told: ColumnDeclared) -> Severities:
    """The severity of each rule of the column."""
    names: tuple[Rule, ...] = ("kind", "nullable", "range", "categories", "pattern", "unique")
    if isinstance(told.severity, str):
        found: Severities = dict.fromkeys(names, told.severity)
        found["kind"] = "error"
        return found
    found = dict.fromkeys(names, "error")
    found.update(told.severity)
    return found


def _bound(path: Path, name: str, key: str, value: Bound | None, kind: Kind) -> float | None:
    if value is None:
        return None
    if kind == "date" and isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return expressions.days(value)
    if kind == "datetime" and isinstance(value, dt.datetime):
        return expressions.microseconds(rules.in_utc(value))
    if kind == "datetime" and isinstance(value, dt.date):
        return expressions.microseconds(dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC))
    if kind in ("integer", "float") and type(value) in (int, float) and value == value:
        return float(value)
    wanted = {"date": "a date such as 2026-01-31", "datetime": "a time such as 2026-01-31T12:00:00Z"}
    advice = wanted.get(kind, "a number") if kind not in ("string", "boolean") else f"none for a {kind}"
    raise SettingsError(f"{path}: 'columns.{name}.{key}': is {value}; give {advice}.")


def _check_column(path: Path, name: str, column: ColumnDeclared) -> None:
    where = f"{path}: 'columns.{name}"
    if column.pattern is not None:
        try:
            rules.matcher(column.pattern)
        except patterns.BadPattern as error:
            raise SettingsError(f"{where}.pattern': {error}.") from None
    if column.categories is not None and not column.categories:
        raise SettingsError(f"{where}.categories': is empty; list what may be, or leave it out.")
    if isinstance(column.severity, dict) and column.severity.get("kind") == "warn":
        raise SettingsError(
            f"{where}.severity.kind': cannot be 'warn'; a value of another kind has no place."
        )


def _check_table(path: Path, table: TableDeclared) -> None:
    rows = table.rows
    if rows is not None and rows.min is not None and rows.max is not None and rows.min > rows.max:
        raise SettingsError(f"{path}: 'table.rows.min' is above its max.")


def near(name: str, known: Iterable[str]) -> str:
    """A guess at which of the known was meant, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean '{found[0]}'?)" if found and found[0] != name else ""
