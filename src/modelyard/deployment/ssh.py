"""Services on a server by SSH: packages and the rooms that a service needs are sent, its libraries made there.

Below ``FOLDER`` of the server everything that does not change is named by its content (``library``, ``environments``,
``packages``), sent once and whole or not at all; ``services/ENVIRONMENT`` is as on a machine of its own, and the same
supervisor converges there. A lost connection leaves what was live live.
"""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import modelyard
from modelyard.deployment.connection import Connection, Conversation
from modelyard.deployment.remote import TAKEN, Request
from modelyard.errors import ModelyardError, PortTaken, ServiceDown, StoreDown
from modelyard.records.service import ServedModel, ServicePlan, ServiceState

ROOMS = ("deployment", "storage/__init__.py", "storage/scratch.py")
"""Of Modelyard, that the server needs beside those of a service."""
_GRACE = 30.0
"""Seconds beyond the service's own for connecting and answering."""
_ERRORS: dict[str, type[ModelyardError]] = {kind.code: kind for kind in (PortTaken, ServiceDown, StoreDown)}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server as the settings have it. ``folder`` is relative to the user's home there."""

    connection: Connection
    folder: str
    manager: str = "systemd"
    python: str = "python3"
    environment: str | None = None
    log: str | None = None


class RemoteCandidate:
    def __init__(self, url: str, grpc: str | None, conversation: Conversation) -> None:
        self.url, self.grpc, self._conversation = url, grpc, conversation

    def memory_mb(self) -> float:
        self._conversation.say(b"memory")
        held: float = _answer(self._conversation, float, timeout=_GRACE)
        return held


class SshTarget:
    """A ``Target`` on a server. ``rooms`` are files and folders of Modelyard that are sent, and ``requirements`` gives
    what a service of these models needs, locked."""

    def __init__(
        self,
        server: Server,
        *,
        rooms: Sequence[str],
        requirements: Callable[[Sequence[ServedModel]], str],
    ) -> None:
        self._server, self._connection = server, server.connection
        self._library, self._rooms, self._requirements = Path(modelyard.__file__).parent, rooms, requirements

    def apply(self, plan: ServicePlan, *, timeout: float) -> ServiceState:
        there = self._sent(plan)
        with self._asked("apply", Request(plan=there, asked=plan, timeout=timeout)) as conversation:
            state: ServiceState = _answer(conversation, ServiceState, timeout=timeout + _GRACE)
            conversation.say(TAKEN.encode())
        return state

    def state(self, environment: str) -> ServiceState | None:
        found: ServiceState | None = self._told("state", environment, ServiceState | None)
        return found

    def plan(self, environment: str) -> ServicePlan | None:
        found: ServicePlan | None = self._told("plan", environment, ServicePlan | None)
        return found

    def stop(self, environment: str) -> None:
        self._told("stop", environment, type(None))

    def logs(self, environment: str, *, lines: int = 100) -> str:
        return self._told("logs", environment, str | None, lines=lines) or ""

    def drift(self, environment: str) -> tuple[str, ...]:  # noqa: ARG002  a plan is its supervisor's alone
        return ()

    @contextlib.contextmanager
    def candidate(
        self, plan: ServicePlan, *, timeout: float = 20.0, workers: int = 1
    ) -> Iterator[RemoteCandidate]:
        request = Request(plan=self._sent(plan), timeout=timeout, workers=workers)
        with contextlib.ExitStack() as open_:
            conversation = open_.enter_context(self._asked("candidate", request))
            told = _answer(conversation, dict[str, str | None], timeout=timeout + _GRACE)

            def led(address: str) -> str:
                port = int(address.rpartition(":")[2])
                return f"127.0.0.1:{open_.enter_context(self._connection.tunnel(port))}"

            url, grpc = f"http://{led(told['url'] or '')}", told["grpc"]
            yield RemoteCandidate(url, led(grpc) if grpc else None, conversation)

    def _told(self, verb: str, environment: str, kind: Any, *, lines: int = 100) -> Any:
        """What the server says of a service; nothing where nothing was ever sent."""
        known = f"test -e {shlex.quote(self._server.folder)}/current"
        script = f"if {known}; then {self._program(verb)}; else echo '{{\"answer\":null}}'; fi"
        with self._connection.conversation(script) as conversation:
            with contextlib.suppress(
                ServiceDown, StoreDown
            ):  # it says null without being asked, or why it is lost
                conversation.say(msgspec.json.encode(Request(environment=environment, lines=lines)))
            return _answer(conversation, kind, timeout=2 * _GRACE)

    @contextlib.contextmanager
    def _asked(self, verb: str, request: Request) -> Iterator[Conversation]:
        with self._connection.conversation(self._program(verb)) as conversation:
            conversation.say(msgspec.json.encode(request))
            yield conversation

    def _program(self, verb: str) -> str:
        """The remote program in the environment and with the library that were sent last."""
        folder, given = self._server.folder, self._server.environment
        python = f"{given}/bin/python" if given else f"{folder}/current/environment/bin/python"
        words = [python, "-P", "-m", "modelyard.deployment.remote", verb, f"{folder}/services"]
        library = f'"$(cd {shlex.quote(folder)}/current/library && pwd -P)"'
        command = shlex.join([*words, "--manager", self._server.manager])
        return f"exec env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={library} {command}"

    def _sent(self, plan: ServicePlan) -> ServicePlan:
        """Send what is not there yet; the plan as the server has it."""
        folder = self._server.folder
        library: dict[str, Path | bytes] = {f"modelyard/{room}": self._library / room for room in self._rooms}
        wanted = [f"library/{_content([self._library / room for room in self._rooms])}"]
        lock = self._requirements(plan.models)
        if self._server.environment is None:
            wanted.append(f"environments/{_digest((lock + self._server.python).encode())}")
        packages = {model.package: Path(model.folder) for model in plan.models}
        signed = {digest: _signed(path) for digest, path in packages.items()}
        wanted += [f"packages/{name}" for name in signed.values()]
        asked = " ".join(shlex.quote(f"{folder}/{name}") for name in wanted)
        script = (
            f'mkdir -p {shlex.quote(folder)} && for f in {asked}; do test -d "$f" || echo "$f"; done; pwd'
        )
        *lines, home = self._connection.run(script, timeout=_GRACE).decode().splitlines()
        for kind, _, name in (one.partition("/") for one in wanted if f"{folder}/{one}" in lines):
            place = f"{folder}/{kind}/{name}"
            if kind == "library":
                self._connection.send(place, library)
            elif kind == "environments":
                self._connection.send(place, {"requirements.txt": lock.encode()}, then=self._made())
            else:
                path = next(packages[digest] for digest, known in signed.items() if known == name)
                parts: dict[str, Path | bytes] = {path.name: path}
                parts |= {beside.name: beside for beside in path.parent.glob(f"{path.name}.*.sig")}
                self._connection.send(place, parts)
        self._point(wanted)
        root = Path(home) / folder
        models = tuple(
            msgspec.structs.replace(
                model,
                folder=str(root / "packages" / signed[model.package] / Path(model.folder).name),
                # its libraries are in the service's environment there
                own=model.own and msgspec.structs.replace(model.own, python=None, path=None),
            )
            for model in plan.models
        )
        quota = plan.quota and msgspec.structs.replace(
            plan.quota, path=str(root / "services" / plan.environment / "quota.bin")
        )
        return msgspec.structs.replace(plan, models=models, log=self._server.log, quota=quota)

    def _made(self) -> str:
        """The script that makes a virtual environment of the locked requirements beside it."""
        python = shlex.quote(self._server.python)
        pip = "bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all:"
        return f"{python} -m venv . && {pip} -r requirements.txt >&2"

    def _point(self, wanted: Sequence[str]) -> None:
        """``current`` leads to what was sent last, all at once."""
        led = {"library": "library", "environments": "environment"}
        kinds = ((led.get(name.partition("/")[0]), name) for name in wanted)
        links = "".join(f' && ln -sfn ../{name} "$d"/{kind}' for kind, name in kinds if kind)
        pointed = f"pointed-{_digest(links.encode())}"
        script = (
            f'cd {shlex.quote(self._server.folder)} && d={pointed} && mkdir -p "$d"{links} && '
            'ln -sfn "$d" "current.$$" && mv -T "current.$$" current'
        )
        self._connection.run(script, timeout=_GRACE)


def _answer(conversation: Conversation, kind: Any, *, timeout: float) -> Any:
    """What the remote program answered, after whatever the server's shell prints for people; what it refused is raised
    as it would be here."""
    while not (line := conversation.hear(timeout)).startswith((b'{"answer":', b'{"error":')):
        pass
    told = msgspec.json.decode(line)
    if "error" in told:
        raise _ERRORS.get(told["error"], ServiceDown)(told["sentence"])
    return msgspec.convert(told["answer"], kind)


def _signed(folder: Path) -> str:
    """A package with the signatures that stand beside it: another one when it is signed again."""
    beside = sorted(path.name for path in folder.parent.glob(f"{folder.name}.*.sig"))
    return f"{folder.name}-{_digest(''.join(beside).encode())}"


def _content(paths: Sequence[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.update(f"{file.name}\0".encode() + file.read_bytes())
    return found.hexdigest()[:32]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


__all__ = ["ROOMS", "Connection", "Server", "SshTarget"]
