"""What each path asks of which model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from modelyard.ports import PredictionSink
from modelyard.serving import arms, described, feedback, pages, surfaces
from modelyard.serving.apart import Apart
from modelyard.serving.connection import Slot
from modelyard.serving.limits import Limits
from modelyard.serving.turn import Queue
from modelyard.wire.heads import Head
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Framed

Act = Callable[[Slot], None]


class Routes:
    """The paths of one worker, over the models that answer now; ``exposition`` gives Prometheus's text."""

    def __init__(self, *, limits: Limits, apart: Apart, exposition: Callable[[], bytes]) -> None:
        self.queues: dict[str, Queue] = {}
        self.rivals: dict[str, Queue] = {}
        self._limits = limits
        self._apart = apart
        self._exposition = exposition
        self._secured = False
        self._log: PredictionSink | None = None
        self._pages: dict[str, bytes] = {}

    def point(
        self,
        queues: dict[str, Queue],
        rivals: dict[str, Queue],
        *,
        secured: bool,
        log: PredictionSink | None,
    ) -> None:
        """From now on these models are asked; ``secured`` says that who asks needs a token."""
        self.queues, self.rivals, self._secured, self._log = queues, rivals, secured, log
        self._pages.clear()

    def every(self) -> list[Queue]:
        return [*self.queues.values(), *self.rivals.values()]

    def act(self, head: Head) -> Act:
        """What a head asks for; ``Problem`` 404, 405 or 503."""
        path = head.path.rstrip("/") or "/"
        match path.split("/")[1:]:
            case ["models", name, "predict"]:
                return self._verb(head, "POST", self.divided(name, head, self._native(head)))
            case ["models", name, "feedback"]:
                lives = [self.queue(name).live, *(q.live for q in [self.rivals.get(name)] if q)]
                return self._verb(head, "POST", feedback.heard(lives, self._log, self._limits))
            case ["invocations"]:
                return self._invocations(self._only(), head)
            case ["models", name, "invocations"]:
                return self._invocations(name, head)
            case ["v1", "models"]:
                return self._verb(head, "GET", told({"models": self._served()}))
            case ["v1", "models", name] if name.endswith(":predict"):
                name = name.removesuffix(":predict")
                return self._verb(head, "POST", self.divided(name, head, surfaces.predict_v1))
            case ["v1", "models", name]:
                self.queue(name)
                return self._verb(head, "GET", told({"name": name, "ready": True}))
            case ["v2", "models", name, "infer"]:
                return self._verb(head, "POST", self.divided(name, head, lambda q: surfaces.infer(q, head)))
            case ["v2", "models", name, "versions", version, "infer"]:
                return self._verb(head, "POST", surfaces.infer(self.queue(name, version), head))
            case ["v2", "repository", "index"]:
                return self._verb(head, "POST", told(self._index()))
            case ["v2", "repository", "models", name, "load" | "unload" as verb]:
                what = f"POST /v2/repository/models/{name}/{verb} is refused here"
                problem = Problem(
                    403, f"{what}: what an environment serves is changed by 'modelyard deploy'."
                )
                return self._verb(head, "POST", surfaces.refuse(problem))
            case ["v2", *rest]:
                return self._verb(head, "GET", self._v2(rest, path))
            case _:
                return self._verb(head, "GET", self._plain(path))

    def divided(self, name: str, head: Head, make: Callable[[Queue], Act]) -> Act:
        """``make`` for whichever version of the model the request goes to."""
        return arms.divided(make, self.queue(name), self.rivals.get(name), head)

    def queue(self, name: str, version: str | None = None) -> Queue:
        """The queue of a model, or of one of its versions; ``Problem`` 404."""
        queue = self.queues.get(name)
        if queue is None:
            served = ", ".join(self._served()) or "none yet"
            raise Problem(404, f"There is no model '{name[:80]}' here; served: {served}.")
        if version is not None and version != queue.live.version:
            rival = self.rivals.get(name)
            if rival is not None and rival.live.version == version and rival.live.served.arm == "canary":
                return rival
            raise Problem(
                404, f"Version {version[:20]} of {name} is not served here; {queue.live.version} is."
            )
        return queue

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
                return told({"status": "ok", "models": self._served()})
            case "/ping":
                return lambda slot: slot.answered(b"\n")
            case "/version":
                return told({"name": "modelyard", "version": pages.version()})
            case "/models":
                return told({"models": [self._brief(name) for name in self.queues]})
            case "/metrics":
                kind = b"text/plain; version=0.0.4; charset=utf-8"
                return lambda slot: slot.replied(Framed(self._exposition(), kind))
            case "/openapi.json":
                return lambda slot: slot.answered(self._page("openapi"))
            case "/docs":
                return lambda slot: slot.replied(Framed(self._page("docs"), b"text/html; charset=utf-8"))
        raise Problem(404, f"There is no {path} here: see /docs.")

    def _v2(self, rest: list[str], path: str) -> Act:
        match rest:
            case []:
                extensions = ["binary_tensor_data", "model_repository", "model_configuration", "statistics"]
                return told({"name": "modelyard", "version": pages.version(), "extensions": extensions})
            case ["health", "live"]:
                return told({"live": True})
            case ["health", "ready"]:
                if not self.queues:
                    raise Problem(503, "No model is served here yet.")
                return told({"live": True, "ready": True})
            case ["models"]:
                return told({"models": self._served()})
            case ["models", "stats"]:
                return self._statistics(self._served())
            case ["models", name, *more]:
                return self._of_model(name, more, path)
        raise Problem(404, f"There is no {path} here: see /docs.")

    def _of_model(self, name: str, rest: list[str], path: str) -> Act:
        version = None
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = rest[1], rest[2:]
        if rest not in ([], ["ready"], ["stats"], ["config"]):
            raise Problem(404, f"There is no {path} here: see /docs.")
        live = self.queue(name, version).live
        match rest:
            case ["ready"]:
                return told({"name": name, "ready": True})
            case ["stats"]:
                return self._statistics([name])
            case ["config"]:
                return told(described.config(live))
        return told(live.metadata())

    def _statistics(self, names: list[str]) -> Act:
        """Counted when it is asked: the entry is remembered."""

        def act(slot: Slot) -> None:
            counted = [described.statistics(self.queues[n].live) for n in names if n in self.queues]
            slot.answered(msgspec.json.encode({"model_stats": counted}))

        return act

    def _invocations(self, name: str, head: Head) -> Act:
        return self._verb(head, "POST", self.divided(name, head, lambda q: surfaces.invocations(q, head)))

    def _only(self) -> str:
        if len(self.queues) == 1:
            return next(iter(self.queues))
        if not self.queues:
            raise Problem(503, "No model is served here yet.")
        raise Problem(
            404,
            f"Several models are served here: post to /models/NAME/invocations ({', '.join(self._served())}).",
        )

    def _native(self, head: Head) -> Callable[[Queue], Act]:
        return lambda queue: surfaces.predict(queue, head, self._limits, self._apart)

    def _served(self) -> list[str]:
        return sorted(self.queues)

    def _brief(self, name: str) -> dict[str, Any]:
        live = self.queues[name].live
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
            for name, queue in sorted(self.queues.items())
        ]

    def _page(self, name: str) -> bytes:
        if name not in self._pages:
            lives = [self.queues[m].live for m in self._served()]
            make = pages.openapi if name == "openapi" else pages.docs
            self._pages[name] = make(lives, secured=self._secured)
        return self._pages[name]


def told(fact: object) -> Act:
    """Answer always the same."""
    body = msgspec.json.encode(fact)
    return lambda slot: slot.answered(body)
