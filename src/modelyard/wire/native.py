"""The service's own JSON: ``{"rows": [...]}``, its rarer forms, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from modelyard.records.package import Label

_JSON = msgspec.json.Encoder()


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reply, as a client reads it; regression has neither ``probability`` nor ``classes``, and only one of
    quantiles has ``quantiles`` (a number for each of ``levels``), of which ``prediction`` is the middle one. Of several
    labels a prediction is a list of those that hold, and ``probability`` each label's own."""

    status: str
    model_id: str
    request_id: str
    prediction: list[Label | float | list[Label]]
    probability: list[list[float]] | None = None
    classes: list[Label] | None = None
    quantiles: list[list[float]] | None = None
    levels: list[float] | None = None


def read_answer(content: bytes) -> Answered:
    """Decode a reply; ``msgspec.ValidationError`` when it is none."""
    return msgspec.json.decode(content, type=Answered)


def other_form(body: bytes, names: Sequence[str]) -> list[dict[str, Any]] | dict[str, list[Any]] | None:
    """The rows or columns of a body that is not ``{"rows": [{...}, ...]}``; None when it is no such form.

    ``{"columns": {...}}`` and ``{"input": ...}``; in both and in ``rows`` the table may be rows as objects or as
    lists in the order of ``names``, columns by name, or one row as an object.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(value, dict) or len(value) != 1:
        return None
    [(key, table)] = value.items()
    if key not in ("rows", "columns", "input"):
        return None
    if isinstance(table, dict):
        if table and all(isinstance(column, list) for column in table.values()):
            return table
        return None if key == "columns" else [table]
    if not isinstance(table, list):
        return None
    if table and all(isinstance(row, list) and len(row) == len(names) for row in table):
        return [dict(zip(names, row, strict=True)) for row in table]
    objects = all(isinstance(row, dict) for row in table)
    return table if key == "input" and objects else None


class Replies:
    """Writes replies of one model: what is the same in each of them is encoded once."""

    def __init__(self, model_id: str, classes: Sequence[Label], levels: Sequence[float] = ()) -> None:
        self._start = b'{"status":"ok","model_id":' + _JSON.encode(model_id) + b',"request_id":"'
        self._end = b',"classes":' + _JSON.encode(list(classes)) + b"}" if classes else b"}"
        self._beside = b"quantiles" if levels else b"probability"
        if levels:
            self._end = b',"levels":' + _JSON.encode(list(levels)) + b"}"

    def write(
        self, request_id: bytes, prediction: Sequence[object], beside: Sequence[Sequence[float]] | None
    ) -> bytes:
        """One reply; ``request_id`` is ASCII without quotes, ``beside`` [n][k] probabilities or quantiles."""
        told = _JSON.encode(prediction)
        if beside is None:
            return b'%b%b","prediction":%b%b' % (self._start, request_id, told, self._end)
        numbers = _JSON.encode(beside)
        return b'%b%b","prediction":%b,"%b":%b%b' % (
            self._start,
            request_id,
            told,
            self._beside,
            numbers,
            self._end,
        )

    def each(
        self, ids: Sequence[bytes], prediction: Sequence[object], beside: Sequence[Sequence[float]] | None
    ) -> list[bytes]:
        """A reply for each row: what ``write`` gives for it alone, with all rows encoded at once."""
        start, end = self._start, self._end
        told = _JSON.encode_lines(prediction).split(b"\n")
        if beside is None:
            return [
                b'%b%b","prediction":[%b]%b' % (start, i, p, end) for i, p in zip(ids, told, strict=False)
            ]
        form = b'%%b%%b","prediction":[%%b],"%b":[%%b]%%b' % self._beside
        numbers = _JSON.encode_lines(beside).split(b"\n")
        return [form % (start, i, p, b, end) for i, p, b in zip(ids, told, numbers, strict=False)]
