"""What a service's processes print: plain lines, or one JSON object a line for Elasticsearch and its like."""

from __future__ import annotations

import datetime as dt
import os
import sys
from typing import Any, Literal

import msgspec

Level = Literal["info", "warn", "error"]
_VERSION = "8.11.0"
"""Of the Elastic Common Schema."""


class _Form:
    ecs = False
    environment = ""


def use(form: str, environment: str) -> None:
    """From now on this process prints so."""
    _Form.ecs, _Form.environment = form == "ecs", environment


def say(message: str, level: Level = "info") -> None:
    """Print one line about the service itself."""
    write(line(message, level, dataset="modelyard.service") if _Form.ecs else f"{message}\n".encode())


def line(message: str, level: Level, *, dataset: str, **fields: Any) -> bytes:
    """One object; ``fields`` are further fields of the schema, with ``__`` for their dots."""
    told = {
        "@timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "log.level": level,
        "message": message,
        "ecs.version": _VERSION,
        "service.name": "modelyard",
        "service.environment": _Form.environment,
        "event.dataset": dataset,
        "process.pid": os.getpid(),
    }
    told |= {name.replace("__", "."): value for name, value in fields.items() if value is not None}
    return msgspec.json.encode(told) + b"\n"


def write(content: bytes) -> None:
    """In one write, so that processes do not cut one another's lines."""
    sys.stderr.flush()
    try:
        os.write(2, content)
    except OSError:
        return  # a full disk must not end the service
