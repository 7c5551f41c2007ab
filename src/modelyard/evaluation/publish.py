"""A report as files: one record, three renderings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from modelyard.errors import StoreDown
from modelyard.records.report import Report
from modelyard.render import html, markdown


def publish(report: Report, folder: Path) -> tuple[Path, Path, Path]:
    """Write ``report.json``, ``report.md`` and ``report.html`` into ``folder``, made when absent.

    Each file is replaced whole or not at all. All three are rendered before the first is written.
    Raises ``StoreDown`` when the folder cannot be written.
    """
    renderings = {
        "report.json": msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n",
        "report.md": markdown.report(report).encode(),
        "report.html": html.report(report).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in renderings.items():
            _replace(folder / name, content)
    except OSError as error:
        raise StoreDown(f"The report could not be written to {folder}: {error.strerror or error}.") from None
    return folder / "report.json", folder / "report.md", folder / "report.html"


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
