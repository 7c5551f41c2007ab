"""Services as processes on this machine.

A service has a folder with ``plan.json`` (wanted), ``state.json`` (what answers) and
``service.log``. The supervisor is a process of its own, started detached: it outlives the command
that deployed, and a new plan changes it without closing a listening socket.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from modelyard.deployment.keeper import Keeper, Spawned, supervising
from modelyard.errors import PortTaken, ServiceDown, StoreDown
from modelyard.records.service import JOURNAL, ServicePlan, ServiceState, Telling
from modelyard.storage.scratch import scratch

_POLL = 0.01
_KERNEL = ("0", "2")
"""The parents of its threads: none, and the thread that begins the others."""
T = TypeVar("T")


class Candidate(NamedTuple):
    """A service that is tested, on this machine."""

    url: str
    grpc: str | None
    pid: int
    """Of its first process."""

    def memory_mb(self) -> float:
        return round(sum(map(_held, _family(self.pid))) / 1024, 1)

    def processor_seconds(self) -> float:
        """What its processes used of all cores since they began, with those of them that have ended."""
        return sum(map(_used, _family(self.pid)))


class LocalTarget:
    """A ``Target`` that keeps each environment's service under ``folder/ENVIRONMENT``, and candidates in
    ``scratch`` (by default among the temporary files). ``keeper`` says who keeps an environment's supervisor."""

    def __init__(
        self,
        folder: Path,
        *,
        scratch: Path | None = None,
        keeper: Callable[[str], Keeper] = lambda _: Spawned(),
    ) -> None:
        self._folder, self._scratch, self._keeper = folder, scratch, keeper

    def apply(self, plan: ServicePlan, *, timeout: float) -> ServiceState:
        return self._service(plan.environment).apply(plan, timeout)

    def state(self, environment: str) -> ServiceState | None:
        return self._service(environment).state()

    def plan(self, environment: str) -> ServicePlan | None:
        return self._service(environment).plan()

    def stop(self, environment: str) -> None:
        self._service(environment).stop()

    def logs(self, environment: str, *, lines: int = 100) -> str:
        return self._service(environment).logs(lines)

    def drift(self, environment: str) -> tuple[str, ...]:  # noqa: ARG002  a plan is its supervisor's alone
        return ()

    def _service(self, environment: str) -> _Service:
        return _Service(self._folder / environment, self._keeper(environment))

    @contextlib.contextmanager
    def candidate(self, plan: ServicePlan, *, timeout: float = 20.0, workers: int = 1) -> Iterator[Candidate]:
        """A service for ``plan`` on free ports of loopback, for tests; ended on leaving.

        It speaks gRPC when the plan does, and asks for the plan's tokens; but without TLS and an identity provider, and
        its rate is not limited. Nothing is logged, and nothing of the environment's service is touched. It ends with this process too, should that be killed.
        """
        with scratch("candidate-", self._scratch) as folder:
            trial = msgspec.structs.replace(
                plan,
                host="127.0.0.1",
                port=_free_port(),
                grpc_port=plan.grpc_port and _free_port(),
                rate_limit=None,
                workers=workers,
                log=None,
                tls=None,
                jwt=None,
                quota=None,
                telling=Telling(),
            )
            service = _Service(folder, Spawned(), parent=os.getpid())
            try:
                state = service.apply(trial, timeout)
                grpc = trial.grpc_port and f"127.0.0.1:{trial.grpc_port}"
                yield Candidate(f"http://127.0.0.1:{trial.port}", grpc or None, state.pid)
            finally:
                service.stop()


class _Service:
    def __init__(self, folder: Path, keeper: Keeper, *, parent: int | None = None) -> None:
        self._parent, self._keeper = parent, keeper
        self._plan = folder / "plan.json"
        self._state = folder / "state.json"
        self._log = folder / JOURNAL
        self._folder = folder

    def plan(self) -> ServicePlan | None:
        return _read(self._plan, ServicePlan)

    def state(self) -> ServiceState | None:
        state = _read(self._state, ServiceState)
        return state if state and self._is_ours(state.pid) else None

    def apply(self, plan: ServicePlan, timeout: float) -> ServiceState:
        before = self.plan()
        running = self.state()
        moves = running and before and (before.host, before.port) != (plan.host, plan.port)
        if moves or running is None:
            _refuse_taken_port(plan)
        again = before if running else None
        if running and before and before.place != plan.place:
            self.stop()
            running = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _replace(self._plan, msgspec.json.format(msgspec.json.encode(plan)))
        except OSError as error:
            raise StoreDown(
                f"The service's plan {self._plan} could not be written: {error.strerror}; "
                "make room or mend the permissions, then run the command again."
            ) from None
        started = self._start() if running is None else None
        if running:
            os.kill(running.pid, signal.SIGHUP)
        try:
            return self._wait(plan, started, timeout)
        except ServiceDown:
            self._restore(again, timeout)
            raise

    def stop(self) -> None:
        state = self.state()
        if state is None:
            return
        self._keeper.stop(state.pid)
        deadline = time.monotonic() + 10
        while self._is_ours(state.pid):
            if time.monotonic() > deadline:
                os.kill(state.pid, signal.SIGKILL)
                deadline += 10
            time.sleep(_POLL)

    def _start(self) -> int | None:
        """The pid of a supervisor that outlives this process, where it is known at once."""
        self._state.unlink(missing_ok=True)
        command = supervising(self._plan, self._state, parent=self._parent)
        return self._keeper.start(command, self._log)

    def _wait(self, plan: ServicePlan, started: int | None, timeout: float) -> ServiceState:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            state = self.state()
            if state and state.generation == plan.generation and state.failed_generation is None:
                return state
            if state and state.failed_generation == plan.generation:
                raise ServiceDown(f"The service of {plan.environment} refused the release: {state.error}")
            if started and not self._is_ours(started):
                raise ServiceDown(
                    f"The service of {plan.environment} ended at once: {self._last_words()} (see {self._log})."
                )
            time.sleep(_POLL)
        raise ServiceDown(
            f"The service of {plan.environment} did not answer for the release within {timeout:g} s; "
            f"see {self._log}."
        )

    def _restore(self, before: ServicePlan | None, timeout: float) -> None:
        """What answered before answers again: by the same process, unless that was ended."""
        tried, state = self.plan(), self.state()
        same = tried and before and tried.place == before.place
        if not (same and state):
            self.stop()
        if before is None:
            self._plan.unlink(missing_ok=True)
            return
        _replace(self._plan, msgspec.json.format(msgspec.json.encode(before)))
        if same and state:
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGHUP)
        else:
            with contextlib.suppress(ServiceDown):
                self._wait(before, self._start(), timeout)

    def logs(self, lines: int) -> str:
        said = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(said[-lines:])

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        return lines[-1] if lines else "it said nothing"

    def _is_ours(self, pid: int) -> bool:
        """Whether the process is this folder's supervisor: a pid may have been given to another."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        zombie = stat.rpartition(")")[2].split()[0] == "Z"
        if zombie:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        # A process has no arguments yet between being spawned and begun; a thread of the kernel never has.
        begun = command == [b""] and stat.rpartition(")")[2].split()[1] not in _KERNEL
        return not zombie and (begun or os.fsencode(self._plan) in command)


def _family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def _held(pid: int) -> int:
    """Kilobytes of one process, a page of several in equal parts (PSS)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _used(pid: int) -> float:
    """Seconds of processors of one process and of those children that it waited for."""
    with contextlib.suppress(OSError):
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StoreDown(
            f"{path} is damaged ({error}); end the process that 'pgrep -f {path.parent}' shows, if there is one, "
            "remove that file and deploy again."
        ) from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be read: {error.strerror}.") from None


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_suffix(f".{os.getpid()}")
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _refuse_taken_port(plan: ServicePlan) -> None:
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((plan.host, plan.port))
        except OSError as error:
            raise PortTaken(
                f"Port {plan.port} on {plan.host} cannot be used for {plan.environment} "
                f"({error.strerror}): end the program that listens there, or set "
                f"environments.{plan.environment}.port to another."
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
