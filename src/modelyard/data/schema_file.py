"""The file in which people declare what a dataset must be, and read what was seen in it.

Above a line of our own stands what a person wrote, and nothing here ever changes a byte of it. Below it
stands what was inferred, in tables under ``[inferred]`` that the next version writes anew. The whole is
TOML. What is declared is enforced; what was only inferred marks and counts.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from modelyard.data.declaration import (
    ColumnDeclared,
    Declaration,
    FreshnessDeclared,
    RowsDeclared,
    RuleDeclared,
    TableDeclared,
    check,
    near,
)
from modelyard.errors import SettingsError, StoreDown
from modelyard.records.schema import Column, Schema
from modelyard.tables import rules

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
    check(declared, path)
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
        return f"unknown key '{dotted}'{near(field, known)}; known here: {', '.join(known)}."
    what = message.split(" - at ")[0]
    return f"'{where or 'the file'}': {what[:1].lower()}{what[1:]}."


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
