"""``python -m modelyard.predictor.footprint FOLDER DIGEST``: what a package takes to answer, as JSON; whose signatures
count is read from standard input.

It opens the package and asks it its golden rows as a service does, each a request of its own with the schema check, one
after the other, without a network. It does so in a process of its own, so that memory and time are the package's; as in a
service nothing is collected while a call runs.
"""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np

from modelyard.errors import ModelyardError
from modelyard.predictor.open import Predictor, open_package
from modelyard.records.footprint import Footprint, Latency
from modelyard.records.package import Manifest
from modelyard.records.trust import Trust
from modelyard.tables import decode

_CALLS, _FEWEST = 2000, 5
_SECONDS = 0.8
"""For each of both loops, unless the fewest calls take longer."""
_WARM = 20
_MANY = 100


def main() -> int:
    folder, digest = Path(sys.argv[1]), sys.argv[2]
    load = os.getloadavg()[0]
    began = perf_counter()
    trust = msgspec.json.decode(sys.stdin.buffer.read(), type=Trust)
    try:
        predictor = open_package(folder, digest=digest, trust=trust)
        opened = perf_counter() - began
        golden = msgspec.json.decode((folder / "golden.json").read_bytes())
        found = _measured(predictor, golden["rows"], opened, load)
    except ModelyardError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(found))
    return 0


def _measured(predictor: Predictor, rows: list[object], opened: float, load: float) -> Footprint:
    encode = msgspec.json.encode
    single = [encode({"rows": [row]}) for row in rows]
    many = encode({"rows": [rows[at % len(rows)] for at in range(_MANY)]})
    decoder = decode.compile(predictor.schema)
    limit = max(map(len, (*single, many)))

    def ask(body: bytes) -> None:
        predictor.predict(decoder.rows([body], max_rows=_MANY, max_bytes=limit).batch)

    return Footprint(
        form=predictor.manifest.form,
        one=_latency(ask, single, 1),
        many=_latency(ask, [many], _MANY),
        open_seconds=opened,
        memory_mb=_peak() / 1e6,
        package_mb=_size(predictor.manifest) / 1e6,
        machine=f"{_processor()}, {os.cpu_count()} cores",
        load=load,
    )


def _latency(ask: Callable[[bytes], None], bodies: list[bytes], rows: int) -> Latency:
    until = perf_counter() + _SECONDS
    for at in range(_WARM):
        ask(bodies[at % len(bodies)])
        if perf_counter() > until:
            break
    gc.collect()
    gc.freeze()
    gc.disable()
    times, until = list[float](), perf_counter() + _SECONDS
    while len(times) < _FEWEST or (len(times) < _CALLS and perf_counter() < until):
        body = bodies[len(times) % len(bodies)]
        began = perf_counter()
        ask(body)
        times.append(1000 * (perf_counter() - began))
    gc.enable()
    p50, p90, p99 = np.quantile(times, (0.5, 0.9, 0.99), method="higher").tolist()
    return Latency(rows=rows, calls=len(times), p50=p50, p90=p90, p99=p99, slowest=max(times))


def _peak() -> int:
    """Bytes; of this process since it began, where the system tells that."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else used * 1024
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _size(manifest: Manifest) -> int:
    return sum(file.size for file in manifest.files)


def _processor() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text().partition("model name")[2].partition("\n")[0]
    except OSError:
        told = ""
    return told.lstrip("\t :").strip() or platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
