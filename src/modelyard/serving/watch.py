"""What is told of each request: a line, and a span of its trace."""

from __future__ import annotations

import importlib
import threading
from time import perf_counter_ns, time_ns
from typing import Any

from modelyard.errors import ExtraMissing
from modelyard.records.service import Telling
from modelyard.serving import tell
from modelyard.serving.connection import Connection, Slot
from modelyard.serving.route import Entry
from modelyard.wire.heads import Head
from modelyard.wire.trace import Trace

_PATH = 200
_BUFFER = 64 * 1024
_QUEUE, _PATIENCE, _FLUSH = 8192, 5, 1.0


class Watch:
    """Tells of requests as ``telling`` says. Lines are gathered and written once a loop's turn."""

    def __init__(self, telling: Telling, environment: str, loop: Any) -> None:
        """``ExtraMissing`` where spans are wanted without OpenTelemetry."""
        self._telling = telling
        self._ecs = telling.form == "ecs"
        self._loop = loop
        self._lines: list[bytes] = []
        self._spans = None if telling.traces is None else Spans(telling, environment)

    @property
    def idle(self) -> bool:
        """Whether nothing is told of any request."""
        return self._telling.requests == "none" and self._spans is None

    def close(self, seconds: float = 0) -> None:
        """Write what is gathered; spans have so long to be sent."""
        self._flush()
        if self._spans is not None:
            self._spans.close(seconds)

    def ended(self, seen: Seen, status: int, since: int, address: str | None) -> None:
        """A request was answered; ``since`` is what ``perf_counter_ns`` was when it was read."""
        took = perf_counter_ns() - since
        traced = self._spans.record(seen, status, took) if self._spans is not None else None
        wanted = self._telling.requests
        if wanted == "none" or (wanted == "failed" and status < 400):
            return
        if not self._lines:
            self._loop.call_soon(self._flush)
        self._lines.append(self._line(seen, status, took, address, traced))
        if len(self._lines) > 512:
            self._flush()

    def _line(
        self, seen: Seen, status: int, took: int, address: str | None, traced: tuple[str, str] | None
    ) -> bytes:
        trace = traced[0] if traced else seen.trace.trace if seen.trace else None
        if not self._ecs:
            known = f" trace={trace}" if trace else ""
            return f"{seen.method} {seen.path!r} {status} {took / 1e6:.3f} ms{known}\n".encode()
        return tell.line(
            f"{seen.method} {seen.path} {status}",
            "error" if status >= 500 else "warn" if status >= 400 else "info",
            dataset="modelyard.request",
            event__kind="event",
            event__category=["web"],
            event__outcome="success" if status < 400 else "failure",
            event__duration=took,
            http__request__method=seen.method,
            http__request__id=seen.client_id,
            http__response__status_code=status,
            url__path=seen.path,
            client__ip=address,
            trace__id=trace,
            span__id=traced[1] if traced else None,
        )

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            tell.write(b"".join(lines))


class Seen:
    """What of a head is told."""

    __slots__ = ("client_id", "method", "path", "trace", "watch")

    def __init__(self, watch: Watch, head: Head, trace: Trace | None) -> None:
        self.watch = watch
        self.method = head.method[:16]
        self.path = head.path[:_PATH]
        self.client_id = head.headers.get("x-request-id", "")[:128] or None
        self.trace = trace


class Watched(Slot):
    """A request of which is told when it is answered."""

    __slots__ = ("_reply", "_seen", "_since")

    def __init__(self, connection: Connection, entry: Entry, body: bytes, seen: Seen) -> None:
        self._since = perf_counter_ns()
        self._seen = seen
        super().__init__(connection, entry, body)

    @property
    def reply(self) -> bytes | None:
        return self._reply

    @reply.setter
    def reply(self, content: bytes | None) -> None:
        self._reply = content
        if content is not None:
            peer = self.connection.transport.get_extra_info("peername")
            self._seen.watch.ended(
                self._seen, _status(content), self._since, str(peer[0]) if isinstance(peer, tuple) else None
            )


def _status(reply: bytes) -> int:
    """A streamed answer's last part has no head: its status was said with the first."""
    return int(reply[9:12]) if reply.startswith(b"HTTP/1.1 ") else 200


class Spans:
    """OpenTelemetry's spans, sent by a thread in the background; one that cannot be sent is dropped."""

    def __init__(self, telling: Telling, environment: str) -> None:
        try:
            self._trace: Any = importlib.import_module("opentelemetry.trace")
            sdk: Any = importlib.import_module("opentelemetry.sdk.trace")
            export: Any = importlib.import_module("opentelemetry.sdk.trace.export")
            sampling: Any = importlib.import_module("opentelemetry.sdk.trace.sampling")
            resources: Any = importlib.import_module("opentelemetry.sdk.resources")
            http: Any = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        except ImportError:
            raise ExtraMissing(
                "To send spans install OpenTelemetry: pip install 'modelyard[tracing]'."
            ) from None
        self._provider = sdk.TracerProvider(
            resource=resources.Resource.create(
                {"service.name": "modelyard", "deployment.environment.name": environment}
            ),
            sampler=sampling.ParentBased(sampling.TraceIdRatioBased(telling.share)),
            shutdown_on_exit=False,
        )
        exporter = http.OTLPSpanExporter(endpoint=telling.traces, timeout=_PATIENCE)
        self._provider.add_span_processor(
            export.BatchSpanProcessor(
                exporter, max_queue_size=_QUEUE, schedule_delay_millis=int(_FLUSH * 1000)
            )
        )
        self._tracer = self._provider.get_tracer("modelyard.serving")

    def record(self, seen: Seen, status: int, took: int) -> tuple[str, str]:
        """The span of a request that just ended: its trace and its own id, in hexadecimal digits."""
        trace, end = self._trace, time_ns()
        context = None
        if seen.trace is not None:
            flags = trace.TraceFlags(int(seen.trace.sampled))
            caller = trace.SpanContext(
                int(seen.trace.trace, 16), int(seen.trace.parent, 16), is_remote=True, trace_flags=flags
            )
            context = trace.set_span_in_context(trace.NonRecordingSpan(caller))
        attributes = {
            "http.request.method": seen.method,
            "url.path": seen.path,
            "http.response.status_code": status,
        }
        span = self._tracer.start_span(
            f"{seen.method} {seen.path}",
            context=context,
            kind=trace.SpanKind.SERVER,
            start_time=end - took,
            attributes=attributes,
        )
        if status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        span.end(end)
        found = span.get_span_context()
        return trace.format_trace_id(found.trace_id), trace.format_span_id(found.span_id)

    def close(self, seconds: float) -> None:
        """Send what is left, in a thread: whoever takes spans may be down."""
        sending = threading.Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(seconds)
