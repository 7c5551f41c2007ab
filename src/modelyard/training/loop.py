"""The other side of a ``Worker``: jobs come as lines of JSON, one reply to each (standard library only)."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from modelyard.errors import ModelyardError

Handler = Callable[[dict[str, Any]], Mapping[str, Any] | None]


def serve(connection: socket.socket, handlers: Mapping[str, Handler]) -> None:
    """Answer jobs until told to end. When the other side is gone, this process and its children are."""
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(connection, jobs), name="modelyard-jobs", daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    warnings.simplefilter("default")
    while (job := jobs.get())["do"] != "end":
        reply = json.dumps(_done(handlers[job["do"]], job))
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                stream.flush()
        connection.sendall(reply.encode() + b"\n")


def _done(handler: Handler, job: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"done": handler(job) or {}}
    except ModelyardError as error:
        return {"failed": {"code": error.code, "message": str(error)}}
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        message = f"{type(error).__name__}: {error}"
        return {"failed": {"code": "", "message": message, "trace": traceback.format_exc()}}


def _read(connection: socket.socket, jobs: queue.Queue[dict[str, Any]]) -> None:
    with connection.makefile("rb") as lines:
        for line in lines:
            jobs.put(json.loads(line))
    os.killpg(0, signal.SIGKILL)
