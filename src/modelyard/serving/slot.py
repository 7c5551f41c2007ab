"""A worker slot, as the supervisor keeps it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

from modelyard.serving import control


class Slot:
    """A place for a worker: the socket stays, workers come and go."""

    def __init__(self, number: int, listener: socket.socket) -> None:
        self.number = number
        self.listener = listener
        self.pid = 0
        self.line: socket.socket | None = None
        self.lines = control.Lines()
        self.serving = 0
        self.loading = 0
        self.loaded = 0
        self.deaths = 0
        self.started = 0.0
        self.due = 0.0

    def say(self, order: control.Order) -> None:
        """Tell the worker; one that is dying hears nothing, and its successor is told anew."""
        if self.line is not None:
            with contextlib.suppress(OSError):
                self.line.sendall(control.line(order))


def ending(status: int) -> str:
    """How a process ended, in words."""
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.WEXITSTATUS(status)}"
