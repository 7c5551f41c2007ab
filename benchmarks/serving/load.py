"""A closed loop over kept connections, and what a server's processes take for it."""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from pathlib import Path

TICK = 1e6 / os.sysconf("SC_CLK_TCK")


def request(path: str, body: object, *, token: str | None = None) -> bytes:
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: cost/1.0",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def load(port: int, asked: bytes, *, connections: int, seconds: float) -> list[float]:
    """Seconds that each answer took; every reply must be a 200."""
    selector = selectors.DefaultSelector()
    begun: dict[int, float] = {}
    took: list[float] = []
    clock = time.perf_counter
    until = clock() + seconds
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ, _Reply())
        begun[sock.fileno()] = clock()
        sock.sendall(asked)
    while begun:
        for key, _ in selector.select():
            sock: socket.socket = key.fileobj  # type: ignore[assignment]
            if not key.data.whole(sock.recv(1 << 18), port):
                continue
            now = clock()
            took.append(now - begun[key.fd])
            if now < until:
                begun[key.fd] = now
                sock.sendall(asked)
            else:
                del begun[key.fd]
                selector.unregister(sock)
                sock.close()
    return took


class _Reply:
    """What came of one reply so far."""

    def __init__(self) -> None:
        self._rest = b""
        self._lengths: dict[bytes, int] = {}

    def whole(self, data: bytes, port: int) -> bool:
        if self._rest:
            data = self._rest + data
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"port {port}: {data[:500]!r}")
        stop = data.find(b"\r\n\r\n") + 4
        at = data.find(b"ontent-", 0, stop)
        at = data.lower().find(b"content-length:", 0, stop) if at >= 0 else -1
        if at < 0:  # chunked: its last chunk is empty
            done = data.endswith(b"0\r\n\r\n")
        else:
            done = stop > 3 and len(data) >= stop + int(data[at + 15 : data.find(b"\r", at)])
        self._rest = b"" if done else data
        return done


def family(pid: int) -> set[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def busy(pids: set[int]) -> float:
    """Microseconds that processors worked for these processes."""
    total = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) * TICK
    return total
