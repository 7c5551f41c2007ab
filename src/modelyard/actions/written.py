"""A document that somebody asked for, put where they asked for it. A noun that ``readiness``, ``card`` and ``lineage`` share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from modelyard.errors import StoreDown


def written(path: Path, content: str | bytes) -> Path:
    """The file is there whole or as it was before; its folder is made. Raises ``StoreDown``."""
    whole = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(whole)
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
    return path
