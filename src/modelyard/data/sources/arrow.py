"""Arrow IPC files and streams (Feather), as Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from modelyard.data.sources.staged import Place, Staged
from modelyard.data.sources.writing import ParquetFile
from modelyard.errors import DataRefused


def stage(path: Path, origin: str, place: Place) -> Staged:
    """Batch by batch; both forms of the format are read.

    Raises ``DataRefused`` for a damaged file and for a column of a type that has no place.
    """
    if not path.stat().st_size:
        raise DataRefused(f"{origin} is empty; give it columns and rows.")
    with (
        pa.memory_map(str(path)) as content,
        ParquetFile(place.new(path.stem + ".parquet"), origin) as out,
    ):
        try:
            for table in _tables(content):
                out.add(table)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = " ".join(str(error).split())[:160].rstrip(".")
            raise DataRefused(f"{origin} is no readable Arrow file: {reason}.") from None
        return out.finish()


def _tables(content: Any) -> Any:
    try:
        reader = pa.ipc.open_file(content)
    except pa.ArrowInvalid:
        content.seek(0)
        stream = pa.ipc.open_stream(content)
        yield pa.Table.from_batches([], stream.schema)
        for batch in stream:
            yield pa.Table.from_batches([batch])
        return
    yield pa.Table.from_batches([], reader.schema)
    for at in range(reader.num_record_batches):
        yield pa.Table.from_batches([reader.get_batch(at)])
