"""The hand-tuned limit: uvloop, msgspec and ONNX Runtime, one model call a loop turn, nothing else.

No check, no log, no ids, no tokens, no bounds, no errors. It reads rows as objects of named fields, whose names and types
come from a package's manifest.

    python benchmarks/serving/limit.py PORT PACKAGE
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import uvloop

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
TYPES: dict[str, Any] = {"integer": int, "float": float, "boolean": bool, "string": str}


class Server:
    def __init__(self, package: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        model = str(package / "model" / "model.onnx")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.run = session.run
        manifest = json.loads((package / "manifest.json").read_bytes())
        kinds = {column["name"]: column["kind"] for column in manifest["schema"]["columns"]}
        numbers, texts = manifest["layout"]["numbers"], manifest["layout"]["texts"]
        self.numbers, self.texts = len(numbers), len(texts)
        names = [*numbers, *texts]
        row = msgspec.defstruct(
            "Row",
            [(f"f{i}", TYPES[kinds[name]]) for i, name in enumerate(names)],
            rename={f"f{i}": name for i, name in enumerate(names)},
            gc=False,
        )
        rows: Any = list[row]  # type: ignore[valid-type]
        self.decode = msgspec.json.Decoder(msgspec.defstruct("Request", [("rows", rows)])).decode
        self.encode = msgspec.json.Encoder().encode
        self.pending: list[tuple[asyncio.Transport, bytes]] = []
        self.call_soon = asyncio.get_running_loop().call_soon

    def turn(self) -> None:
        pending, self.pending = self.pending, []
        astuple = msgspec.structs.astuple
        decoded = [self.decode(body).rows for _, body in pending]
        rows = [astuple(row) for some in decoded for row in some]
        if self.texts:
            k = self.numbers
            texts = np.array([row[k:] for row in rows], dtype=object)
            asked = {"numbers": np.array([row[:k] for row in rows], dtype=np.float64), "texts": texts}
        else:
            asked = {"numbers": np.array(rows)}
        (probability,) = self.run(["probability"], asked)
        labels = probability.argmax(axis=1).tolist()
        likely = probability.tolist()
        at = 0
        for (transport, _), some in zip(pending, decoded, strict=True):
            end = at + len(some)
            body = self.encode({"prediction": labels[at:end], "probability": likely[at:end]})
            transport.write(OK % (len(body), body))
            at = end


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.heads: dict[bytes, int] = {}
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.rest:
            data = self.rest + data
            self.rest = b""
        stop = data.find(b"\r\n\r\n") + 4
        head = data[:stop]
        length = self.heads.get(head)
        if length is None:
            lines = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            length = self.heads[head] = int(lines[b"content-length"])
        if len(data) < stop + length:
            self.rest = data
            return
        server = self.server
        if not server.pending:
            server.call_soon(server.turn)
        server.pending.append((self.transport, data[stop:]))  # type: ignore[arg-type]


async def main() -> None:
    port, package = sys.argv[1:]
    server = Server(Path(package))
    loop = asyncio.get_running_loop()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # so that two of them can share the port
    listener.bind(("127.0.0.1", int(port)))
    await loop.create_server(lambda: Connection(server), sock=listener, backlog=4096)
    gc.collect()
    gc.freeze()
    gc.disable()
    await loop.create_future()


if __name__ == "__main__":
    uvloop.run(main())
