"""PostgreSQL by ADBC: binary COPY, in pieces, all parts in one snapshot."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from modelyard.data.sources.extra import needs
from modelyard.data.sources.secret import Filled
from modelyard.data.sources.since import Since, bounded
from modelyard.data.sources.staged import Place, Staged
from modelyard.errors import DataRefused, ModelyardError, SourceDown
from modelyard.settings import SourceSettings

_DIGITS = 15
_SETTING = "modelyard.watermark"
_SEVERITY = re.compile(r"(?:ERROR|FATAL|PANIC): +")
_LOGIN = ("authentication failed", "no pg_hba.conf entry", "FATAL: role", "FATAL: database")
_PASSING = ("08", "40", "53", "55", "57", "58", "XX")
"""Classes of SQLSTATE that pass: connection, conflict, resources, not ready, operator, system, internal."""
_PASSES = ("canceling", "conflict", "out of memory", "No space left", "too many", "could not")


def stage(url: Filled, query: str, origin: str, source: SourceSettings, place: Place) -> tuple[Staged, ...]:
    """All parts see one state of the database, whoever writes meanwhile.

    ``numeric`` becomes integers or floats where no digit is lost, ``uuid`` and enumerations texts.
    """
    query = bounded(query, place.since, _watermark(place.since), origin)
    driver: Any = needs("adbc_driver_postgresql.dbapi", "postgres", "PostgreSQL")
    names = _Names(url, origin)
    with (
        names.of(driver),
        closing(_connect(driver, url.text, source.timeout)) as first,
        closing(first.cursor()) as cursor,
    ):
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _tell(cursor, place.since)
        if source.partition_on is None:
            return (_copy(cursor, query, place.new("query.parquet"), origin),)
        parts = _parts(cursor, query, source.partition_on, source.partitions, origin)
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]

        def part(where: str, target: Path) -> Staged:
            with (
                names.of(driver),
                closing(_connect(driver, url.text, source.timeout)) as other,
                closing(other.cursor()) as own,
            ):
                own.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                own.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                _tell(own, place.since)
                return _copy(own, f"SELECT * FROM ({query}\n) AS source WHERE {where}", target, origin)

        return side_by_side(part, [(where, place.new("part.parquet")) for where in parts])


def _watermark(since: Since | None) -> str:
    """COPY binds no parameters, but a setting of the transaction does."""
    kinds = {int: "bigint", float: "float8", dt.datetime: "timestamptz", dt.date: "date"}
    return f"current_setting('{_SETTING}')::{kinds[type(since.value)]}" if since else "NULL"


def _tell(cursor: Any, since: Since | None) -> None:
    if since:
        cursor.execute("SELECT set_config($1, $2, true)", (_SETTING, since.text))
        cursor.fetchone()


def side_by_side(part: Callable[[str, Path], Staged], work: list[tuple[str, Path]]) -> tuple[Staged, ...]:
    """Every part in a thread of its own; the first error ends them all."""
    with ThreadPoolExecutor(len(work)) as pool:
        running = [pool.submit(part, *one) for one in work]
        return tuple(one.result() for one in running)


def ranges(low: int, high: int, count: int, column: str) -> list[str]:
    """Conditions that part the integers from ``low`` to ``high``; a null belongs to the first."""
    count = min(count, high - low + 1)
    edges = [low + (high - low + 1) * at // count for at in range(1, count)]
    inner = [f"{column} >= {one} AND {column} < {two}" for one, two in pairwise(edges)]
    if not edges:
        return ["1 = 1"]
    return [f"({column} < {edges[0]} OR {column} IS NULL)", *inner, f"{column} >= {edges[-1]}"]


def _connect(driver: Any, url: str, timeout: float) -> Any:
    joint = "&" if "?" in url else "?"
    extra = "" if "connect_timeout=" in url else f"{joint}connect_timeout={max(2, round(timeout))}"
    return driver.connect(url + extra)


def _parts(cursor: Any, query: str, column: str, count: int, origin: str) -> list[str]:
    name = '"' + column.replace('"', '""') + '"'
    cursor.execute(f"SELECT min({name}), max({name}) FROM ({query}\n) AS source")
    low, high = cursor.fetchone()
    if low is None:
        return ["true"]
    if type(low) is not int:
        raise DataRefused(f"{origin}: 'partition_on' names '{column}', which is no integer column; name one.")
    return ranges(low, high, count, name)


def _copy(cursor: Any, query: str, target: Path, origin: str) -> Staged:
    # Imported here: what the class needs loads Polars.
    import pyarrow as pa

    from modelyard.data.sources.writing import ParquetFile

    cursor.execute(query)
    reader = cursor.fetch_record_batch()
    with ParquetFile(target, origin) as out:
        out.add(_plain(pa.Table.from_batches([], reader.schema), origin))
        for batch in reader:
            out.add(_plain(pa.Table.from_batches([batch]), origin))
        return out.finish()


def _plain(table: Any, origin: str) -> Any:
    """``numeric`` comes as texts and ``uuid`` as bytes: say what they stand for."""
    for at, field in enumerate(table.schema):
        kind = _postgres_type(field)
        if kind == "numeric":
            table = table.set_column(at, field.name, _numbers(table[field.name], field.name, origin))
        elif kind == "uuid":
            table = table.set_column(at, field.name, _uuids(table[field.name]))
        elif kind == "money":  # which comes as an integer of cents, whatever its currency
            raise DataRefused(
                f"{origin}: column '{field.name}' is of type money, which has no place in a dataset; "
                f"write {field.name}::numeric in the query."
            )
    return table


def _postgres_type(field: Any) -> str:
    said = field.metadata or {}
    for key in (b"POSTGRESQL:type", b"ADBC:postgresql:typname"):
        if key in said:
            return bytes(said[key]).decode()
    return str(getattr(field.type, "type_name", ""))


def _numbers(array: Any, name: str, origin: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pa.chunked_array([getattr(chunk, "storage", chunk) for chunk in array.chunks], pa.string())
    figures = pc.replace_substring_regex(texts, r"[^0-9]|\.0*$", "")
    digits = pc.utf8_length(pc.utf8_ltrim(figures, characters="0"))
    if (pc.max(digits).as_py() or 0) > _DIGITS:
        raise DataRefused(
            f"{origin}: column '{name}' is numeric with values of more than {_DIGITS} digits, which has no place "
            "in a dataset; cast it to text or double precision in the query."
        )
    return texts.cast(pa.float64())


def _uuids(array: Any) -> Any:
    import uuid

    import pyarrow as pa

    values = (v if isinstance(v, uuid.UUID | None) else uuid.UUID(bytes=v) for v in array.to_pylist())
    return pa.chunked_array([pa.array([None if v is None else str(v) for v in values], pa.string())])


class _Names:
    """The driver's errors as one sentence with our name of the database, and no credentials."""

    def __init__(self, url: Filled, origin: str) -> None:
        self._url, self._origin = url, origin

    @contextmanager
    def of(self, driver: Any) -> Iterator[None]:
        try:
            yield
        except ModelyardError:
            raise
        except (driver.Error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, not the database
            raise self._told(error) from None

    def _told(self, error: Any) -> ModelyardError:
        message = self._url.hide(error)
        state = str(getattr(error, "sqlstate", "") or "")
        reason = _SEVERITY.split(message)[-1].partition(" LINE ")[0].strip().rstrip(".")
        if any(word in message for word in _LOGIN):
            return DataRefused(f"{self._origin} refuses the login: {reason}; mend 'url' or the password.")
        # Amid the rows the driver tells no state: an ERROR is the query's, a FATAL the server's.
        passing = state[:2] in _PASSING or (not state and any(word in reason for word in _PASSES))
        if not passing and (state or "ERROR: " in message):
            return DataRefused(f"{self._origin} refuses the query: {reason}; mend 'query'.")
        return SourceDown(f"{self._origin} is down or went away: {reason}; run it again when it answers.")
