"""A ``Worker`` on a Ray cluster: the same jobs, answered on whichever node has room."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from modelyard.authoring import Space
from modelyard.errors import ClusterDown, ExtraMissing, ModelyardError, SettingsError
from modelyard.records.run import Scalar
from modelyard.training import messages
from modelyard.training.engine import Lost
from modelyard.training.limits import Limits
from modelyard.training.seat import RUN, Seat, pack, unpack

T = TypeVar("T")
_LOOK = 1.0
"""Seconds between two looks at whether it is to end."""
_KNOCK = 5.0
"""Seconds for a connection to be made."""
_PATIENCE = 15.0
"""Seconds that the last words of a seat are waited for."""


class Cluster:
    """A connection, and what was sent over it: content goes to the cluster's store once, whoever asks for it."""

    def __init__(self, address: str | None, *, processors: int) -> None:
        """Raises ``ClusterDown`` when there is no cluster, ``ExtraMissing`` without Ray."""
        ray = _ray()
        where = address or os.environ.get("RAY_ADDRESS") or "auto"
        if "://" in where:
            raise SettingsError(
                f"The Ray cluster at {where} is named as Ray's client takes it; name it as HOST:PORT, from a machine that "
                "is a node of it."
            )
        try:
            _knock(where)
            if not ray.is_initialized():
                ray.init(
                    address=where, namespace="modelyard", log_to_driver=False, logging_level=logging.ERROR
                )
        except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            said = (error.strerror if isinstance(error, OSError) else None) or str(error).strip()
            line = (said.splitlines() or [type(error).__name__])[0].partition(". ")[0].rstrip(".")
            raise ClusterDown(
                f"The Ray cluster at {where} does not answer: {line}; start one with 'ray start', name it as 'address' under "
                "[engine] in modelyard.toml, or give its token in RAY_AUTH_TOKEN."
            ) from None
        self._ray = ray
        self._remote = ray.remote(num_cpus=processors, max_restarts=0, concurrency_groups={"end": 1})
        nodes = (int(n["Resources"].get("CPU", 0)) // processors for n in ray.nodes() if n["Alive"])
        self.most = sum(nodes)
        """How many actors have room at once."""
        if not self.most:
            raise SettingsError(
                f"No node of the Ray cluster at {where} has {processors} processors; set fewer under [engine]."
            )
        self._sent: dict[Path, Any] = {}
        self.halted = False
        """The command ends: an actor that still waits for a node's room is not waited for."""

    def actor(self, kind: type) -> Any:
        """Of that class, as soon as a node has room for it."""
        return self._remote(kind).remote()

    def sent(self, path: Path) -> Any:
        """The cluster's reference to a file or folder of this machine, which does not change."""
        if path not in self._sent:
            self._sent[path] = self._ray.put(pack(path))
        return self._sent[path]

    def wait(self, asked: Any) -> Any:
        """What an actor answers; ``Lost`` when it, or its node, is gone, ``KeyboardInterrupt`` once all is ``halted``."""
        while not self.halted:
            with contextlib.suppress(self._ray.exceptions.GetTimeoutError):
                return self._got(asked, _LOOK)
        raise KeyboardInterrupt

    def last(self, asked: Any) -> Any:
        """The same, also when all is halted, but not for long."""
        try:
            return self._got(asked, _PATIENCE)
        except self._ray.exceptions.GetTimeoutError:
            raise Lost(f"no answer within {_PATIENCE:g} seconds") from None

    def _got(self, asked: Any, seconds: float) -> Any:
        try:
            return self._ray.get(asked, timeout=seconds)
        except self._ray.exceptions.GetTimeoutError:
            raise
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            raise Lost((str(error).strip().splitlines() or [type(error).__name__])[0]) from None

    def kill(self, seat: Any) -> None:
        self._ray.kill(seat)


class Remote:
    """As ``training.Worker``; its folder gets the log and what was recorded at the end."""

    def __init__(
        self,
        cluster: Cluster,
        code: Path,
        folder: Path,
        *,
        inside: str,
        uses: Path | None,
        limits: Limits,
        environ: Mapping[str, str],
        needed: Mapping[str, str],
    ) -> None:
        """``inside`` is where the code is in the project, which the author's lines are told by."""
        self._cluster, self.folder, self.limits = cluster, folder, limits
        self._halted = self._ended = self._lost = False
        self._takes_more, self._sits = True, False
        self._seat = cluster.actor(Seat)
        self._send(inside, code)
        if uses is not None:
            self._send("uses", uses)
        started = self._seat.start.remote(
            inside, "uses" if uses else None, limits, dict(environ), dict(needed)
        )
        self._place = Path(self._answer(started))
        self._sits = True

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        return self._takes_more and not (self._halted or self._ended or self._lost)

    def renew(self) -> None:
        self._seat.ask.remote("renew")

    def space(self) -> dict[str, Space]:
        found: dict[str, Space] = self._ask("space")
        return found

    def prepare(self) -> None:
        self._seat.ask.remote("prepare")

    def begin(self, job: messages.Begin) -> None:
        rows = self._send("rows", Path(job.rows))
        folds = self._send("dealt.npy", Path(job.folds)) if job.folds else None
        self._ask("begin", msgspec.structs.replace(job, rows=rows, folds=folds))

    def fit(self, params: Mapping[str, Scalar], *, record: Path | None = None) -> messages.Fitted:
        fitted: messages.Fitted = self._ask("fit", dict(params), record=record and self._place / RUN)
        return fitted

    def score(
        self,
        params: Mapping[str, Scalar],
        *,
        fold: int,
        metric: str,
        forward: bool = False,
        share: float = 1.0,
        record: Path | None = None,
    ) -> messages.Scored:
        scored: messages.Scored = self._ask(
            "score",
            dict(params),
            fold=fold,
            metric=metric,
            forward=forward,
            share=share,
            record=record and self._place / RUN,
        )
        return scored

    def seal(self, job: messages.Seal) -> None:
        test = self._send("held", Path(job.test))
        used = str(self._place / "uses") if job.used else None
        there = msgspec.structs.replace(job, test=test, used=used, folder=str(self._place / "package"))
        self._ask("seal", there)
        unpack(self._answer(self._seat.give.remote("package")), Path(job.folder))

    def halt(self) -> None:
        """End it from another thread; the job at work raises ``KeyboardInterrupt`` in its own."""
        self._halted = self._cluster.halted = True

    def close(self) -> None:
        """Also what it was at, when somebody else asked for the end."""
        if self._ended:
            return
        self._ended = True
        if self._sits and not self._lost:
            with contextlib.suppress(Lost, ModelyardError, OSError):
                unpack(self._cluster.last(self._left()), self.folder)
        self._cluster.kill(self._seat)

    def _left(self) -> Any:
        """Asked beside the job that may be at work, which it ends."""
        return self._seat.close.options(concurrency_group="end").remote()

    def _send(self, name: str, path: Path) -> str:
        place: str = self._answer(self._seat.take.remote(name, self._cluster.sent(path)))
        return place

    def _ask(self, what: str, *given: Any, **named: Any) -> Any:
        answered, self._takes_more = self._answer(self._seat.ask.remote(what, *given, **named))
        if isinstance(answered, BaseException):
            raise answered
        return answered

    def _answer(self, asked: Any) -> Any:
        try:
            return self._cluster.wait(asked)
        except Lost:
            self._lost = True
            if self._halted:
                raise KeyboardInterrupt from None
            raise


def _knock(address: str) -> None:
    """Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()


def _ray() -> Any:
    # Read at its import: by default it tries twenty times, for half a minute each.
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    try:
        import ray
    except ImportError:
        raise ExtraMissing('[engine] kind = "ray" needs Ray; run \'pip install "modelyard[ray]"\'.') from None
    return ray
