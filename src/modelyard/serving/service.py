"""Everything one worker answers with: routes, tokens, models, connections."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from modelyard.errors import StoreDown
from modelyard.ports import PredictionSink
from modelyard.predictions.ids import Ids
from modelyard.serving import arms, described, pages, surfaces
from modelyard.serving.admission import MAY, Admission
from modelyard.serving.apart import Apart
from modelyard.serving.connection import Connection, Slot
from modelyard.serving.limits import Limits
from modelyard.serving.live import Live, Models
from modelyard.serving.reply import CODINGS, Frames, compressed
from modelyard.serving.route import Entry
from modelyard.serving.turn import Queue
from modelyard.wire import heads
from modelyard.wire.heads import Head
from modelyard.wire.inference_grpc import Named
from modelyard.wire.problem import Problem
from modelyard.wire.reading import JSON, Framed

_REMEMBERED = 4096
"""Heads kept; then all are forgotten, which costs a parse each."""
_LONGEST = 1024
"""A longer head holds something that varies, and is not kept."""
_OPEN = frozenset({"/health", "/ping", "/v2/health/live", "/v2/health/ready"})
"""Asked by those who hold no token: probes of machines."""
_JSON = JSON.decode()

Act = Callable[[Slot], None]


class Service:
    """One worker's answers. Lives in one event loop; ``exposition`` gives Prometheus's text."""

    def __init__(self, loop: Any, *, limits: Limits, exposition: Callable[[], bytes]) -> None:
        self.limits = limits
        self.heads: dict[bytes, Entry] = {}
        self.connections: set[Connection] = set()
        self.frames = Frames()
        self.draining = False
        self.now: Callable[[], float] = loop.time
        self.unknown = Entry(_refuse(Problem(400, "This is no request.")))
        self.models: Models | None = None
        self._loop = loop
        self._apart = Apart(loop)
        self._log: PredictionSink | None = None
        self._ids = Ids()
        self._queues: dict[str, Queue] = {}
        self._rivals: dict[str, Queue] = {}
        self._admission = Admission(loop.time)
        self._exposition = exposition
        self._pages: dict[str, bytes] = {}

    def point(self, models: Models, *, admission: Admission, log: PredictionSink | None) -> None:
        """From now on these models answer, to whom the rules admit.

        What is answered goes to ``log``; another log than before is closed here.
        """
        if log is not self._log:
            self._close_log()
            self._log = log
            self._queues, self._rivals = {}, {}
        self._queues = self._pointed(self._queues, models.by_name)
        self._rivals = self._pointed(self._rivals, models.rivals)
        self.models = models
        self._admission = admission
        self._pages.clear()
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
        read = heads.read(head)
        if not read.simple:
            return None
        entry = self.resolve(read)
        if len(head) <= _LONGEST and entry.client_id is None:
            if len(self.heads) >= _REMEMBERED:
                self.heads.clear()
            self.heads[head] = entry
        return entry

    def resolve(self, head: Head) -> Entry:
        """What a head asks for; a head that asks for nothing that is here resolves to its refusal."""
        rules = self._admission
        extra = rules.shared(head)
        try:
            if rules.asks_first(head):
                extra += MAY
                act: Act = self._told({})
            else:
                who = "" if head.path in _OPEN else rules.admit(head)
                act = self._route(head)
                if head.method == "POST":
                    act = rules.limited(act, who)
        except Problem as problem:
            act = _refuse(problem)
        return Entry(
            surfaces.within(act, head, self._loop),
            length=head.length,
            keep_alive=head.keep_alive,
            version=head.version,
            refusal=surfaces.refusals(head.path),
            bodiless=head.method == "HEAD",
            client_id=(head.headers.get("x-request-id") or "")[:128] or None,
            extra=extra,
            coding=coding if (coding := head.headers.get("accept-encoding")) in CODINGS else None,
        )

    def admit(self, head: Head) -> None:
        """``Problem`` 401 or 403 for who may not ask."""
        self._admission.admit(head)

    def _route(self, head: Head) -> Act:
        path = head.path.rstrip("/") or "/"
        parts = path.split("/")[1:]
        match parts:
            case ["models", name, "predict"]:
                return self._verb(head, "POST", self._divided(name, head, self._native(head)))
            case ["invocations"] | ["models", _, "invocations"]:
                name = parts[1] if len(parts) == 3 else self._only()
                return self._verb(
                    head, "POST", self._divided(name, head, lambda q: surfaces.invocations(q, head))
                )
            case ["v1", "models"]:
                return self._verb(head, "GET", self._told({"models": self._served()}))
            case ["v1", "models", name] if name.endswith(":predict"):
                name = name.removesuffix(":predict")
                return self._verb(head, "POST", self._divided(name, head, surfaces.predict_v1))
            case ["v1", "models", name]:
                self._queue(name)
                return self._verb(head, "GET", self._told({"name": name, "ready": True}))
            case ["v2", "models", name, "infer"]:
                return self._verb(head, "POST", self._divided(name, head, lambda q: surfaces.infer(q, head)))
            case ["v2", "models", name, "versions", version, "infer"]:
                return self._verb(head, "POST", surfaces.infer(self._queue(name, version), head))
            case ["v2", "repository", "index"]:
                return self._verb(head, "POST", self._told(self._index()))
            case ["v2", "repository", "models", name, "load" | "unload" as verb]:
                what = f"POST /v2/repository/models/{name}/{verb} is refused here"
                problem = Problem(
                    403, f"{what}: what an environment serves is changed by 'modelyard deploy'."
                )
                return self._verb(head, "POST", _refuse(problem))
            case ["v2", *rest]:
                return self._verb(head, "GET", self._v2(rest, path))
            case _:
                return self._verb(head, "GET", self._plain(path))

    @property
    def ready(self) -> bool:
        """Whether a model answers."""
        return bool(self._queues)

    def model(self, name: str, version: str | None = None) -> Queue:
        """The queue of a model, or of one of its versions; ``Problem`` 404."""
        return self._queue(name, version)

    def call(self, named: Named, head: Head) -> Act:
        """What a gRPC call asks for."""
        who = self._admission.admit(head)
        if named.version:
            act = surfaces.infer_grpc(self._queue(named.name, named.version))
        else:
            act = self._divided(named.name, head, surfaces.infer_grpc)
        return self._admission.limited(act, who)

    def _verb(self, head: Head, wanted: str, act: Act) -> Act:
        if head.method == wanted or (wanted == "GET" and head.method == "HEAD"):
            return act
        raise Problem(
            405,
            f"{head.path} is asked with {wanted}, not {head.method}.",
            headers=b"allow: " + (b"GET, HEAD" if wanted == "GET" else b"POST") + b"\r\n",
        )

    def _plain(self, path: str) -> Act:
        match path:
            case "/health" | "/":
                return self._told({"status": "ok", "models": self._served()})
            case "/ping":
                return lambda slot: self._give(slot, b"\n")
            case "/version":
                return self._told({"name": "modelyard", "version": pages.version()})
            case "/models":
                return self._told({"models": [self._brief(name) for name in self._queues]})
            case "/metrics":
                kind = b"text/plain; version=0.0.4; charset=utf-8"
                return lambda slot: self._give(slot, self._exposition(), kind)
            case "/openapi.json":
                return lambda slot: self._give(slot, self._page("openapi"))
            case "/docs":
                return lambda slot: self._give(slot, self._page("docs"), b"text/html; charset=utf-8")
        raise Problem(404, f"There is no {path} here: see /docs.")

    def _v2(self, rest: list[str], path: str) -> Act:
        match rest:
            case []:
                extensions = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]
                return self._told({"name": "modelyard", "version": pages.version(), "extensions": extensions})
            case ["health", "live"]:
                return self._told({"live": True})
            case ["health", "ready"]:
                if not self._queues:
                    raise Problem(503, "No model is served here yet.")
                return self._told({"live": True, "ready": True})
            case ["models"]:
                return self._told({"models": self._served()})
            case ["models", "stats"]:
                return self._statistics(self._served())
            case ["models", name] | ["models", name, "versions", _]:
                return self._told(self._queue(name, *rest[3:]).live.metadata())
            case ["models", name, "ready"] | ["models", name, "versions", _, "ready"]:
                self._queue(name, *rest[3:4] if len(rest) == 5 else ())
                return self._told({"name": name, "ready": True})
            case ["models", name, "stats"] | ["models", name, "versions", _, "stats"]:
                self._queue(name, *rest[3:4] if len(rest) == 5 else ())
                return self._statistics([name])
            case ["models", name, "config"] | ["models", name, "versions", _, "config"]:
                return self._told(
                    described.config(self._queue(name, *rest[3:4] if len(rest) == 5 else ()).live)
                )
        raise Problem(404, f"There is no {path} here: see /docs.")

    def _statistics(self, names: list[str]) -> Act:
        """Counted when it is asked: the entry is remembered."""

        def act(slot: Slot) -> None:
            told = [described.statistics(self._queues[n].live) for n in names if n in self._queues]
            self._give(slot, msgspec.json.encode({"model_stats": told}))

        return act

    def _only(self) -> str:
        if len(self._queues) == 1:
            return next(iter(self._queues))
        if not self._queues:
            raise Problem(503, "No model is served here yet.")
        raise Problem(
            404,
            f"Several models are served here: post to /models/NAME/invocations ({', '.join(self._served())}).",
        )

    def _native(self, head: Head) -> Callable[[Queue], Act]:
        return lambda queue: surfaces.predict(queue, head, self.limits, self._apart)

    def _divided(self, name: str, head: Head, make: Callable[[Queue], Act]) -> Act:
        return arms.divided(make, self._queue(name), self._rivals.get(name), head)

    def _queue(self, name: str, version: str | None = None) -> Queue:
        queue = self._queues.get(name)
        if queue is None:
            served = ", ".join(self._served()) or "none yet"
            raise Problem(404, f"There is no model '{name[:80]}' here; served: {served}.")
        if version is not None and version != queue.live.version:
            rival = self._rivals.get(name)
            if rival is not None and rival.live.version == version and rival.live.served.arm == "canary":
                return rival
            raise Problem(
                404, f"Version {version[:20]} of {name} is not served here; {queue.live.version} is."
            )
        return queue

    def _every(self) -> list[Queue]:
        return [*self._queues.values(), *self._rivals.values()]

    def _served(self) -> list[str]:
        return sorted(self._queues)

    def _brief(self, name: str) -> dict[str, Any]:
        live = self._queues[name].live
        return {
            "model": name,
            "version": live.served.version,
            "model_id": live.served.model_id,
            "package": live.served.package,
            "task": live.manifest.task,
            "form": live.manifest.form,
        }

    def _index(self) -> list[dict[str, str]]:
        return [
            {"name": name, "version": queue.live.version, "state": "READY", "reason": ""}
            for name, queue in sorted(self._queues.items())
        ]

    def _page(self, name: str) -> bytes:
        if name not in self._pages:
            lives = [self._queues[m].live for m in self._served()]
            make = pages.openapi if name == "openapi" else pages.docs
            self._pages[name] = make(lives, secured=bool(self._admission.tokens))
        return self._pages[name]

    def _told(self, fact: object) -> Act:
        body = msgspec.json.encode(fact)
        return lambda slot: self._give(slot, body)

    def _give(self, slot: Slot, body: bytes, kind: bytes = JSON) -> None:
        if kind is JSON and slot.entry.steady and not self.draining:
            slot.reply = self.frames.steady(body)
        else:
            slot.reply = self._whole(slot.entry, 200, body, kind=kind)

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
        for queue in self._every():
            queue.sweep()
        if self._log is not None:
            with contextlib.suppress(StoreDown):  # the next answer says so
                self._log.flush()

    @property
    def stuck(self) -> bool:
        """A native model does not come back: only the end of this process frees what it holds."""
        return any(queue.stuck for queue in self._every())

    def drain(self) -> None:
        """Answer what is under way with ``Connection: close``; close what owes nothing."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()

    def close(self) -> None:
        for queue in self._every():
            queue.close()
        self._apart.close()
        self._close_log()

    def _close_log(self) -> None:
        if self._log is not None:
            with contextlib.suppress(StoreDown):
                self._log.close()


def _refuse(problem: Problem) -> Act:
    def act(slot: Slot) -> None:
        slot.refused(problem)

    return act
