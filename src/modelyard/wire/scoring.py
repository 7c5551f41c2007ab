"""The forms of MLflow's scoring server (``/invocations``) and of KServe's V1 (``:predict``)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from modelyard.records.schema import Column, Schema
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed, Given, Reading, by_column

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_TRUE = {"true": True, "false": False, "1": True, "0": False}
_NULLS = frozenset({"", "nan"})


class Scored(Reading, frozen=True):
    """Replies as ``mlflow.pyfunc.load_model(package).predict`` answers: a classifier's probabilities, a regression's
    numbers or quantiles, else labels, of several 1 or 0 for each."""

    def write(self, given: Given) -> Framed:
        said: Any = given.prediction if given.beside is None else given.beside
        if given.beside is None and given.told.task == "multilabel":
            said = [[float(label in held) for label in given.told.classes] for held in given.prediction]
        return Framed(msgspec.json.encode({"predictions": said}), headers=_named(given))


class Predicted(Reading, frozen=True):
    """Replies with the predictions themselves, as V1 has them."""

    def write(self, given: Given) -> Framed:
        return Framed(msgspec.json.encode({"predictions": given.prediction}), headers=_named(given))


def _named(given: Given) -> bytes:
    """These forms have no place for the request's id, which outcomes join on."""
    return b"modelyard-request-id: " + given.request_id.encode() + b"\r\n"


def read_v1(content: bytes, schema: Schema) -> Reading:
    """``{"instances": [...]}`` or ``{"inputs": [...]}``; ``Problem`` 400."""
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is no JSON: {_said(error)}.") from None
    given = [k for k in ("instances", "inputs") if isinstance(value, dict) and k in value]
    if len(given) != 1:
        raise Problem(400, 'The body must be an object with "instances": a list of rows.')
    names = [c.name for c in schema.features]
    return Predicted(columns=_typed(by_column(value[given[0]], names, what=f'"{given[0]}"'), schema))


def read_invocation(content: bytes, kind: str, schema: Schema) -> Reading:
    """One of MLflow's four JSON forms, or CSV with a header; ``Problem`` 400, and 415 for another type."""
    if kind == "text/csv":
        return Scored(columns=read_csv(content, schema))
    if kind not in ("application/json", ""):
        raise Problem(415, f"/invocations takes application/json or text/csv, not {kind[:60]}.")
    value = _json(content)
    given = [k for k in _FORMS if isinstance(value, dict) and k in value]
    if not isinstance(value, dict) or len(given) != 1:
        forms = ", ".join(f'"{form}"' for form in _FORMS)
        raise Problem(400, f"The body must be an object with exactly one of {forms}.")
    for key in value.keys() - {given[0], "params"}:
        raise Problem(400, f'The body has "{key[:40]}" beside "{given[0]}"; only "params" may be there.')
    if value.get("params") not in (None, {}):
        raise Problem(400, 'This model takes no "params": leave them out.')
    names = [c.name for c in schema.features]
    form = given[0]
    if form == "dataframe_split":
        columns = _split(value[form], names)
    else:
        columns = by_column(value[form], names, what=f'"{form}"')
    return Scored(columns=_typed(columns, schema))


def _json(content: bytes) -> Any:
    """MLflow's own clients write NaN for what is missing, which strict readers refuse."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if b"NaN" not in content:
            raise Problem(400, f"The body is no JSON: {_said(error)}.") from None
    try:
        return json.loads(content, parse_constant=_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"The body is no JSON: {_said(error)}.") from None


def _constant(word: str) -> None:
    if word != "NaN":
        raise ValueError(f"{word} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is a number that no float64 can hold")
    return number


def _said(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _split(value: object, names: Sequence[str]) -> dict[str, list[Any]]:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise Problem(400, '"dataframe_split" must be an object with "columns" and "data".')
    columns = value.get("columns", list(names))
    if not isinstance(columns, list) or not all(isinstance(c, str) for c in columns):
        raise Problem(400, '"dataframe_split": "columns" must be a list of names.')
    if len(set(columns)) < len(columns):
        raise Problem(400, '"dataframe_split": "columns" names a column twice.')
    if not value["data"]:
        raise Problem(400, '"dataframe_split" holds no rows.')
    found = by_column(value["data"], columns, what='"dataframe_split"')
    return by_column(found, names, what='"dataframe_split"')


def _typed(columns: dict[str, list[Any]], schema: Schema) -> dict[str, list[Any]]:
    """As pandas writes them: 0 and 1 for booleans that passed through a column of numbers, and one-element lists."""
    for column in schema.features:
        values = columns[column.name]
        if all(isinstance(v, list) and len(v) == 1 for v in values):
            values = [v[0] for v in values]
        if column.kind == "boolean":
            values = [bool(v) if type(v) in (int, float) and v in (0, 1) else v for v in values]
        columns[column.name] = values
    return columns


def read_csv(content: bytes, schema: Schema) -> dict[str, list[Any]]:
    """A CSV with a header row as columns of the schema's kinds; empty and NaN are null. ``Problem`` 400."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        rows = [row for row in lines if row]
    except UnicodeDecodeError:
        raise Problem(400, "The body is not UTF-8: encode it so.") from None
    except csv.Error as error:
        raise Problem(400, f"The body is no CSV: {error}.") from None
    if len(set(header)) < len(header):
        raise Problem(400, "The CSV's header names a column twice.")
    if not rows:
        raise Problem(400, "The CSV holds no rows: give a header and at least one row.")
    columns = by_column(rows, header, what="The CSV")
    found = by_column(columns, [c.name for c in schema.features], what="The CSV")
    return {c.name: [_cell(c, text) for text in found[c.name]] for c in schema.features}


def _cell(column: Column, text: str) -> object:
    """A cell as JSON would have it; what cannot be read stays text, which the check refuses by name."""
    if column.kind in ("string", "date", "datetime"):
        return text or None
    plain = text.strip()
    if plain.lower() in _NULLS:
        return None
    if column.kind == "boolean":
        return _TRUE.get(plain.lower(), text)
    if "_" in plain or not plain.isascii():
        return text
    try:
        number = float(plain)
    except ValueError:
        return text
    if not math.isfinite(number):
        raise Problem(400, f"'{column.name}' holds {plain[:20]}, which no feature takes.", field=column.name)
    if column.kind == "integer" and plain.lstrip("+-").isdigit() and len(plain) < 20:
        return int(plain)
    return number
