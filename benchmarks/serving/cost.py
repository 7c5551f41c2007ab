"""Server CPU a request: the complete service beside the hand-tuned limit, in interleaved rounds.

    python benchmarks/serving/cost.py [--rounds 7] [--requests 20000] [--connections 64]

Each round asks every server the same number of requests (one row of thirty named numbers, or a list
for the limit's second form) over the same number of kept connections, and reads user and system time
from /proc/PID/stat. Medians over rounds; the ratio is of medians in this run.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "serving"))

from serving_parts import make_package, plan_for

from modelyard.records.schema import Column, Schema
from modelyard.records.service import ServedModel, ServiceState

FEATURES = 30
SCHEMA = Schema(
    columns=tuple(Column(name=f"f{i}", kind="float", minimum=-10, maximum=10) for i in range(FEATURES))
)
TICK = 1e6 / os.sysconf("SC_CLK_TCK")


class Server:
    def __init__(
        self, name: str, port: int, request: bytes, process: subprocess.Popen[bytes], pid: int
    ) -> None:
        self.name, self.port, self.request, self.process, self.pid = name, port, request, process, pid
        self.costs: list[float] = []
        self.rates: list[float] = []

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def round(self, connections: int, requests: int) -> None:
        before, start = self.cpu(), time.perf_counter()
        answered = load(self.port, self.request, connections, requests)
        self.costs.append((self.cpu() - before) / answered)
        self.rates.append(answered / (time.perf_counter() - start))


def load(port: int, request: bytes, connections: int, requests: int) -> int:
    """A closed loop over kept connections; every reply must be a 200."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        sock.sendall(request)
    answered, sent = 0, connections
    while answered < sent:
        for key, _ in selector.select():
            sock = key.fileobj  # type: ignore[assignment]
            reply = sock.recv(8192)
            if not reply.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"port {port}: {reply[:300]!r}")
            answered += 1
            if sent < requests:
                sock.sendall(request)
                sent += 1
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return answered


def request(path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: cost/1.0",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args()
    row = np.random.default_rng(7).normal(size=FEATURES).round(4).tolist()
    named = {"rows": [{f"f{i}": v for i, v in enumerate(row)}]}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        digest = make_package(folder / "package", schema=SCHEMA)
        servers = [
            start_service(folder, digest, named, log=True),
            start_service(folder, digest, named, log=False),
            start_limit(folder, "named", request("/", named)),
            start_limit(folder, "lists", request("/", {"rows": [row]})),
        ]
        try:
            for server in servers:
                load(server.port, server.request, given.connections, 2000)
            for _ in range(given.rounds):
                for server in servers:
                    server.round(given.connections, given.requests)
        finally:
            for server in servers:
                server.process.terminate()
                server.process.wait()
    limits = {s.name: statistics.median(s.costs) for s in servers[2:]}
    print(
        f"{given.connections} connections, {given.rounds} rounds of {given.requests}, median µs CPU a request"
    )
    for server in servers:
        cost = statistics.median(server.costs)
        ratios = "  ".join(f"{cost / limit:.2f} x {name}" for name, limit in limits.items())
        spread = f"{min(server.costs):.1f}-{max(server.costs):.1f}"
        print(f"{server.name:22} {cost:6.1f} ({spread})  {statistics.median(server.rates):7.0f}/s  {ratios}")


def start_service(folder: Path, digest: str, body: object, *, log: bool) -> Server:
    name = "complete service" if log else "service without log"
    model = ServedModel(
        model="m", version=1, model_id="m/prod/1", package=digest, folder=str(folder / "package")
    )
    plan = plan_for(model, log=str(folder / "log") if log else None)
    place = folder / name.replace(" ", "-")
    place.mkdir()
    (place / "plan.json").write_bytes(msgspec.json.encode(plan))
    state = place / "state.json"
    command = ["-m", "modelyard.serving", "--plan", str(place / "plan.json"), "--state", str(state)]
    process = subprocess.Popen([sys.executable, *command])
    while True:
        if state.exists():
            told = msgspec.json.decode(state.read_bytes(), type=ServiceState)
            if told.generation == 1:
                return Server(name, plan.port, request("/models/m/predict", body), process, told.workers[0])
        time.sleep(0.02)


def start_limit(folder: Path, form: str, content: bytes) -> Server:
    port = plan_for().port
    model = folder / "package" / "model" / "model.onnx"
    script = Path(__file__).with_name("limit.py")
    process = subprocess.Popen([sys.executable, str(script), str(port), str(model), form, str(FEATURES)])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return Server(f"limit, {form}", port, content, process, process.pid)


if __name__ == "__main__":
    main()
