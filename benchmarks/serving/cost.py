"""Server CPU a request: the complete service beside the hand-tuned limit and other servers, in interleaved rounds.

    python benchmarks/serving/cost.py [--rounds 5] [--seconds 2] [--connections 64] [--peers] [--keep]

The service is a deployed one with schema check, prediction log, metrics and tokens, asked by its native surface and by V2
tensors. Each round asks every server for so many seconds over as many kept connections, and reads user and system time of all
its processes from /proc. Medians over rounds; ratios are of medians in this run. ``--peers`` adds MLServer, BentoML,
LitServe, MLflow and FastAPI as people write it, each with its own batching on, in environments of their own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
sys.path.insert(1, str(HERE.parent))
sys.path.insert(2, str(HERE.parent / "data"))

from load import busy, family, load, request  # noqa: E402
from mlflow_peer import peer_python  # noqa: E402
from peers import environment  # noqa: E402
from workloads import TOKEN, Deployed, Workload, deployed  # noqa: E402

PORT = 8741


class Server:
    """One server of one workload, and what its rounds cost."""

    def __init__(self, name: str, workload: str, port: int, asked: bytes, pid: int) -> None:
        self.name, self.workload, self.port, self.asked, self.pid = name, workload, port, asked, pid
        self.costs: list[float] = []
        self.rates: list[float] = []
        self.middles: list[float] = []

    def round(self, connections: int, seconds: float) -> None:
        processes = family(self.pid)
        before, start = busy(processes), time.perf_counter()
        took = load(self.port, self.asked, connections=connections, seconds=seconds)
        self.costs.append((busy(processes) - before) / len(took))
        self.rates.append(len(took) / (time.perf_counter() - start))
        self.middles.append(statistics.median(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/serving-cost.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        service = stack.enter_context(deployed(folder, port=PORT))
        servers = [*_ours(service), *_limits(stack, service)]
        if given.peers:
            servers += _peers(stack, service, folder)
        for server in servers:
            load(server.port, server.asked, connections=given.connections, seconds=0.5)
        for _ in range(given.rounds):
            for server in servers:
                server.round(given.connections, given.seconds)
    kept = [_told(server, servers) for server in servers]
    print(f"{given.connections} connections, {given.rounds} rounds of {given.seconds:g} s; medians")
    print(f"{'':14} {'server':34} {'µs CPU':>8}  {'requests/s':>10}  {'ms':>7}  times the limit")
    for row in kept:
        print(
            f"{row['workload']:14} {row['server']:34} {row['cpu_us']:8.1f}  {row['rate']:10.0f}  "
            f"{row['median_ms']:7.2f}  {row['limit']:.2f}"
        )
    if given.keep:
        result = {
            "revision": subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip(),
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "connections": given.connections,
            "rounds": given.rounds,
            "servers": kept,
        }
        (ROOT / "benchmarks/results/serving-cost.json").write_text(json.dumps(result, indent=2) + "\n")


def _told(server: Server, servers: list[Server]) -> dict[str, Any]:
    cost = statistics.median(server.costs)
    limits = [s for s in servers if s.workload == server.workload and s.name == "limit"]
    return {
        "workload": server.workload,
        "server": server.name,
        "cpu_us": round(cost, 2),
        "spread_us": [round(min(server.costs), 2), round(max(server.costs), 2)],
        "rate": round(statistics.median(server.rates)),
        "median_ms": round(statistics.median(server.middles) * 1e3, 3),
        "limit": round(cost / statistics.median(limits[0].costs), 2),
    }


def _ours(service: Deployed) -> list[Server]:
    found = []
    for work in service.workloads:
        named = request(f"/models/{work.model}/predict", {"rows": work.rows}, token=TOKEN)
        found.append(Server("Modelyard", work.name, service.port, named, service.worker))
        if work.name == "one row":
            tensors = request(f"/v2/models/{work.model}/infer", _tensors(work), token=TOKEN)
            found.append(Server("Modelyard, V2 tensors", work.name, service.port, tensors, service.worker))
    return found


def _tensors(work: Workload) -> dict[str, Any]:
    """All numbers in one tensor [n, k], as MLServer takes them too."""
    data = [value for row in work.rows for value in row.values()]
    shape = [len(work.rows), len(work.rows[0])]
    return {"inputs": [{"name": "input", "shape": shape, "datatype": "FP64", "data": data}]}


def _limits(stack: ExitStack, service: Deployed) -> list[Server]:
    found, ports = [], {}
    for i, (model, package) in enumerate(service.packages.items()):
        ports[model] = (PORT + 10 + i, _start(stack, [HERE / "limit.py", PORT + 10 + i, package]))
    for work in service.workloads:
        port, pid = ports[work.model]
        await_answer(port, request("/", {"rows": work.rows}))
        found.append(Server("limit", work.name, port, request("/", {"rows": work.rows}), pid))
    return found


Form = Callable[[Workload], tuple[str, Any]]


def _lists(work: Workload) -> list[list[Any]]:
    return [list(row.values()) for row in work.rows]


FORMS: dict[str, Form] = {
    "fastapi": lambda work: ("/predict", {"rows": work.rows}),
    "litserve": lambda work: ("/predict", {"rows": work.rows}),
    "bentoml": lambda work: ("/predict", {"rows": _lists(work)}),
    "mlserver": lambda work: ("/v2/models/m/infer", _tensors(work)),
    "mlflow": lambda work: ("/invocations", {"inputs": _lists(work)}),
}
NAMES = {
    "fastapi": "FastAPI, pydantic, scikit-learn",
    "litserve": "LitServe, batching",
    "bentoml": "BentoML, adaptive batching",
    "mlserver": "MLServer, adaptive batching",
    "mlflow": "MLflow",
}


def _pythons() -> dict[str, Path]:
    return {
        "fastapi": environment("fastapi", "uvicorn[standard]", "scikit-learn", "pandas") / "python",
        "litserve": environment("litserve==0.2.19", "scikit-learn", "pandas") / "python",
        "bentoml": environment("bentoml==1.4.39", "scikit-learn", "pandas") / "python",
        "mlserver": environment("mlserver==1.7.1", "mlserver-sklearn==1.7.1") / "python",
        "mlflow": peer_python(),
    }


def _peers(stack: ExitStack, service: Deployed, folder: Path) -> list[Server]:
    """Of the workloads of numbers alone; a peer that does not start ends the benchmark."""
    found = []
    csv = service.place / "data" / "patients.csv"
    port = PORT + 100
    for name, python in _pythons().items():
        for kind in ("lr", "forest"):
            port += 10
            script: list[Any] = [
                HERE / "others" / f"serve_{name}.py",
                csv,
                kind,
                port,
                folder / f"{name}-{kind}",
            ]
            if name == "bentoml":
                script = [
                    "-m",
                    "bentoml",
                    "serve",
                    "serve_bentoml:Model",
                    "--port",
                    port,
                    "--host",
                    "127.0.0.1",
                ]
            told = {"PEER_CSV": str(csv), "PEER_KIND": kind, "BENTOML_DO_NOT_TRACK": "1"}
            pid = _start(stack, script, python=python, told=told)
            for work in service.workloads:
                if work.model != kind:
                    continue
                path, body = FORMS[name](work)
                asked = request(path, body)
                await_answer(port, asked, seconds=120)
                found.append(Server(NAMES[name], work.name, port, asked, pid))
    return found


def _start(
    stack: ExitStack, words: list[Any], *, python: Path | None = None, told: dict[str, str] | None = None
) -> int:
    environ = {k: v for k, v in os.environ.items() if python is None or k != "PYTHONPATH"} | (told or {})
    if python is not None:
        environ["PATH"] = f"{python.parent}:{environ['PATH']}"
    process = subprocess.Popen(
        [str(python or sys.executable), *map(str, words)],
        cwd=HERE / "others",
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    stack.callback(_end, process)
    return process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    descendants = family(process.pid)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
    for pid in descendants - {process.pid}:
        try:
            os.kill(pid, 15)
        except ProcessLookupError:
            continue


def await_answer(port: int, asked: bytes, *, seconds: float = 20) -> None:
    """Until the server answers 200."""
    until = time.monotonic() + seconds
    while True:
        try:
            load(port, asked, connections=1, seconds=0)
        except (OSError, SystemExit) as error:
            if time.monotonic() > until:
                raise SystemExit(f"port {port} does not answer: {error}") from None
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    main()
