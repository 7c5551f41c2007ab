"""Everything one worker answers with: routes, tokens, models, connections."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from time import time
from typing import Any

from modelyard.errors import StoreDown
from modelyard.ports import PredictionSink
from modelyard.predictions.ids import Ids
from modelyard.serving import surfaces
from modelyard.serving.admission import ANYBODY, MAY, Admission, timely
from modelyard.serving.apart import Apart
from modelyard.serving.connection import Connection
from modelyard.serving.counters import Tally
from modelyard.serving.limits import Limits
from modelyard.serving.live import Live, Models
from modelyard.serving.reply import CODINGS, Frames, compressed
from modelyard.serving.route import Entry
from modelyard.serving.routes import Act, Routes, told
from modelyard.serving.turn import Queue
from modelyard.serving.watch import Seen, Watch, Watched
from modelyard.wire import heads
from modelyard.wire.heads import Head
from modelyard.wire.inference_grpc import Named
from modelyard.wire.problem import Problem
from modelyard.wire.reading import JSON, Framed
from modelyard.wire.trace import read

_REMEMBERED = 4096
"""Heads kept; then all are forgotten, which costs a parse each."""
_LONGEST = 1024
"""A longer head holds something that varies, and is not kept."""
_LAST_SPANS = 1.5
"""Seconds that the spans of an ending worker have to be sent."""
_OPEN = frozenset({"/health", "/ping", "/v2/health/live", "/v2/health/ready"})
"""Asked by those who hold no token: probes of machines."""


class Service:
    """One worker's answers. Lives in one event loop; ``exposition`` gives Prometheus's text."""

    def __init__(self, loop: Any, *, limits: Limits, exposition: Callable[[], bytes]) -> None:
        self.limits = limits
        self.heads: dict[bytes, Entry] = {}
        self.connections: set[Connection] = set()
        self.frames = Frames()
        self.draining = False
        self.now: Callable[[], float] = loop.time
        self.unknown = Entry(surfaces.refuse(Problem(400, "This is no request.")))
        self.models: Models | None = None
        self._tallies: list[dict[tuple[str, int], Tally]] = [{}, {}]
        """Of the versions that answer, and of those before, some of whose requests may still be under way; without the
        models, whose processes end when nobody holds them."""
        self._loop = loop
        self._apart = Apart(loop)
        self._log: PredictionSink | None = None
        self._count_due = 0.0
        self._watch: Watch | None = None
        self._ids = Ids()
        self._admission = Admission(loop.time)
        self._routes = Routes(limits=limits, apart=self._apart, exposition=exposition)

    def point(
        self, models: Models, *, admission: Admission, log: PredictionSink | None, watch: Watch | None = None
    ) -> None:
        """From now on these models answer, to whom the rules admit.

        What is answered goes to ``log``; another log than before is closed here. ``watch`` tells of requests.
        """
        self._watch = watch
        self._count()
        if log is not self._log:
            self._close_log()
            self._log = log
            self._routes.queues, self._routes.rivals = {}, {}
        self._routes.point(
            self._pointed(self._routes.queues, models.by_name),
            self._pointed(self._routes.rivals, models.rivals),
            secured=admission.secured,
            log=log,
        )
        self.models = models
        own = {(live.served.model, live.served.version): live.tally for live in models.all()}
        self._tallies = [own, self._tallies[0]]
        self._admission = admission
        self.heads.clear()

    def _pointed(self, queues: dict[str, Queue], lives: dict[str, Live]) -> dict[str, Queue]:
        found: dict[str, Queue] = {}
        for name, live in lives.items():
            queue = queues.get(name)
            if queue is None:
                queue = Queue(live, limits=self.limits, ids=self._ids, log=self._log, loop=self._loop)
            elif queue.live is not live:
                queue.point(live)
            found[name] = queue
        return found

    def entry(self, head: bytes) -> Entry | None:
        """A head's entry, remembered for equal heads; None when the strict parser must take over."""
        found = heads.read(head)
        if not found.simple:
            return None
        entry = self.resolve(found)
        if len(head) <= _LONGEST and not entry.fleeting and entry.length <= self.limits.body:
            if len(self.heads) >= _REMEMBERED:
                self.heads.clear()
            self.heads[head] = entry
        return entry

    def resolve(self, head: Head) -> Entry:
        """What a head asks for; a head that asks for nothing that is here resolves to its refusal."""
        rules = self._admission
        extra = rules.shared(head)
        fleeting = False
        try:
            if rules.asks_first(head):
                extra += MAY
                act: Act = told({})
            else:
                who = ANYBODY if head.path in _OPEN else rules.admit(head)
                act = self._routes.act(head)
                if head.method == "POST":
                    act = rules.limited(act, who)
                act = timely(act, who)
        except Problem as problem:
            act, fleeting = surfaces.refuse(problem), problem.status == 401
        client_id = (head.headers.get("x-request-id") or "")[:128] or None
        trace = read(head.headers.get("traceparent"))
        return Entry(
            surfaces.within(act, head, self._loop),
            length=head.length,
            keep_alive=head.keep_alive,
            version=head.version,
            refusal=surfaces.refusals(head.path),
            bodiless=head.method == "HEAD",
            client_id=client_id,
            known_as=client_id or (trace.trace if trace else None),
            extra=extra,
            coding=coding if (coding := head.headers.get("accept-encoding")) in CODINGS else None,
            seen=None if self._watch is None else Seen(self._watch, head, trace),
            fleeting=fleeting or client_id is not None or "traceparent" in head.headers,
        )

    def admit(self, head: Head) -> None:
        """``Problem`` 401 or 403 for who may not ask."""
        self._admission.admit(head)

    @property
    def ready(self) -> bool:
        """Whether a model answers."""
        return bool(self._routes.queues)

    def model(self, name: str, version: str | None = None) -> Queue:
        """The queue of a model, or of one of its versions; ``Problem`` 404."""
        return self._routes.queue(name, version)

    def call(self, named: Named, head: Head) -> Act:
        """What a gRPC call asks for."""
        who = self._admission.admit(head)
        if named.version:
            act = surfaces.infer_grpc(self._routes.queue(named.name, named.version))
        else:
            act = self._routes.divided(named.name, head, surfaces.infer_grpc)
        return timely(self._admission.limited(act, who), who)

    def watched(self, connection: Connection, entry: Entry, body: bytes) -> Watched:
        """A request of which is told when it is answered."""
        return Watched(connection, entry, body, entry.seen)

    def framed(self, entry: Entry, framed: Framed) -> bytes:
        """An answer's reply that is not steady, or that has a type of its own."""
        body, kind, headers = framed
        if entry.coding is not None:
            body = compressed(body, entry.coding)
            headers += b"content-encoding: " + entry.coding.encode() + b"\r\n"
        return self._whole(entry, 200, body, kind=kind, headers=headers)

    def streaming(self, entry: Entry, kind: bytes) -> bytes:
        """The head of an answer that is sent in parts."""
        headers = (
            b""
            if entry.client_id is None
            else b"x-request-id: " + entry.client_id.encode("latin-1") + b"\r\n"
        )
        return self.frames.chunked(
            kind, headers=headers + entry.extra, close=not entry.keep_alive or self.draining
        )

    def refusal(self, entry: Entry, problem: Problem) -> bytes:
        """A refusal in the form of the surface that was asked."""
        return self._whole(entry, problem.status, entry.refusal(problem), headers=problem.headers)

    def _whole(
        self, entry: Entry, status: int, body: bytes, *, kind: bytes = JSON, headers: bytes = b""
    ) -> bytes:
        connection = b""
        if not entry.keep_alive or self.draining:
            connection = b"close"
        elif entry.version == "1.0":
            connection = b"keep-alive"
        headers += entry.extra
        if entry.client_id is not None:
            headers += b"x-request-id: " + entry.client_id.encode("latin-1") + b"\r\n"
        return self.frames.whole(
            status, body, kind=kind, headers=headers, connection=connection, bodiless=entry.bodiless
        )

    def sweep(self) -> None:
        """What is due by the clock: dates, deadlines, the log's segments."""
        self.frames.tick()
        now = self.now()
        for connection in list(self.connections):
            connection.sweep(now)
        for queue in self._routes.every():
            queue.sweep()
        if time() >= self._count_due:
            every = self.limits.count_seconds
            self._count_due = (time() // every + 1) * every
            self._count()
        if self._log is not None:
            with contextlib.suppress(StoreDown):  # the next answer says so
                self._log.flush()

    @property
    def stuck(self) -> bool:
        """A native model does not come back: only the end of this process frees what it holds."""
        return any(queue.stuck for queue in self._routes.every())

    def drain(self) -> None:
        """Answer what is under way with ``Connection: close``; close what owes nothing."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()

    def close(self) -> None:
        for queue in self._routes.every():
            queue.close()
        self._count()
        if self._watch is not None:
            self._watch.close(_LAST_SPANS)
        self._apart.close()
        self._close_log()

    def _count(self) -> None:
        """Put on record what each version's requests came to, so that what was not answered is known too."""
        if self._log is None:
            return
        tallies = self._tallies[1] | self._tallies[0]
        found = [minute for key, tally in tallies.items() if (minute := tally.minute(*key)) is not None]
        self._log.minutes(found, at=time())
        with contextlib.suppress(StoreDown):  # then the next record has it
            self._log.flush()
            for tally in tallies.values():
                tally.noted()

    def _close_log(self) -> None:
        if self._log is not None:
            with contextlib.suppress(StoreDown):
                self._log.close()
