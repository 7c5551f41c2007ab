"""Who keeps a supervisor running: this process's orphan, or systemd."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from modelyard.errors import ServiceDown
from modelyard.records.access import TOKEN


class Keeper(Protocol):
    def start(self, command: Sequence[str], journal: Path) -> int | None:
        """Begin it so that it outlives this process; what it prints goes to the journal. Its pid, where that is known."""
        ...

    def stop(self, pid: int) -> None:
        """Ask it to end, for good."""
        ...


class Spawned:
    """A process of its own session; it ends with the machine."""

    def start(self, command: Sequence[str], journal: Path) -> int | None:
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            command[0],
            list(command),
            {name: value for name, value in os.environ.items() if name != TOKEN},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(journal), appending, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def stop(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


class Systemd:
    """A unit of the user's own systemd, begun again whenever it ends and, where lingering is on, with the machine."""

    def __init__(self, name: str, *, units: Path | None = None) -> None:
        self._unit = f"modelyard-{re.sub(r'[^A-Za-z0-9_-]', '-', name)}.service"
        self._file = (units or Path.home() / ".config" / "systemd" / "user") / self._unit

    def start(self, command: Sequence[str], journal: Path) -> int | None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(self.unit(command, journal))
        except OSError as error:
            raise ServiceDown(f"{self._file} cannot be written: {error.strerror}.") from None
        self._systemctl("daemon-reload")
        self._systemctl("enable", self._unit)
        self._systemctl("restart", self._unit)
        return None

    def stop(self, pid: int) -> None:  # noqa: ARG002  systemd knows it
        self._systemctl("disable", "--now", self._unit)

    def unit(self, command: Sequence[str], journal: Path) -> str:
        """The unit's file."""
        path = os.environ.get("PYTHONPATH", "")
        return f"""[Unit]
Description=A service of Modelyard

[Service]
Type=exec
Environment={_quoted(f"PYTHONPATH={path}")}
ExecStart={shlex.join(map(_escaped, command))}
ExecReload=/bin/kill -HUP $MAINPID
StandardOutput=append:{_escaped(str(journal))}
StandardError=inherit
KillMode=mixed
TimeoutStopSec=30
Restart=always
RestartSec=1
LimitNOFILE=65536
NoNewPrivileges=true

[Install]
WantedBy=default.target
"""

    def _systemctl(self, *words: str) -> None:
        environ = {"XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}", **os.environ}
        try:
            done = subprocess.run(
                ["systemctl", "--user", *words], capture_output=True, text=True, env=environ, timeout=60
            )
        except FileNotFoundError:
            raise ServiceDown(
                'There is no systemd here: set the environment\'s ssh.manager to "process", or deploy to another machine.'
            ) from None
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ServiceDown(
                f"'systemctl --user {' '.join(words)}' failed: {said[:300]}; 'loginctl enable-linger' gives a user a systemd "
                "without being logged in."
            )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word, as systemd reads it (systemd.syntax, "Quoting")."""
    inner = _escaped(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def supervising(plan: Path, state: Path, *, parent: int | None = None) -> list[str]:
    """The supervisor's command."""
    command = [sys.executable, "-m", "modelyard.serving", "--plan", str(plan), "--state", str(state)]
    return command + (["--parent", str(parent)] if parent is not None else [])
