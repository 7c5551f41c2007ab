"""SQLite: one transaction, read-only, in pieces."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from urllib.parse import quote

from modelyard.data.sources.since import bounded
from modelyard.data.sources.staged import Place, Staged
from modelyard.data.sources.writing import ParquetFile
from modelyard.errors import DataRefused, SourceDown

_ROWS = 20_000
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def stage(path: Path, query: str, origin: str, place: Place) -> Staged:
    """Values as SQLite holds them; texts that are all ISO dates or times become such."""
    since = place.since
    try:
        with (
            sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True) as database,
            ParquetFile(place.new("query.parquet"), origin, moments=True) as out,
        ):
            # Texts of times begin with their day in any spelling that is read.
            told = (
                {"watermark": since.text[:10] if isinstance(since.value, dt.date) else since.loosely}
                if since
                else {}
            )
            rows = database.execute(bounded(query, since, ":watermark", origin), told)
            names = [column[0] for column in rows.description or ()]
            out.add_rows(names, [[] for _ in names])
            while piece := rows.fetchmany(_ROWS):
                out.add_rows(names, list(zip(*piece, strict=True)))
            return out.finish()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise SourceDown(f"{origin} cannot be read: {error}; run it again.") from None
        raise DataRefused(f"{origin} refuses the query: {error}; mend 'query'.") from None
