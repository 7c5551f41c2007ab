"""The file in which people declare what a dataset must be, and read what was seen in it.

Above a line of our own stands what a person wrote, and nothing here ever changes a byte of it. Below it
stands what was inferred, in tables under ``[inferred]`` that the next version writes anew. The whole is
TOML. What is declared is enforced; what was only inferred marks and counts.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from modelyard.errors import SettingsError, StoreDown
from modelyard.records.schema import Column, Kind, RowRule, Rule, Schema, Severity
from modelyard.tables import expressions, rules

LINE = "# ---- Below this line 'modelyard ingest' writes what it saw; what you write goes above. ----"
_LINE = re.compile(rf"^{re.escape(LINE)}[ \t]*\r?$", re.MULTILINE)
_HEAD = """\
# The schema of '{dataset}'. What you declare here is enforced when rows come in, and in the
# service's requests; 'modelyard ingest' never changes it. For example:
#
#   [columns.age]
#   unit = "years"
#   minimum = 0
#   maximum = 120
#
# To hold a column to what was seen, copy its table from below to here without "inferred.".

"""

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
    within: Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,5}[smhd]$")]
    severity: Severity = "error"

    @property
    def span(self) -> dt.timedelta:
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[self.within[-1]]
        return dt.timedelta(**{unit: int(self.within[:-1])})


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
        """Of what is declared, however it is written; empty when nothing is."""
        if self == Declaration():
            return ""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def read(path: Path) -> Declaration:
    """What the file declares; nothing when there is no file.

    Raises ``SettingsError`` with file and key for what is unknown, ill-typed or cannot be right.
    """
    text = _text(path)
    if text is None:
        return Declaration()
    head = _head(path, text)
    whole, tree = _toml(path, text), _toml(path, head)
    whole.pop("inferred", None)
    if whole != tree:
        raise SettingsError(
            f"{path}: something is declared below the line of ours, where the next version would write over it; "
            "move it above that line."
        )
    try:
        declared = msgspec.convert(tree, Declaration, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(path, tree, str(error))) from None
    for name, column in declared.columns.items():
        _check(path, name, column)
    _check_table(path, declared.table)
    return declared


def write(path: Path, dataset: str, schema: Schema, rows: int) -> bool:
    """Write what was inferred below the line, and nothing above it; whether the file changed.

    A file that is not there is begun. Raises ``StoreDown`` when it cannot be written.
    """
    text = _text(path)
    head = _HEAD.format(dataset=dataset) if text is None else _head(path, text)
    if head and not head.endswith("\n"):
        head += "\n"
    new = f"{head}{LINE}\n\n{_inferred(schema, rows)}"
    if new == text:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(new)
                stream.flush()
                os.fsync(stream.fileno())
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
            Path(draft).chmod(mode)
            Path(draft).replace(path.resolve())
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise StoreDown(
            f"The schema file {path} cannot be written: {error.strerror}; make room or give permission."
        ) from None
    return True


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
                f"{path}: 'columns.{name}': the data has no column '{name}'{_near(name, names)}."
            )
    for name, column in declaration.columns.items():
        if column.forbidden and name == inferred.target:
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
            f"{path}: 'table.freshness.column': {what}{_near(fresh.column, names)}; name a column of dates or times."
        )
    if not schema.features:
        raise SettingsError(f"{path}: every column is target, key or forbidden; leave a feature.")
    return schema


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


def _check(path: Path, name: str, column: ColumnDeclared) -> None:
    where = f"{path}: 'columns.{name}"
    if column.pattern is not None:
        try:
            rules.matcher(column.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise SettingsError(f"{where}.pattern': is no regular expression: {error}.") from None
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


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")  # its line ends are kept as they are
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not TOML: it is not UTF-8 ({error.reason}).") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; give read permission on it.") from None


def _head(path: Path, text: str) -> str:
    """What stands above our line; all of it when the line is not there."""
    found = _LINE.search(text)
    if found is not None:
        return text[: found.start()]
    if "inferred" in _toml(path, text):
        raise SettingsError(
            f"{path}: the line of ours above [inferred] is gone; delete [inferred] and what follows it."
        )
    return text


def _toml(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None


_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")


def _explain(path: Path, tree: Mapping[str, Any], error: str) -> str:
    """The key that is wrong: each table is tried alone, since msgspec does not name a dict's key."""
    parts: list[tuple[str, Any, Any]] = [("table", tree.get("table", {}), TableDeclared)]
    for section, kind in (("columns", ColumnDeclared), ("rules", RuleDeclared)):
        inner = tree.get(section, {})
        if isinstance(inner, dict):
            parts += [(f"{section}.{name}", value, kind) for name, value in inner.items()]
    for key, value, kind in parts:
        if told := _wrong(key, value, kind):
            return f"{path}: {told}"
    return f"{path}: {_wrong('', tree, Declaration) or error}"


def _wrong(key: str, value: Any, kind: Any) -> str:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message = str(error)
    else:
        return ""
    inner = re.search(r" - at (?:`?key`? in )?`\$(?P<path>.*?)`$", message)
    place = (inner["path"].lstrip(".") if inner else "").replace("[...]", "")
    where = ".".join(part for part in (key, place) if part)
    if found := _UNKNOWN.search(message):
        for part in place.split(".") if place else ():
            kind = {"rows": RowsDeclared, "freshness": FreshnessDeclared}.get(part, kind)
        known = [f.name for f in msgspec.structs.fields(kind)]
        field = found["field"]
        dotted = f"{where}.{field}" if where else field
        return f"unknown key '{dotted}'{_near(field, known)}; known here: {', '.join(known)}."
    what = message.split(" - at ")[0]
    return f"'{where or 'the file'}': {what[:1].lower()}{what[1:]}."


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near and near[0] != name else ""


def _inferred(schema: Schema, rows: int) -> str:
    lines = ["[inferred]", f"rows = {rows}"]
    for column in schema.columns:
        lines += ["", f"[inferred.columns.{_key(column.name)}]", f'kind = "{column.kind}"']
        lines.append(f"nullable = {str(column.nullable).lower()}")
        told = {*column.declared, *column.warned}
        if "range" not in told and not column.personal:
            lines += [
                f"{key} = {_number(value, column)}"
                for key, value in (("minimum", column.minimum), ("maximum", column.maximum))
                if value is not None
            ]
        if "categories" not in told and column.categories is not None and not column.personal:
            lines.append(f"categories = [{', '.join(map(_string, column.categories))}]")
    return "\n".join(lines) + "\n"


def _number(value: float, column: Column) -> str:
    if column.kind in ("date", "datetime"):
        return rules.bound(column, value)
    return str(int(value)) if column.kind == "integer" else repr(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _string(name)


def _string(text: str) -> str:
    """As TOML writes it: JSON's escapes, but that DEL is one of them too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
