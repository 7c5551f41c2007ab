"""Verify and load a package of a gigabyte, beside ``sha256sum`` of its files.

    python benchmarks/registry/package.py [--gigabytes 1] [--rounds 5]

A scaffolded project is built, and its compiled model gets a table of that size that each answer looks a row up in. Each
opening is a process of its own: every byte is held to the manifest, the graph is loaded, one row is answered. Its libraries'
imports are not counted. ``sha256sum`` reads the same files, which the system holds in memory for both. Medians of
seconds of the wall clock and of processors.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelyard.predictor.verify import MANIFEST, digest
from modelyard.records.package import Manifest

GRAPH = "model/model.onnx"
WIDTH = 256
OPEN = """
import json, sys, time
import numpy as np
import onnxruntime
from pathlib import Path
from modelyard.predictor import open_package
from modelyard.tables.batch import Batch
began, busy = time.perf_counter(), time.process_time()
predictor = open_package(Path(sys.argv[1]), digest=sys.argv[2])
print(json.dumps([time.perf_counter() - began, time.process_time() - busy]))
layout = predictor.layout
row = Batch(np.ones((1, len(layout.numbers))), np.empty((1, len(layout.texts)), dtype=object))
assert len(predictor.predict(row).prediction) == 1
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="package-") as scratch:
        folder = enlarged(built(Path(scratch)), int(asked.gigabytes * 1e9))
        files = [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
        size = sum(Path(file).stat().st_size for file in files)
        took: dict[str, list[tuple[float, float]]] = {"sha256sum": [], "open_package": []}
        for _ in range(asked.rounds + 1):
            took["sha256sum"].append(timed(["sha256sum", *files]))
            command = [sys.executable, "-c", OPEN, str(folder), digest(folder)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            took["open_package"].append(tuple(json.loads(output)))
    print(f"{size:,} bytes in {len(files)} files")
    for name, rounds in took.items():
        wall, busy = (statistics.median(one[at] for one in rounds[1:]) for at in (0, 1))
        ratio = wall / statistics.median(one[0] for one in took["sha256sum"][1:])
        print(f"{name:<14}{wall:8.2f} s, {busy:6.2f} s busy   {ratio:5.2f} x")


def built(scratch: Path) -> Path:
    """The package of a new project."""
    folder = scratch / "screening"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    for words in (["init", "screening", "--folder", str(folder)], ["-C", str(folder), "build"]):
        command = [sys.executable, "-m", "modelyard", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return next(path.parent for path in folder.glob(f".modelyard/packages/*/{MANIFEST}"))


def enlarged(folder: Path, size: int) -> Path:
    """Its graph with a table of so many bytes of float32 in it, and its manifest to match."""
    path = folder / GRAPH
    model = onnx.load(path)
    rows = size // (4 * WIDTH)
    random = np.random.default_rng(0)
    table = random.integers(0, 1 << 30, (rows, WIDTH), dtype=np.int32).view(np.float32)
    graph = model.graph
    graph.initializer.extend(
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array(0, dtype=np.int64), "first"),
            numpy_helper.from_array(np.array(rows - 1, dtype=np.int64), "last"),
            numpy_helper.from_array(np.array(0.0), "nothing"),
        ]
    )
    last = next(node for node in graph.node if "probability" in node.output)
    at = list(last.output).index("probability")
    last.output[at] = "before"
    graph.node.extend(
        [
            helper.make_node("ReduceSum", ["numbers"], ["summed"], keepdims=0),
            helper.make_node("Cast", ["summed"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Clip", ["whole", "first", "last"], ["row"]),
            helper.make_node("Gather", ["table", "row"], ["found"]),
            helper.make_node("ReduceMax", ["found"], ["most"], keepdims=0),
            helper.make_node("Cast", ["most"], ["most64"], to=TensorProto.DOUBLE),
            helper.make_node("Mul", ["most64", "nothing"], ["none"]),
            helper.make_node("Add", ["before", "none"], ["probability"]),
        ]
    )
    path.chmod(0o644)
    path.write_bytes(model.SerializeToString())
    described = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    content = path.read_bytes()
    told = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    files = tuple(
        msgspec.structs.replace(file, **told) if file.path == GRAPH else file for file in described.files
    )
    (folder / MANIFEST).chmod(0o644)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(described, files=files)))
    return folder


def timed(command: list[str]) -> tuple[float, float]:
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} failed")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
