"""One local file of any form, whatever brought it here."""

from __future__ import annotations

from pathlib import Path

from modelyard.data.sources import arrow, excel, json_lines, text
from modelyard.data.sources.staged import Place, Staged
from modelyard.errors import DataRefused
from modelyard.settings import SourceSettings

_FORMS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
_COMPRESSED = {".gz": "gz", ".zst": "zst"}
_TEXTS = ("csv", "tsv", "jsonl")


def stage(path: Path, origin: str, source: SourceSettings, place: Place) -> Staged:
    """By the setting ``format``, else by the ending of ``origin``.

    Raises ``DataRefused`` for a file whose form cannot be told or that does not hold it.
    """
    form, compression = form_of(origin, source)
    if form in ("csv", "tsv"):
        return text.stage(path, origin, source, place, compression=compression, tab=form == "tsv")
    if form == "jsonl":
        return json_lines.stage(path, origin, source, place, compression=compression)
    if form == "arrow":
        return arrow.stage(path, origin, place)
    if form == "excel":
        return excel.stage(path, origin, source.sheet, place)
    return Staged(path=path, form="parquet", origin=origin)


def form_of(name: str, source: SourceSettings) -> tuple[str, str]:
    """(form, compression) of a file or address. Raises ``DataRefused`` when neither tells."""
    ending = (name.partition("?")[0] if "://" in name else name).rpartition("/")[2]
    lower = [f".{part}" for part in ending.lower().lstrip(".").split(".")[1:]]
    compression = _COMPRESSED.get(lower[-1], "") if lower else ""
    if compression:
        lower.pop()
    form = source.format or _FORMS.get(lower[-1] if lower else "", "")
    if not form:
        raise DataRefused(
            f"{name}: its ending tells no form ({', '.join(_FORMS)}, or a text with .gz or .zst); "
            "set 'format', or name the files with a glob."
        )
    if compression and form not in _TEXTS:
        raise DataRefused(
            f"{name}: only texts are read compressed, and {form} is compressed inside; unpack it."
        )
    return form, compression
