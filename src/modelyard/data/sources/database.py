"""A query's rows: SQLite by the standard library, PostgreSQL by ADBC, MySQL and SQL Server by ConnectorX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelyard.data.sources import listing
from modelyard.data.sources.secret import Filled, fill
from modelyard.data.sources.staged import Place, Staged
from modelyard.errors import SettingsError, SourceMissing
from modelyard.settings import SourceSettings


def stage(source: SourceSettings, place: Place) -> tuple[Staged, ...]:
    """Streamed; in parts, side by side, with ``partition_on``.

    Raises ``DataRefused`` for a query that the database refuses and for columns of types without a
    place, ``SourceDown`` for a database that cannot be reached or goes away.
    """
    from modelyard.data.sources import connectorx, postgres, sqlite

    url, query = fill(source.url or "", place.root), query_of(source, place.root)
    scheme = listing.scheme_of(url.text)
    origin = listing.name_of(source)
    if scheme == "sqlite":
        return (sqlite.stage(file_of(url.text, place.root), query, origin, place),)
    if scheme in ("postgresql", "postgres"):
        return postgres.stage(url, query, origin, source, place)
    if scheme in ("mysql", "mariadb", "mssql"):
        return connectorx.stage(url, query, origin, source, place)
    raise SettingsError(
        f"The database '{origin}' is of no known kind; known: postgresql://, mysql://, mariadb://, mssql://, "
        "sqlite:///. Read others by a function, source = { python = 'FILE.py:FUNCTION' }."
    )


def sqlite_files(source: SourceSettings, root: Path) -> Iterator[Path]:
    """The files that a SQLite source is in; none for another database."""
    url: Filled = fill(source.url or "", root)
    if listing.scheme_of(url.text) == "sqlite":
        path = file_of(url.text, root)
        yield path
        log = path.with_name(path.name + "-wal")
        if log.is_file():
            yield log


def query_of(source: SourceSettings, root: Path) -> str:
    """The setting's SQL; what ends in ``.sql`` is a file of the project."""
    query = (source.query or "").strip()
    if query.endswith(".sql") and len(query.split()) == 1:
        try:
            query = (root / query).read_text(encoding="utf-8-sig").strip()
        except UnicodeDecodeError:
            raise SettingsError(f"The query {query} is not UTF-8; save it so.") from None
        except OSError as error:
            raise SourceMissing(f"The query {root / query} cannot be read: {error.strerror}.") from None
    return query.rstrip(";").rstrip()


def file_of(url: str, root: Path) -> Path:
    path = url.partition("://")[2].partition("?")[0]
    if not path.startswith("/") or len(path) < 2:
        raise SettingsError("A SQLite address is sqlite:///FILE, or sqlite:////FILE from the root.")
    found = root / path[1:]
    if not found.is_file():
        raise SourceMissing(f"There is no database '{path[1:]}' in {root}; put it there or change 'source'.")
    return found
