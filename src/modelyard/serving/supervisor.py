"""The supervisor: sockets, workers, and the way from one plan to the next.

It binds one SO_REUSEPORT socket a worker slot and never closes it while it lives: a worker that dies
leaves its slot's queue to its successor. A plan is loaded by every worker beside what answers; only
when all have loaded it do all switch, and when one cannot, none does.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from modelyard.authors.apart import threads
from modelyard.errors import Misuse, ModelyardError, SettingsError
from modelyard.records.service import JOURNAL, ServicePlan, ServiceState
from modelyard.serving import control, tell
from modelyard.serving.control import Failed, Loaded
from modelyard.serving.counters import Board, Series
from modelyard.serving.journal import trim
from modelyard.serving.limits import Limits
from modelyard.serving.slot import Slot, ending
from modelyard.serving.sockets import listeners, refuse_open_door
from modelyard.serving.state import announce, contents, read_plan

POLL = 0.05
_LONGEST_BACKOFF = 5.0
_TRIM = 10.0
"""Seconds between two looks at how long the journal is."""
_TRIES = 2
"""How often a worker may die while it loads a plan before the plan is to blame."""


class _Turn(msgspec.Struct, frozen=True):
    """One try at one plan; ``number`` tells tries apart, since a plan may come back."""

    number: int
    plan: ServicePlan
    series: list[tuple[str, int, int]]


def _worker() -> Callable[..., None]:
    """Loaded before the first fork, so that every worker is of the supervisor's own code, whatever
    is installed over it meanwhile."""
    for name, count in threads(1).items():
        os.environ.setdefault(name, count)  # a service scales by processes
    from modelyard.serving.worker import main

    return main


class Supervisor:
    """Converges to the plan in ``plan`` until SIGTERM or SIGINT; tells what is in ``state``.

    With ``parent`` it ends with that process, however that ended. With ``fixed`` the plan is the only one that it will
    have, so that it ends when that cannot be carried out.
    """

    def __init__(
        self,
        plan: Path,
        state: Path,
        *,
        limits: Limits | None = None,
        parent: int | None = None,
        fixed: bool = False,
    ) -> None:
        self._plan_path, self._state_path = plan, state
        self._parent, self._fixed = parent, fixed
        self._limits = limits or Limits()
        self._stamp: object = None
        self._slots: list[Slot] = []
        self._current: _Turn | None = None
        self._wanted: _Turn | None = None
        self._turns = 0
        self._deaths = 0
        self._error: str | None = None
        self._failed: int | None = None
        self._told: ServiceState | None = None
        self._stopping = False
        self._trim_due = 0.0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """The exit code: 0 after a drain, 1 when its fixed plan failed, 2 for a plan that cannot be, 3 when the port is taken."""
        try:
            plan = self._read()
            tell.use(plan.telling.form, plan.environment)
            refuse_open_door(plan)
            self._board = Board(plan.workers)
            self._series = Series(self._board)
            self._slots = [Slot(i, sock) for i, sock in enumerate(listeners(plan))]
        except ModelyardError as error:
            return self._refuse_to_start(error)
        self._first = plan
        self._work = _worker()
        self._signals()
        self._want(plan)
        hopeless = False
        while not self._stopping and not hopeless:
            self._step()
            hopeless = self._fixed and self._failed is not None and self._current is None
        self._stop()
        return int(hopeless)

    def _refuse_to_start(self, error: ModelyardError) -> int:
        tell.say(str(error), "error")
        failed = None
        with contextlib.suppress(ModelyardError):
            failed = self._read().generation
        self._error, self._failed = str(error), failed
        self._tell()
        return 2 if isinstance(error, Misuse) else 3

    def _signals(self) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        self._pipe = (read, write)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._selector.register(read, selectors.EVENT_READ)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        for number in (signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)  # they only wake the loop, which looks for itself

    def _asked_to_stop(self, *_: object) -> None:
        self._stopping = True

    def _step(self) -> None:
        if self._parent is not None and os.getppid() != self._parent:
            self._stopping = True
            return
        self._look()
        if time.monotonic() >= self._trim_due:
            self._trim_due = time.monotonic() + _TRIM
            trim(self._state_path.with_name(JOURNAL))
        self._revive()
        self._advance()
        self._tell()
        for key, _ in self._selector.select(POLL):
            if isinstance(key.data, Slot):
                self._hear(key.data)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._pipe[0], 4096)
        self._bury()

    # -- the plan

    def _look(self) -> None:
        """Read the plan again when its file changed."""
        try:
            stat = self._plan_path.stat()
        except OSError:
            return
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if stamp == self._stamp:
            return
        try:
            plan = self._read()
            self._refuse_other_place(plan)
        except ModelyardError as error:
            self._error = str(error)
            return
        if self._wanted is None or self._wanted.plan != plan:
            self._want(plan)

    def _read(self) -> ServicePlan:
        self._stamp, content = contents(self._plan_path)
        return read_plan(content, self._plan_path)

    def _refuse_other_place(self, plan: ServicePlan) -> None:
        first = self._first
        if plan.place != first.place:
            self._failed = plan.generation
            raise SettingsError(
                f"The service of {plan.environment} listens on {first.host}:{first.port}"
                f"{f' and for gRPC on {first.grpc_port}' if first.grpc_port else ''} with {first.workers} "
                "workers; stop it first to change that."
            )
        try:
            refuse_open_door(plan)
        except ModelyardError:
            self._failed = plan.generation
            raise

    def _want(self, plan: ServicePlan) -> None:
        self._forget()
        self._error = self._failed = None
        self._deaths = 0
        if self._current is not None and self._current.plan == plan:
            return
        self._turns += 1
        self._wanted = _Turn(self._turns, plan, self._series.of((m.model, m.version) for m in plan.models))
        for slot in self._slots:
            if slot.line is not None and slot.serving == self._serving:
                self._load(slot, self._wanted)

    def _forget(self) -> None:
        """Have the workers drop what they loaded of a plan that is not to be."""
        if self._wanted is None:
            return
        for slot in self._slots:
            if slot.line is not None and slot.loading == self._wanted.number:
                slot.loading = slot.loaded = 0
                slot.say(control.Drop(self._wanted.number))
        self._wanted = None

    @property
    def _serving(self) -> int:
        return self._current.number if self._current is not None else 0

    def _advance(self) -> None:
        """When all have loaded the wanted plan, it is the current one and all switch."""
        wanted = self._wanted
        if wanted is None or not all(s.line is not None and s.loaded == wanted.number for s in self._slots):
            return
        self._current, self._wanted = wanted, None
        for slot in self._slots:
            slot.say(control.Switch(wanted.number))

    def _fail(self, error: str) -> None:
        assert self._wanted is not None
        self._error, self._failed = error, self._wanted.plan.generation
        tell.say(f"generation {self._failed}: {error}", "error")
        self._forget()

    # -- workers

    def _revive(self) -> None:
        for slot in self._slots:
            if slot.pid == 0 and time.monotonic() >= slot.due:
                self._start(slot)

    def _start(self, slot: Slot) -> None:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            slot.due = time.monotonic() + _LONGEST_BACKOFF
            tell.say(f"worker {slot.number} cannot start: {error.strerror}", "error")
            return
        if pid == 0:
            self._become_worker(slot, ours, theirs)
        theirs.close()
        slot.pid, slot.line, slot.lines = pid, ours, control.Lines()
        slot.serving = slot.loading = slot.loaded = 0
        slot.started = time.monotonic()
        self._selector.register(ours, selectors.EVENT_READ, slot)
        turn = self._current or self._wanted
        if turn is not None:
            self._load(slot, turn)
        else:
            slot.say(control.Drop(0))

    def _become_worker(self, slot: Slot, ours: socket.socket, theirs: socket.socket) -> None:
        """In the child: let go of everything that is the supervisor's, then serve."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            for fd in self._pipe:
                os.close(fd)
            ours.close()
            for other in self._slots:
                if other.line is not None:
                    other.line.close()
                if other is not slot:
                    other.listener.close()
            self._work(
                slot=slot.number,
                listener=slot.listener,
                line=theirs,
                board=self._board,
                limits=self._limits,
            )
            code = 0
        except BaseException as error:
            if isinstance(error, ModelyardError):
                tell.say(str(error), "error")
            else:
                sys.excepthook(type(error), error, error.__traceback__)
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _load(self, slot: Slot, turn: _Turn) -> None:
        slot.loading = turn.number
        slot.say(control.Load(turn.number, turn.plan, turn.series))

    def _hear(self, slot: Slot) -> None:
        assert slot.line is not None
        try:
            data = slot.line.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(slot.line)
            slot.line.close()
            slot.line = None
            return
        for content in slot.lines.cut(data):
            self._take(slot, control.word(content))

    def _take(self, slot: Slot, word: control.Word) -> None:
        if word.turn != slot.loading and word.turn != slot.loaded:
            return
        wanted = self._wanted
        if isinstance(word, Failed):
            if wanted is not None and word.turn == wanted.number:
                self._fail(word.error)
            else:
                self._error = word.error
                os.kill(slot.pid, signal.SIGTERM)
        elif isinstance(word, Loaded):
            slot.loaded = word.turn
            if self._current is not None and word.turn == self._current.number:
                slot.say(control.Switch(word.turn))
        else:
            slot.serving = word.turn
            if self._failed is None:
                self._error = None
            if wanted is not None and slot.serving == self._serving:
                self._load(slot, wanted)

    def _bury(self) -> None:
        """Take note of workers that ended, and when their slot may be filled again."""
        for slot in self._slots:
            if not slot.pid:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if not pid:
                continue
            now = time.monotonic()
            slot.deaths = 0 if now - slot.started > 30 else slot.deaths + 1
            backoff = min(0.1 * 2 ** (slot.deaths - 1), _LONGEST_BACKOFF) if slot.deaths > 1 else 0.0
            slot.due = now + backoff
            how = ending(status)
            tell.say(f"worker {slot.number} ({slot.pid}) ended by {how}; another starts", "warn")
            if slot.line is not None:
                self._selector.unregister(slot.line)
                slot.line.close()
                slot.line = None
            slot.pid = 0
            if self._wanted is not None and slot.loading == self._wanted.number:
                self._deaths += 1
                if self._deaths >= _TRIES:
                    self._fail(f"A worker ended by {how} while it loaded the plan, {self._deaths} times.")
            slot.serving = slot.loading = slot.loaded = 0

    # -- what others read

    def _tell(self) -> None:
        current = self._current
        answering = [
            s for s in self._slots if s.line is not None and s.serving and s.serving == self._serving
        ]
        whole = current is not None and len(answering) == len(self._slots)
        before = self._told
        models: tuple[str, ...] = ()
        generation = 0
        if current is not None and whole:
            generation = current.plan.generation
            models = tuple(m.model_id for m in current.plan.models)
        elif current is not None and before is not None:
            generation, models = before.generation, before.models
        state = ServiceState(
            pid=os.getpid(),
            generation=generation,
            workers=tuple(s.pid for s in self._slots if s.pid),
            models=models,
            error=self._error,
            failed_generation=self._failed,
        )
        if state != before:
            self._told = state
            announce(self._state_path, state)

    def _stop(self) -> None:
        """Drain: workers finish what is under way; whoever takes too long is ended."""
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, signal.SIGTERM)
        until = time.monotonic() + self._limits.drain_seconds + 1
        while any(s.pid for s in self._slots):
            for slot in self._slots:
                if slot.pid and os.waitpid(slot.pid, os.WNOHANG)[0]:
                    slot.pid = 0
                elif slot.pid and time.monotonic() > until:
                    os.kill(slot.pid, signal.SIGKILL)
            time.sleep(0.01)
        for slot in self._slots:
            slot.listener.close()
        self._current = None
        self._tell()
