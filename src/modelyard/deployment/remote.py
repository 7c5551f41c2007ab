"""``python -m modelyard.deployment.remote VERB FOLDER``: what an ``ssh`` target runs on its server.

A request is one line of JSON on standard input, its answer one line on standard output. Whoever asked is gone when
standard input ends: then what was begun is taken back, so that a connection lost halfway changes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from modelyard.deployment.keeper import Keeper, Spawned, Systemd
from modelyard.deployment.local import LocalTarget
from modelyard.errors import ModelyardError, ServiceDown
from modelyard.records.service import ServicePlan

ASKED = "asked.json"
TAKEN = "taken"
"""What is said when an answer arrived: only then does what was applied stay."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    environment: str = ""
    plan: ServicePlan | None = None
    asked: ServicePlan | None = None
    """The same as whoever deploys has it, with the paths of another machine."""
    timeout: float = 30.0
    workers: int = 1
    lines: int = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m modelyard.deployment.remote")
    parser.add_argument("verb", choices=("apply", "state", "plan", "stop", "logs", "candidate"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--manager", choices=("systemd", "process"), default="process")
    given = parser.parse_args()
    folder: Path = given.folder.expanduser().resolve()
    request = msgspec.json.decode(sys.stdin.readline(), type=Request)

    def keeper(environment: str) -> Keeper:
        return Systemd(f"{folder.parent.name}-{environment}") if given.manager == "systemd" else Spawned()

    target = LocalTarget(folder, keeper=keeper)
    try:
        if given.verb == "apply":
            return _apply(target, folder, request)
        if given.verb == "candidate":
            return _candidate(target, request)
        answers: dict[str, Callable[[], object]] = {
            "state": lambda: target.state(request.environment),
            "plan": lambda: _asked(target, folder, request.environment),
            "stop": lambda: target.stop(request.environment),
            "logs": lambda: target.logs(request.environment, lines=request.lines),
        }
        _say(answers[given.verb]())
    except ModelyardError as error:
        _refuse(error.code, str(error))
        return 1
    except OSError as error:
        _refuse("store_down", f"{error.filename or folder}: {error.strerror}.")
        return 1
    return 0


def _apply(target: LocalTarget, folder: Path, request: Request) -> int:
    plan = request.plan
    assert plan is not None
    with _alone(folder / plan.environment, request.timeout):
        running = target.state(plan.environment) is not None
        before = target.plan(plan.environment) if running else None
        runtime = folder / plan.environment / "runtime"
        ours = "\n".join((os.path.realpath(sys.prefix), os.environ.get("PYTHONPATH", "")))
        if running and (not runtime.exists() or runtime.read_text() != ours):
            target.stop(plan.environment)  # it runs in other libraries than those that the plan is for
        runtime.write_text(ours)
        try:
            state = target.apply(plan, timeout=request.timeout)
        except ModelyardError:
            if before is not None and target.state(plan.environment) is None:
                target.apply(before, timeout=request.timeout)
            raise
        with contextlib.suppress(OSError):
            _say(state)
            if sys.stdin.readline().strip() == TAKEN:
                (folder / plan.environment / ASKED).write_bytes(msgspec.json.encode(request.asked))
                return 0
        if before is None:
            target.stop(plan.environment)
        else:
            target.apply(before, timeout=request.timeout)
    return 1


def _asked(target: LocalTarget, folder: Path, environment: str) -> ServicePlan | None:
    """What was asked for last, if that is what answers."""
    plan = target.plan(environment)
    try:
        asked = msgspec.json.decode((folder / environment / ASKED).read_bytes(), type=ServicePlan)
    except (OSError, msgspec.DecodeError):
        return plan
    return asked if plan and plan.generation == asked.generation else plan


def _candidate(target: LocalTarget, request: Request) -> int:
    assert request.plan is not None
    with target.candidate(request.plan, timeout=request.timeout, workers=request.workers) as candidate:
        _say({"url": candidate.url, "grpc": candidate.grpc})
        while sys.stdin.readline():
            _say(candidate.memory_mb())
    return 0


@contextlib.contextmanager
def _alone(folder: Path, timeout: float) -> Iterator[None]:
    """One deployment of an environment at a time on this server; ``ServiceDown`` when another does not end."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "deploy.lock").open("ab") as file:
        until = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise ServiceDown(
                        "Another deployment is at work there; run it again afterwards."
                    ) from None
                time.sleep(0.1)
        yield


def _say(answer: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode({"answer": answer}) + b"\n")
    sys.stdout.buffer.flush()


def _refuse(code: str, sentence: str) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(msgspec.json.encode({"error": code, "sentence": sentence}) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
