"""From a request's head to what reads its body, one function a surface."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from modelyard.serving import streamed
from modelyard.serving.apart import Apart, Columns
from modelyard.serving.connection import Slot
from modelyard.serving.limits import Limits
from modelyard.serving.live import Live
from modelyard.serving.turn import Queue
from modelyard.wire import columnar, inference, inference_grpc, scoring
from modelyard.wire.heads import Head
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed, Given, Reading

Act = Callable[[Slot], None]

_TABLES = columnar.KINDS | {"text/csv"}


def predict(queue: Queue, head: Head, limits: Limits, apart: Apart) -> Act:
    """The native surface: JSON whatever its declared type, but for CSV, Arrow and Parquet."""
    kind = media_type(head, "content-type")
    accept = media_type(head, "accept")
    streams = accept in streamed.KINDS and head.version == "1.1"
    put: Act = (lambda slot: queue.lane.put(streamed.Streamed(slot, accept))) if streams else queue.put
    if kind not in _TABLES:
        return put

    def framed(live: Live, columns: Any) -> Reading:
        def natively(given: Given) -> Framed:
            return Framed(live.replies.write(given.request_id.encode(), given.prediction, given.beside))

        return columnar.Columnar(columns=columns, accept=accept, natively=natively)

    if kind == "text/csv":
        return _reads(queue, lambda live, body: framed(live, scoring.read_csv(body, live.schema)), put)

    def act(slot: Slot) -> None:
        live = queue.live
        assert isinstance(slot.body, bytes)
        names = [c.name for c in live.schema.features]
        wanted = columnar.Wanted(kind, names, limits.rows, slot.body)

        def then(found: Columns | Problem) -> None:
            try:
                if isinstance(found, Problem):
                    live.tally.refused(found.status)
                    raise found
                slot.body = framed(live, found)
                put(slot)
            except Problem as problem:
                slot.refused(problem)
                slot.send()

        apart.read(wanted, then)

    return act


def infer(queue: Queue, head: Head) -> Act:
    """Open Inference Protocol V2."""
    json_length = head.headers.get("inference-header-content-length")

    def read(live: Live, body: bytes) -> Reading:
        schema, outputs, width = live.schema, live.outputs, live.width
        return inference.read_request(body, json_length, schema, outputs=outputs, width=width)

    return _reads(queue, read)


def infer_grpc(queue: Queue) -> Act:
    """Open Inference Protocol V2 over gRPC."""

    def read(live: Live, body: bytes) -> Reading:
        return inference_grpc.read_call(body, live.schema, outputs=live.outputs)

    return _reads(queue, read)


def invocations(queue: Queue, head: Head) -> Act:
    """MLflow's scoring server."""
    kind = media_type(head, "content-type")
    return _reads(queue, lambda live, body: scoring.read_invocation(body, kind, live.schema))


def predict_v1(queue: Queue) -> Act:
    """KServe's V1."""
    return _reads(queue, lambda live, body: scoring.read_v1(body, live.schema))


def refusals(path: str) -> Callable[[Problem], bytes]:
    """The form in which a path's surface refuses."""
    first = path.strip("/").split("/")[0]
    if first in ("v1", "v2"):
        return Problem.inference
    return Problem.mlflow if path.rstrip("/").endswith("/invocations") else Problem.native


def media_type(head: Head, name: str) -> str:
    """A header's first media type, without its parameters."""
    return head.headers.get(name, "").partition(",")[0].partition(";")[0].strip().lower()


def within(act: Act, head: Head, loop: Any) -> Act:
    """The same, refused when it is not answered in the seconds of ``X-Request-Timeout``."""
    wanted = head.headers.get("x-request-timeout")
    if wanted is None:
        return act
    try:
        seconds = float(wanted)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < 3600:
        return refuse(Problem(400, f"X-Request-Timeout is {wanted[:20]!r}; give seconds, such as 0.5."))

    def hurried(slot: Slot) -> None:
        act(slot)
        if slot.reply is None:
            loop.call_later(seconds, expire, slot)

    def expire(slot: Slot) -> None:
        if not slot.gone:
            problem = Problem(504, f"No answer within {seconds:g} s, as X-Request-Timeout asks.")
            slot.reply = slot.connection.service.refusal(slot.entry, problem)
            slot.send()

    return hurried


def refuse(problem: Problem) -> Act:
    def act(slot: Slot) -> None:
        slot.refused(problem)

    return act


def _reads(queue: Queue, read: Callable[[Live, bytes], Reading], put: Act | None = None) -> Act:
    """Reads the body at once, as the model that answers now has it, and waits with the others."""

    def act(slot: Slot) -> None:
        live = queue.live
        assert isinstance(slot.body, bytes)
        try:
            slot.body = read(live, slot.body)
        except Problem as problem:
            live.tally.refused(problem.status)
            raise
        slot.client_id = slot.body.id or slot.client_id
        (put or queue.put)(slot)

    return act
