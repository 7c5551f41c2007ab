"""Which line of the author's code a process was at when it hung, crashed or ended itself."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import sys
from pathlib import Path
from typing import NoReturn

from modelyard.authors.blame import at_line

ASK = signal.SIGRTMIN + 7
"""A process that gets it writes down where it is, even while a library's C code holds it."""
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in ')


def watch(path: Path) -> None:
    """From now on this process writes its stack into ``path`` when asked, on a crash and at ``os._exit``."""
    file = path.open("wb", buffering=0)
    faulthandler.enable(file)
    faulthandler.register(ASK, file, all_threads=True)
    end, me = os._exit, os.getpid()

    def leave(status: int) -> NoReturn:
        if os.getpid() == me:  # a forked child ends this way by right
            sys.stdout.flush()
            sys.stderr.flush()
            faulthandler.dump_traceback(file, all_threads=False)
        end(status)

    os._exit = leave


def place(path: Path, folder: Path) -> str:
    """`` at FILE, line N ('code')``: the innermost line of ``folder`` in the trace, or nothing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    threads = re.split(r"\n\n|(?=^Thread )", text, flags=re.MULTILINE)
    threads.sort(key=lambda thread: "Current thread" not in thread)
    for line in (line for thread in threads for line in thread.splitlines()):
        if (frame := _FRAME.match(line)) and (found := at_line(frame["file"], int(frame["line"]), folder)):
            return f" at {found}"
    return ""
