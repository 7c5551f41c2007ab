"""One server by the system's ``ssh``: commands, folders that are named by their content, and tunnels."""

from __future__ import annotations

import contextlib
import io
import os
import selectors
import shlex
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import ExtraMissing, ServiceDown, StoreDown

_LOST = 255
"""What ssh ends with when the connection is to blame, and not the command."""
_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
}


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where and as whom; every use is a connection of its own."""

    host: str
    port: int | None = None
    key: Path | None = None
    config: Path | None = None

    def words(self, *options: str) -> list[str]:
        """The command ``ssh`` up to the host."""
        if shutil.which("ssh") is None:
            raise ExtraMissing("To deploy to a server install OpenSSH's client, 'ssh'.")
        words = ["ssh", "-T", *(f"-o{name}={value}" for name, value in _OPTIONS.items()), *options]
        words += ["-p", str(self.port)] if self.port else []
        words += ["-i", str(self.key), "-oIdentitiesOnly=yes"] if self.key else []
        words += ["-F", str(self.config)] if self.config else []
        return [*words, "--", self.host]

    def run(self, script: str, *, content: bytes = b"", timeout: float) -> bytes:
        """What the server's shell prints; ``ServiceDown`` without a connection, ``StoreDown`` when the script fails."""
        try:
            done = subprocess.run(
                [*self.words(), script], input=content, capture_output=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise ServiceDown(f"{self.host} did not answer by ssh within {timeout:g} s.") from None
        if done.returncode:
            raise self.failed(done.returncode, done.stderr)
        return done.stdout

    def failed(self, code: int, stderr: bytes) -> ServiceDown | StoreDown:
        lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
        lines = [line for line in lines if not line.endswith("due to previous errors")] or lines
        said = (lines or ["it said nothing"])[-1].strip()[:300]
        if code == _LOST:
            return ServiceDown(f"The connection to {self.host} by ssh failed: {said}")
        return StoreDown(f"On {self.host}: {said}")

    def send(self, target: str, parts: Mapping[str, Path | bytes], *, then: str = "") -> None:
        """Make the folder ``target`` of files and folders by their names in it, at once and whole.

        ``then`` is a script that is run in it before it has its name. One that is there already stays.
        """
        draft = f"{target}.part-{os.getpid()}-{time.time_ns()}"
        quoted, made = shlex.quote(draft), shlex.quote(target)
        work = f" && ( cd {quoted} && {then} )" if then else ""
        script = (
            f"mkdir -p {quoted} && tar -xzf - -C {quoted}{work} && "
            f"{{ mv -T {quoted} {made} 2>/dev/null || test -d {made}; }}; "
            f"code=$?; rm -rf {quoted}; exit $code"
        )
        self.run(script, content=_archive(parts), timeout=1800)

    @contextlib.contextmanager
    def conversation(self, script: str) -> Iterator[Conversation]:
        """A command whose lines are read while lines are said to it; it is left by ending its input."""
        process = subprocess.Popen(
            [*self.words(), script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with process:
            try:
                yield Conversation(self, process)
            finally:
                with contextlib.suppress(OSError):
                    assert process.stdin is not None
                    process.stdin.close()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    @contextlib.contextmanager
    def tunnel(self, remote: int, *, timeout: float = 15.0) -> Iterator[int]:
        """A port of this machine's loopback that leads to the server's port ``remote``."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            local: int = probe.getsockname()[1]
        forward = ("-N", "-oExitOnForwardFailure=yes", "-L", f"127.0.0.1:{local}:127.0.0.1:{remote}")
        process = subprocess.Popen(self.words(*forward), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with process:
            try:
                self._opened(process, local, timeout)
                yield local
            finally:
                process.terminate()

    def _opened(self, process: subprocess.Popen[bytes], local: int, timeout: float) -> None:
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if process.poll() is not None:
                assert process.stderr is not None
                raise self.failed(_LOST, process.stderr.read())
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", local), timeout=1):
                return
            time.sleep(0.02)
        raise ServiceDown(f"{self.host} opened no tunnel within {timeout:g} s.")


class Conversation:
    def __init__(self, connection: Connection, process: subprocess.Popen[bytes]) -> None:
        self._connection, self._process = connection, process
        self._rest = b""

    def say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None

    def hear(self, timeout: float) -> bytes:
        """The next line; ``ServiceDown`` when the connection ends or nothing is said in time."""
        assert self._process.stdout is not None
        until = time.monotonic() + timeout
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not waiting.select(max(0.0, until - time.monotonic())):
                    raise ServiceDown(f"{self._connection.host} did not answer by ssh within {timeout:g} s.")
                part = os.read(self._process.stdout.fileno(), 1 << 16)
                if not part:
                    raise self._lost()
                self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _lost(self) -> ServiceDown | StoreDown:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        assert self._process.stderr is not None
        return self._connection.failed(self._process.returncode or _LOST, self._process.stderr.read())


def _archive(parts: Mapping[str, Path | bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as archive:
        for name, part in parts.items():
            if isinstance(part, bytes):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(part), 0o600
                archive.addfile(entry, io.BytesIO(part))
            else:
                archive.add(part, name, filter=_plain)
    return content.getvalue()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Nobody's, and without what this Python compiled."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return None if entry.name.rpartition("/")[2] == "__pycache__" else entry
