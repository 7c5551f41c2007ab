"""``python -m modelyard.loadtest PLAN``: one process of a load test; prints what it saw as JSON."""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
from pathlib import Path

import msgspec
import uvloop

from modelyard.loadtest.drive import Order
from modelyard.loadtest.swarm import Swarm


def main() -> None:
    order = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Order)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()

    async def ask() -> bytes:
        swarm = Swarm(order.load, order.requests, start=order.start, address=order.address)
        return msgspec.json.encode(await swarm.run())

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    sys.stdout.buffer.write(loop.run_until_complete(ask()))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
