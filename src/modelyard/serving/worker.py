"""One worker process: an event loop, a service, and the line to the supervisor."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from modelyard.ports import PredictionSink
from modelyard.predictions.writer import open_writer
from modelyard.records.service import ServedModel, ServicePlan
from modelyard.serving import control, tell
from modelyard.serving.connection import Connection
from modelyard.serving.counters import Board, Tally, exposition
from modelyard.serving.entrance import Entrance
from modelyard.serving.grpc_door import Door
from modelyard.serving.limits import Limits
from modelyard.serving.live import Models
from modelyard.serving.service import Service

BACKLOG = 4096
_LAST_CALL = 0.05
_COLLECT_EVERY = 20
"""Sweeps between two collections; automatic collection is off."""
_FEW = 1000
"""Connections up to which everything since the last switch is collected, not only what is young."""


@dataclass(frozen=True)
class _Loaded:
    """A plan that could answer now."""

    order: control.Load
    models: Models
    folder: str | None
    log: PredictionSink | None
    door: Door | None
    entrance: Entrance


class Worker:
    """Accepts on ``listener`` from the first switch on, until it is drained."""

    def __init__(
        self,
        *,
        slot: int,
        listener: socket.socket,
        line: socket.socket,
        board: Board,
        limits: Limits,
    ) -> None:
        self._slot = slot
        self._listener = listener
        self._line = line
        self._board = board
        self._lines = control.Lines()
        self._series: list[tuple[str, int, int]] = []
        self._loop = asyncio.get_running_loop()
        self._open: asyncio.Future[None] = self._loop.create_future()
        self._asked = 0
        self._loaded: _Loaded | None = None
        self._door: Door | None = None
        self._entrance: Entrance | None = None
        self._log: tuple[str | None, PredictionSink | None] = (None, None)
        self._limits = limits
        self._done: asyncio.Future[None] = self._loop.create_future()
        self.service = Service(
            self._loop,
            limits=limits,
            exposition=lambda: exposition(board, self._series),
        )

    async def run(self) -> None:
        """Until drained, or until the supervisor is gone."""
        loop = self._loop
        self._line.setblocking(False)
        loop.add_reader(self._line.fileno(), self._heard)
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        self._sweep(0)
        await asyncio.wait([self._open, self._done], return_when=asyncio.FIRST_COMPLETED)
        if self._open.done():
            server = await loop.create_server(
                lambda: Connection(self.service),
                sock=self._listener,
                backlog=BACKLOG,
                **self._encrypted(),
            )
            await self._done
            self.service.drain()
            if self._door is not None:
                self._door.close(self._limits.drain_seconds)
            await asyncio.sleep(_LAST_CALL)  # whoever the kernel let in already is still answered
            server.close()
            await self._emptied()
        self.service.close()

    def _encrypted(self) -> dict[str, Any]:
        certificate = self._entrance.certificate if self._entrance is not None else None
        if certificate is None:
            return {}
        seconds = self._limits.send_seconds
        return {"ssl": certificate.context, "ssl_handshake_timeout": seconds, "ssl_shutdown_timeout": 2.0}

    async def _emptied(self) -> None:
        until = self._loop.time() + self._limits.drain_seconds
        while self.service.connections and self._loop.time() < until:
            self.service.drain()
            await asyncio.sleep(0.02)

    def _drain(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _sweep(self, count: int) -> None:
        self.service.sweep()
        if self._entrance is not None and (wrong := self._entrance.renew()):
            tell.say(wrong, "error")
        if self.service.stuck:
            self._drain()
        if count % _COLLECT_EVERY == 0:
            gc.collect(2 if len(self.service.connections) < _FEW else 0)
        self._loop.call_later(self._limits.sweep_seconds, self._sweep, count + 1)

    def _heard(self) -> None:
        try:
            data = self._line.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._line.fileno())
            self._drain()
            return
        for content in self._lines.cut(data):
            self._obey(control.order(content))

    def _obey(self, order: control.Order) -> None:
        if isinstance(order, control.Load):
            self._asked = order.turn
            threading.Thread(target=self._load, args=(order, self.service.models), daemon=True).start()
        elif isinstance(order, control.Switch):
            self._switch(order.turn)
        else:
            self._asked = 0
            self._forget()
            self._accept()

    def _load(self, order: control.Load, before: Models | None) -> None:
        """In a thread: open what is wanted beside what answers."""
        cells = {(model, version): at for model, version, at in order.series}

        def tally(served: ServedModel) -> Tally:
            return self._board.tally(self._slot, cells[served.model, served.version])

        folder, log = self._log
        try:
            models = Models.open(order.plan.generation, order.plan.models, before, tally)
            if order.plan.log != folder:
                folder, log = order.plan.log, None
                log = open_writer(Path(folder), self._slot) if folder else None
            entrance = Entrance(order.plan, slot=self._slot, loop=self._loop, before=self._entrance)
            door = self._opened(order.plan, entrance)
        except Exception as error:
            self._loop.call_soon_threadsafe(self._say, control.Failed(order.turn, str(error)))
        else:
            loaded = _Loaded(order=order, models=models, folder=folder, log=log, door=door, entrance=entrance)
            self._loop.call_soon_threadsafe(self._keep, loaded)

    def _opened(self, plan: ServicePlan, entrance: Entrance) -> Door | None:
        """The door for gRPC that the plan wants; it stays as long as this process."""
        if plan.grpc_port is None or self._door is not None:
            return self._door
        return Door(plan, self.service, self._loop, self._limits, entrance.certificate)

    def _keep(self, loaded: _Loaded) -> None:
        self._forget()
        self._loaded = loaded
        if loaded.order.turn != self._asked:  # dropped meanwhile
            self._forget()
            return
        self._say(control.Loaded(loaded.order.turn))

    def _forget(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None and loaded.door is not None and loaded.door is not self._door:
            loaded.door.close(0)
        if loaded is not None:
            loaded.entrance.leave(self._entrance)
        if loaded is not None and loaded.log is not None and loaded.log is not self._log[1]:
            loaded.log.close()

    def _switch(self, turn: int) -> None:
        loaded = self._loaded
        if loaded is None or loaded.order.turn != turn:
            self._say(control.Failed(turn, "the switch came before the load"))
            return
        self._loaded = None
        self._series = loaded.order.series
        self._log = (loaded.folder, loaded.log)
        entrance, before = loaded.entrance, self._entrance
        self._entrance = entrance
        entrance.enter(before, self._keys_changed)
        tell.use(loaded.order.plan.telling.form, loaded.order.plan.environment)
        self.service.point(loaded.models, admission=entrance.admission, log=loaded.log, watch=entrance.watch)
        if loaded.door is not None and self._door is None:
            self._door = loaded.door
            self._door.open()
        gc.collect()
        gc.freeze()
        self._accept()
        self._say(control.Switched(turn))

    def _keys_changed(self) -> None:
        """In a thread: who was known by a head may not count any more."""
        self._loop.call_soon_threadsafe(self.service.heads.clear)

    def _accept(self) -> None:
        if not self._open.done():
            self._open.set_result(None)

    def _say(self, word: control.Word) -> None:
        try:
            self._line.send(control.line(word))
        except OSError:
            self._drain()


def main(*, slot: int, listener: socket.socket, line: socket.socket, board: Board, limits: Limits) -> None:
    """A forked worker's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the supervisor decides
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()

    async def live() -> None:
        worker = Worker(slot=slot, listener=listener, line=line, board=board, limits=limits)
        await worker.run()

    uvloop.run(live())
