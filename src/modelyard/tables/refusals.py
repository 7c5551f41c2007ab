"""Why rows of a request are refused, in the words of the slow checker (floor 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from modelyard.errors import RequestRefused
from modelyard.records.schema import Schema
from modelyard.tables import rules

_PLACE = re.compile(r"`\$(?:\.rows)?\[(\d+)\](?:\.(.*))?`$", re.DOTALL)


class Refusals:
    """Of one schema's rows. Rows are numbered from 0, as positions in the request."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._features = frozenset(c.name for c in schema.features)

    def of_row(self, row: Mapping[str, object], at: int) -> RequestRefused | None:
        """The row's first fault in the slow checker's words."""
        for fault in rules.faults(self._schema, _bounded(row, self._features), at=at):
            return RequestRefused(fault.message, field=fault.field, row=at)
        return None

    def of_body(self, body: bytes, error: Exception, max_rows: int) -> RequestRefused:
        """Why a body does not decode."""
        try:
            value = msgspec.json.decode(body)
        except RecursionError:
            return RequestRefused("The body is nested too deeply; give plain values by feature.")
        except UnicodeDecodeError:
            return RequestRefused("The body is not UTF-8; encode it so.")
        except msgspec.ValidationError:  # well-formed, but for a number that no float64 holds
            return self.of_rows([], error)
        except msgspec.DecodeError as malformed:
            return RequestRefused(f"The body is not JSON: {malformed}.")
        rows = value.get("rows") if isinstance(value, dict) else None
        if not isinstance(rows, list) or len(value) > 1:
            return RequestRefused(
                'The body must be an object with the key "rows" alone: a list of objects by feature.'
            )
        if not 0 < len(rows) <= max_rows:
            return count(len(rows), max_rows)
        return self.of_rows(rows, error)

    def of_rows(self, rows: Sequence[object], error: Exception) -> RequestRefused:
        """The slow checker's word on the row that msgspec stumbled over."""
        place = _PLACE.search(str(error))
        if place is None:
            return RequestRefused(f"The rows cannot be read: {error}; give plain values by feature.")
        at, field = int(place[1]), place[2]
        if at < len(rows):
            row = rows[at]
            if not isinstance(row, Mapping):
                return RequestRefused(f"Row {at} must be an object of values by feature.", row=at)
            if (refused := self.of_row(row, at)) is not None:
                return refused
            return RequestRefused(f"Row {at} names a feature twice; name each once.", field=field, row=at)
        return RequestRefused(
            f"Row {at}: '{field}' is a number that no float64 can hold; give a smaller one.",
            field=field,
            row=at,
        )


def _bounded(row: Mapping[str, object], known: frozenset[str]) -> Mapping[str, object]:
    """The row with no more than its first unknown field, since each costs a search for a likely name."""
    found: dict[str, object] = {name: row[name] for name in known if name in row}
    for name in row:
        if name not in known:
            found[name] = None
            break
    return found


def count(rows: int, most: int) -> RequestRefused:
    if rows == 0:
        return RequestRefused("The request has no rows; send at least one.")
    return RequestRefused(f"The request has {rows} rows; send at most {most}.")
