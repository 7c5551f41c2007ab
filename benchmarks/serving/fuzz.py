"""Mutated requests into the HTTP reader and every decoder: each is read or refused, nothing else, and soon.

``python benchmarks/serving/fuzz.py --seconds 120`` prints how many inputs there were and what was neither read nor
refused; with ``--keep`` it writes them with the revision to ``benchmarks/results/fuzz.json``. Exit code 1 when there was
something.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import random
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelyard.errors import RequestRefused
from modelyard.records.schema import Column, Schema
from modelyard.tables import decode
from modelyard.wire import inference, inference_grpc, native, scoring
from modelyard.wire.heads import Messages
from modelyard.wire.problem import Problem
from modelyard.wire.protobuf import field, packed, repeated

ROOT = Path(__file__).parents[2]
SLOW = 0.5
"""Seconds after which an input counts as one that hangs."""
SCHEMA = Schema(
    columns=(
        Column(name="age", kind="integer", nullable=True),
        Column(name="smokes", kind="boolean"),
        Column(name="city", kind="string", categories=("Bern", "Basel"), declared=("categories",)),
        Column(name="seen", kind="date"),
        Column(name="cost", kind="float"),
    ),
    target="cost",
)
ROWS: list[dict[str, Any]] = [
    {"age": 40, "smokes": True, "city": "Bern", "seen": "2024-01-02"},
    {"age": None, "smokes": False, "city": "Basel", "seen": "2024-01-03"},
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
TOKENS = [
    b"NaN",
    b"null",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"1e999",
    b"-0",
    b"true",
    b"\xff",
    b"\x00",
    b",",
    b":",
]
TOKENS += [b"99999999999999999999", b"\\ud800", b"[[[[", b'"age"', b"Infinity", b"\r\n", b"\r\n\r\n", b"\n"]
TOKENS += [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"0\r\n", b" ", b"\t", b"HTTP/1.1", b"GET /"]
Target = Callable[[bytes], object]


def targets() -> dict[str, tuple[bytes, Target]]:
    """A good input of each door, and what takes it."""
    decoder = decode.compile(SCHEMA)
    names = [column.name for column in SCHEMA.features]
    limits: dict[str, Any] = {"max_rows": 1000, "max_bytes": 2**20}

    def read(request: Any) -> None:
        decoder.columns(request.columns, max_rows=1000)
        if request.size <= 2048:
            decoder.rows([request.native_body()], **limits)

    def own(body: bytes) -> None:
        (found,) = decoder.rows([body], **limits).spans
        other = native.other_form(body, names)
        if isinstance(other, dict):
            decoder.columns(other, max_rows=1000)
        elif other is not None:
            decoder.records(other, max_rows=1000)
        elif isinstance(found, RequestRefused):
            raise found

    def invocation(kind: str) -> Target:
        return lambda body: read(scoring.read_invocation(body, kind, SCHEMA))

    def tensors(body: bytes) -> None:
        length = random.choice((None, str(random.randrange(len(body) + 3))))
        read(inference.read_request(body, length, SCHEMA, outputs=("prediction",)))

    def call(body: bytes) -> None:
        read(inference_grpc.read_call(body, SCHEMA, outputs=("prediction",)))

    listed = [list(row.values()) for row in ROWS]
    wrap = {"dataframe_split": {"columns": list(COLUMNS), "data": listed}}
    return {
        "http": (_requests(), http),
        "invocations split": (_json(wrap), invocation("application/json")),
        "invocations records": (_json({"dataframe_records": ROWS}), invocation("application/json")),
        "invocations inputs": (_json({"inputs": COLUMNS}), invocation("application/json")),
        "invocations csv": (
            b"age,smokes,city,seen\n40,true,Bern,2024-01-02\n,false,Basel,2024-01-03\n",
            invocation("text/csv"),
        ),
        "v1": (_json({"instances": ROWS}), lambda body: read(scoring.read_v1(body, SCHEMA))),
        "v2": (_tensors(), tensors),
        "grpc": (_call(), call),
        "native columns": (_json({"input": COLUMNS}), own),
        "native rows": (_json({"rows": ROWS}), own),
        "native lists": (_json({"rows": listed}), own),
    }


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _tensors() -> bytes:
    kinds = {"age": "INT64", "smokes": "BOOL", "city": "BYTES", "seen": "BYTES"}
    return _json(
        {
            "inputs": [
                {"name": name, "shape": [2], "datatype": kind, "data": COLUMNS[name]}
                for name, kind in kinds.items()
            ]
        }
    )


def _call() -> bytes:
    contents = {
        "age": ("INT64", packed(3, [40])),
        "smokes": ("BOOL", packed(1, [1])),
        "city": ("BYTES", field(8, "Bern")),
        "seen": ("BYTES", field(8, "2024-01-02")),
    }
    inputs = [
        field(1, name) + field(2, kind) + packed(3, [1]) + field(5, content)
        for name, (kind, content) in contents.items()
    ]
    return field(1, "costs") + repeated(5, inputs)


def _requests() -> bytes:
    """Two in a row, the second in chunks."""
    body = _json({"rows": ROWS[:1]})
    head = b"POST /models/costs/predict HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n"
    first = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]))
    return first + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def http(content: bytes) -> None:
    """As a socket gives it: in pieces."""
    messages = Messages(head=8192, body=2**20)
    at = 0
    while at < len(content):
        size = random.choice((1, 7, 64, 4096))
        messages.feed(content[at : at + size])
        at += size


def mutated(content: bytes) -> bytes:
    made = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        at = random.randrange(len(made) + 1)
        match random.randrange(5):
            case 0 if made:
                made[at % len(made)] = random.randrange(256)
            case 1:
                made[at:at] = random.choice(TOKENS)
            case 2:
                del made[at : at + random.choice((1, 1, 4, 20))]
            case 3:
                start = random.randrange(len(made) + 1)
                made[at:at] = made[start : start + random.randrange(40)]
            case _:
                made[at : at + 4] = random.randrange(2**32).to_bytes(4, "little")
    return bytes(made)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    random.seed(given.seed)
    doors = targets()
    for name, (content, target) in doors.items():
        target(content)  # a good one is read, or what follows proves nothing
        assert name
    names = list(doors)
    inputs: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    worst = 0.0
    until = time.monotonic() + given.seconds
    while time.monotonic() < until:
        name = random.choice(names)
        content, target = doors[name]
        made = mutated(content)
        inputs[name] += 1
        began = time.perf_counter()
        try:
            target(made)
        except (Problem, RequestRefused):
            refused[name] += 1
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{name}: {type(error).__name__} in {line.name}: {str(error)[:80]}"
            if key not in wrong:
                print(key, made[:200], file=sys.stderr)
            wrong[key] += 1
        took = time.perf_counter() - began
        worst = max(worst, took)
        if took > SLOW:
            wrong[f"{name}: took longer than {SLOW} s"] += 1
    told = {
        "revision": _git("rev-parse", "HEAD"),
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "seed": given.seed,
        "seconds": given.seconds,
        "inputs": sum(inputs.values()),
        "by_door": {name: {"inputs": inputs[name], "refused": refused[name]} for name in names},
        "slowest_ms": round(worst * 1000, 1),
        "neither_read_nor_refused": dict(wrong),
    }
    text = json.dumps(told, indent=2)
    print(text)
    if given.keep:
        (ROOT / "benchmarks" / "results").mkdir(exist_ok=True)
        (ROOT / "benchmarks" / "results" / "fuzz.json").write_text(text + "\n")
    return 1 if wrong else 0


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
