"""Where the rows of an incremental ingest begin, as each kind of source is told it."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from modelyard.errors import SettingsError

_MARGIN = dt.timedelta(days=1)
_SLOT = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | (?<![:\w]):watermark\b""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Since:
    """Rows whose ``on`` is below ``value`` are not wanted; times are in UTC."""

    on: str
    value: int | float | dt.date | dt.datetime
    above: bool = False
    """Rows with just this value are not wanted either."""
    named: bool = False
    """Only queries that name it are told: a transform comes between, and ``on`` is a column of what it makes."""

    @property
    def loosely(self) -> int | float | dt.date | dt.datetime:
        """As databases are told it: a day earlier, for they may keep times in another zone than UTC.

        Too many rows cost little, since all are held against ``value`` after they were read.
        """
        value = self.value
        if not isinstance(value, dt.date):
            return value
        first = dt.datetime(1, 1, 3, tzinfo=dt.UTC)
        if isinstance(value, dt.datetime):
            return max(value, first) - _MARGIN
        return max(value, first.date()) - _MARGIN

    @property
    def text(self) -> str:
        """``loosely`` as ISO 8601."""
        value = self.loosely
        return value.isoformat() if isinstance(value, dt.date) else repr(value)


def bounded(query: str, since: Since | None, slot: str, origin: str, *, quotes: str = '""') -> str:
    """The query with ``slot`` for each ``:watermark`` outside of texts and comments, or, where it names none,
    within one that asks for ``on`` from ``slot``, unless only queries that name it are told.

    ``quotes`` are those of names. Raises ``SettingsError`` for a query that needs a watermark before there is one.
    """
    found = 0

    def put(match: re.Match[str]) -> str:
        nonlocal found
        if match[0] != ":watermark":
            return match[0]
        found += 1
        return slot

    said = _SLOT.sub(put, query)
    if found and since is None:
        raise SettingsError(
            f"The query of '{origin}' names :watermark, and there is none yet; "
            "set incremental = { mode = 'watermark', on = COLUMN, since = FIRST } in the dataset."
        )
    if found or since is None or since.named:
        return said
    left, right = quotes[0], quotes[1]
    name = left + since.on.replace(right, right * 2) + right
    return f"SELECT * FROM ({query}\n) AS source WHERE {name} >= {slot}"


def literal(since: Since | None, scheme: str) -> str:
    """The value as SQL, made of a number, a day or a time and of nothing else, for drivers that bind none."""
    if since is None:
        return "NULL"
    value = since.loosely
    if not isinstance(value, dt.date):
        return repr(value)
    word = "TIMESTAMP" if isinstance(value, dt.datetime) else "DATE"
    text = value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, dt.datetime) else value.isoformat()
    if scheme == "mssql":
        return f"CAST('{text.replace(' ', 'T')}' AS {'DATETIME2' if word == 'TIMESTAMP' else 'DATE'})"
    return f"{word} '{text}'"
