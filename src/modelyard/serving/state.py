"""What the supervisor tells others, as a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from modelyard.records.service import ServiceState


def announce(path: Path, state: ServiceState) -> None:
    """Write the state so that a reader sees the old one or the new; a full disk stops no service."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
        scratch.replace(path)
    except OSError as error:
        print(f"The state {path} cannot be written: {error.strerror}", file=sys.stderr, flush=True)
