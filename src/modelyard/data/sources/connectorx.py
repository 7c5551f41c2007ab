"""MySQL, MariaDB and SQL Server by ConnectorX, in pieces."""

from __future__ import annotations

import os
import socket
from typing import Any
from urllib.parse import urlsplit

from modelyard.data.sources.extra import needs
from modelyard.data.sources.listing import scheme_of
from modelyard.data.sources.secret import Filled
from modelyard.data.sources.since import bounded, literal
from modelyard.data.sources.staged import Place, Staged
from modelyard.data.sources.writing import ParquetFile
from modelyard.errors import DataRefused, ModelyardError, SourceDown
from modelyard.settings import SourceSettings

_ROWS = 50_000
_PORTS = {"mysql": 3306, "mariadb": 3306, "mssql": 1433}
_PATIENCE = 10.0
"""Seconds until a connection."""
_REFUSED = (
    "syntax", "doesn't exist", "unknown column", "unknown database", "access denied", "denied",
    "invalid object", "invalid column", "no conversion rule", "not implemented", "cannot produce", "partition",
)  # fmt: skip


def stage(url: Filled, query: str, origin: str, source: SourceSettings, place: Place) -> tuple[Staged, ...]:
    """One Parquet file; with ``partition_on`` that many connections read ranges of the column.

    A watermark is told as a literal that is made of a number or a time, since the driver binds nothing.
    These read each its own state of the database: partition a table that nobody writes to meanwhile.
    """
    scheme = scheme_of(url.text)
    since = None if scheme == "mssql" and ":watermark" not in query else place.since
    query = bounded(query, since, literal(since, scheme), origin, quotes="[]" if scheme == "mssql" else "``")
    connectorx: Any = _library("sqlserver" if scheme == "mssql" else "mysql")
    _reach(url, origin, _PORTS[scheme])
    address = "mysql" + url.text[len("mariadb") :] if url.text.startswith("mariadb://") else url.text
    parts = {} if source.partition_on is None else {
        "partition_on": source.partition_on, "partition_num": source.partitions,
    }  # fmt: skip
    try:
        reader = connectorx.read_sql(address, query, return_type="arrow_stream", batch_size=_ROWS, **parts)
        import pyarrow as pa

        with ParquetFile(place.new("query.parquet"), origin) as out:
            out.add(pa.Table.from_batches([], reader.schema))
            for batch in reader:
                out.add(pa.Table.from_batches([batch]))
            return (out.finish(),)
    except ModelyardError:
        raise
    except BaseException as error:  # the driver's panics are of no class of Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _told(url.hide(error).rstrip("."), origin) from None


def _library(extra: str) -> Any:
    """The library, which would log each of its attempts where our sentences stand."""
    before = os.environ.get("RUST_LOG")
    os.environ["RUST_LOG"] = "off"
    try:
        return needs("connectorx", extra, "this database")
    finally:
        if before is None:
            del os.environ["RUST_LOG"]
        else:
            os.environ["RUST_LOG"] = before


def _reach(url: Filled, origin: str, port: int) -> None:
    """Raises ``SourceDown`` at once where nobody listens; the library tries for half a minute."""
    parts = urlsplit(url.text)
    try:
        socket.create_connection((parts.hostname or "", parts.port or port), timeout=_PATIENCE).close()
    except ValueError:
        return  # no port that can be: the library says so
    except OSError as error:
        raise _told(url.hide(error.strerror or error), origin) from None


def _told(reason: str, origin: str) -> ModelyardError:
    if any(word in reason.lower() for word in _REFUSED):
        return DataRefused(f"{origin} refuses: {reason}; mend the query or the login.")
    return SourceDown(f"{origin} is down or went away: {reason}; run it again when it answers.")
