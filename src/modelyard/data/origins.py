"""All that a dataset version is made of: what its sources hold, and what its transform says."""

from __future__ import annotations

import os
from pathlib import Path

from modelyard.data.definition import definition
from modelyard.data.fingerprint import fingerprint, locate
from modelyard.data.sources.listing import kind, listed
from modelyard.records.dataset import SourceFile
from modelyard.settings import DataSettings


def origins(settings: DataSettings, root: Path) -> tuple[SourceFile, ...] | None:
    """As ``fingerprint``, over every source, and the transform's definition after them."""
    found: list[SourceFile] = []
    for source in settings.inputs.values():
        known = fingerprint(source, root)
        if known is None:
            return None
        found += known
    return (*dict.fromkeys(found), *definition(settings, root))


def stamps(settings: DataSettings, root: Path) -> list[object]:
    """What changes when a source or the transform does, told more cheaply where files are local."""
    found: list[object] = [*definition(settings, root)]
    for source in settings.inputs.values():
        for path in locate(source, root):
            told = os.stat(path)  # noqa: PTH116
            found.append((path, told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino))
        elsewhere = tuple(one for one in listed(source) if kind(one, root) != "files")
        found += [fingerprint(elsewhere, root)] if elsewhere else []
    return found
