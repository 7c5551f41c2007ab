"""The hand-tuned limit: uvloop, msgspec and ONNX Runtime, one model call a loop turn, nothing else.

No check, no log, no ids, no tokens, no bounds, no errors. ``lists`` reads rows as lists of floats,
``named`` as objects of named fields.

    python benchmarks/serving/limit.py PORT MODEL.onnx named|lists FEATURES
"""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import uvloop

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Server:
    def __init__(self, model: str, form: str, features: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.run = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run
        self.named = form == "named"
        row: Any = list[float]
        if self.named:
            row = msgspec.defstruct("Row", [(f"f{i}", float) for i in range(features)], gc=False)
        self.decode = msgspec.json.Decoder(msgspec.defstruct("Request", [("rows", list[row])])).decode
        self.encode = msgspec.json.Encoder().encode
        self.pending: list[tuple[asyncio.Transport, bytes]] = []
        self.call_soon = asyncio.get_running_loop().call_soon

    def turn(self) -> None:
        pending, self.pending = self.pending, []
        astuple = msgspec.structs.astuple
        decoded = [self.decode(body).rows for _, body in pending]
        rows = [astuple(row) if self.named else row for some in decoded for row in some]
        (probability,) = self.run(["probability"], {"numbers": np.array(rows)})
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
    port, model, form, features = sys.argv[1:]
    server = Server(model, form, int(features))
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Connection(server), "127.0.0.1", int(port))
    gc.collect()
    gc.freeze()
    gc.disable()
    await loop.create_future()


if __name__ == "__main__":
    uvloop.run(main())
