"""An existing Delta table, or a version of it, as Parquet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from modelyard.data.sources.staged import Place, Staged
from modelyard.errors import DataRefused, SourceMissing, StoreDown
from modelyard.records.dataset import SourceFile
from modelyard.settings import SourceSettings


def fingerprint(source: SourceSettings, root: Path) -> SourceFile:
    """By the table's identity and version, without reading a row."""
    table, name = _open(source, root), _name(source)
    at = f"{table.metadata().id}@{table.version()}"
    return SourceFile(
        path=name, size=0, sha256=hashlib.sha256(at.encode()).hexdigest(), mark=f"version {table.version()}"
    )


def stage(source: SourceSettings, place: Place) -> Staged:
    """The version's rows, partition columns and all, streamed."""
    import polars as pl
    from deltalake.exceptions import DeltaError

    table = _open(source, place.root)
    origin = f"{_name(source)}, version {table.version()}"
    target = place.new("delta.parquet")
    try:
        pl.scan_delta(table).sink_parquet(target)
    except FileNotFoundError as error:
        raise DataRefused(
            f"{origin} lacks a file that its log names ({Path(str(error.filename or error)).name[:120]}); "
            "restore it, or name a version that was not vacuumed."
        ) from None
    except (pl.exceptions.PolarsError, DeltaError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise DataRefused(f"{origin} cannot be read: {reason}.") from None
    return Staged(path=target, form="parquet", origin=origin)


def _open(source: SourceSettings, root: Path) -> Any:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    name = _name(source)
    folder = root / name
    if not (folder / "_delta_log").is_dir():
        raise SourceMissing(
            f"There is no Delta table at '{name}' in {root}; put it there or change 'source'."
        )
    try:
        return DeltaTable(folder, version=source.version)
    except TableNotFoundError:
        raise SourceMissing(
            f"There is no Delta table at '{name}' in {root}; put it there or change 'source'."
        ) from None
    except DeltaError as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        if source.version is not None:
            latest = DeltaTable(folder).version()
            raise SourceMissing(
                f"The Delta table '{name}' has no version {source.version} to read (its latest is {latest}); name another."
            ) from None
        raise DataRefused(f"The Delta table '{name}' cannot be read: {reason}.") from None
    except OSError as error:
        raise StoreDown(f"The Delta table '{name}' cannot be read: {error.strerror or error}.") from None


def _name(source: SourceSettings) -> str:
    return source.delta or source.path or ""
