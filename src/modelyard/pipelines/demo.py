"""``demo``: the whole lifecycle once, on real data, by the commands that a user would type.

Every step that is shown as a command is that command, run as a process of its own; a step whose
outcome is not the one foreseen ends the demo.
"""

from __future__ import annotations

import contextlib
import csv
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelyard.errors import Misuse, ServiceDown
from modelyard.records.access import TOKEN

MODEL = "screening"
LATER = 69
"""Rows of the table that arrive only later, as new patients."""
SHIFTED = ("mean_radius", "mean_texture", "worst_area")
"""The columns that the shifted stream moves, by one standard deviation of the table."""

TRIGGERS = """
[triggers.screening]                          # what starts a build again: docs/loop.md
on = ["new_data", "drift"]
policy = { drift = "investigate", min_labelled = 50 }
canary = { steps = [0.5], min_rows = 50 }
"""

Row = dict[str, float]


def demo(folder: Path | None, *, port: int | None, stay: bool, say: Callable[[str], None]) -> None:
    """Run the demo in a new ``folder`` (a temporary one by default); ``stay`` keeps it serving."""
    place = (folder or Path(tempfile.mkdtemp(prefix="modelyard-demo-")) / MODEL).resolve()
    if place.exists():
        raise Misuse(f"{place} is there already; name a folder that is not, or remove it.")
    began = time.perf_counter()
    with socket.socket() as claim:
        walk = _Walk(place, port or _free_ports(3, claim), say)
        try:
            walk.all()
        finally:
            if not stay:
                walk.command("stop", quiet=True)
    walk.close(time.perf_counter() - began, stay)


class _Walk:
    def __init__(self, place: Path, port: int, say: Callable[[str], None]) -> None:
        self._place, self._port, self._say = place, port, say
        self._table = place / "data" / "patients.csv"

    def all(self) -> None:
        self._project()
        self._first_version()
        self._to_production()
        self._answers()
        self._drift()
        self._second_version()
        self._audit()

    def close(self, seconds: float, stay: bool) -> None:
        report = next((self._place / ".modelyard" / "reports" / MODEL).glob("*/report.html"))
        self._title(f"Done in {seconds:.0f} seconds")
        self._say(f"The project:    {self._place}")
        self._say(f"The report:     {report}")
        if stay:
            for at, name in enumerate(("test", "staging", "prod")):
                self._say(f"{name + ':':<15} http://127.0.0.1:{self._port + at}/docs")
            self._say(f"To end them:    modelyard -C {self._place} stop")

    def command(self, *words: str, expect: int = 0, quiet: bool = False, actor: str = "") -> None:
        """Run ``modelyard WORDS`` in the project, showing it; another exit code ends the demo."""
        if not quiet:
            self._say("$ " + " ".join(["modelyard", *(f'"{w}"' if " " in w else w for w in words)]))
        given = {name: value for name, value in os.environ.items() if name != TOKEN}  # of another yard
        done = subprocess.run(
            [sys.executable, "-m", "modelyard", *words],
            cwd=self._place if self._place.exists() else self._place.parent,
            env=given | ({"MODELYARD_ACTOR": actor} if actor else {}),
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=subprocess.DEVNULL if quiet else None,
            check=False,
        )
        if done.returncode != expect and not quiet:
            raise ServiceDown(
                f"'modelyard {' '.join(words)}' ended with exit code {done.returncode} instead of {expect}."
            )

    def _project(self) -> None:
        self._title("1. A project from nothing")
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self.command("init", MODEL, "--port", str(self._port), "--folder", str(self._place))
        with (self._place / "modelyard.toml").open("a", encoding="utf-8") as settings:
            settings.write(TRIGGERS)
        rows = _read(self._table)
        self._later = rows[-LATER:]
        _write(self._table, rows[:-LATER])
        self._say(f"data/patients.csv: {len(rows) - LATER} patients; {LATER} more arrive later")

    def _first_version(self) -> None:
        self._title("2. From the table to a tested, registered version")
        self.command("build")
        self.command("check")

    def _to_production(self) -> None:
        self._title("3. Through test and staging to production, with gates and reviews")
        self.command("deploy", "test")
        self.command("promote", f"{MODEL}@1", "--to", "staging")
        self.command("deploy", "staging")
        self._say("A promotion without its reviews is refused:")
        self.command("promote", f"{MODEL}@1", "--to", "prod", expect=1)
        self._reviews(1)
        self.command("promote", f"{MODEL}@1", "--to", "prod")
        self.command("deploy", "prod")

    def _reviews(self, version: int) -> None:
        answers = {"sme": ("Dr Okafor", "Sensible on known cases"), "ethics": ("Ms Lind", "Board of 3 May")}
        for subject, (person, reason) in answers.items():
            words = ("--for", subject, "--yes", "--reason", reason, "--by", person)
            self.command("review", f"{MODEL}@{version}", *words)

    def _answers(self) -> None:
        self._title("4. Real rows to the live service")
        rows = self._features()
        url = f"http://127.0.0.1:{self._port + 2}/models/{MODEL}/predict"
        self._say(f"$ curl {url} -d '{{\"rows\": [...]}}'")
        status, answer = self._ask(rows[:2])
        if status != 200:
            raise ServiceDown(f"The service answered {status}: {answer}")
        self._say(json.dumps(answer))
        self.command("status")

    def _drift(self) -> None:
        self._title("5. A shifted stream, and the monitor that finds it")
        rows, choose = self._features(), random.Random(7)
        spread = {name: _deviation([row[name] for row in rows]) for name in SHIFTED}
        stream = [dict(choose.choice(rows)) for _ in range(500)]
        for row in stream:
            for name in SHIFTED:
                row[name] += spread[name]
        with contextlib.closing(self._connection()) as door:
            for row in stream:
                self._ask([row], door)
        self._say(f"500 requests sent, {', '.join(SHIFTED)} moved up by one standard deviation")
        self.command("monitor", "prod", "--fail", expect=1)
        self._say("Drift alone is no loss of quality, so the policy asks people:")
        self.command("trigger", MODEL)

    def _second_version(self) -> None:
        self._title("6. New patients: built, tried and live by itself, no request dropped, and back again")
        _write(self._table, _read(self._table) + self._later)
        self._say(f"data/patients.csv: {LATER} patients more")
        with self._load() as load:
            self.command("trigger", MODEL)
            self._reviews(2)
            self.command("trigger", MODEL)
            load.more(200)
            self.command("trigger", MODEL)
            began = time.perf_counter()
            self.command("rollback", "prod", MODEL)
            took = time.perf_counter() - began
        self._say(f"rolled back in {took:.2f} s; {load.answered} requests meanwhile, {load.failed} failed")
        if load.failed:
            raise ServiceDown(f"{load.failed} requests failed during the switch: {load.first}")
        self.command("status")

    def _audit(self) -> None:
        self._title("7. Who did what")
        self.command("audit")
        self.command("audit", "verify")
        self.command("doctor")
        self.command("readiness", MODEL, "--summary")

    def _features(self) -> list[Row]:
        aside = {"patient_id", "diagnosis"}
        return [{k: float(v) for k, v in row.items() if k not in aside} for row in _read(self._table)]

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port + 2, timeout=10)

    def _ask(self, rows: list[Row], door: http.client.HTTPConnection | None = None) -> tuple[int, Any]:
        connection = door or self._connection()
        body = json.dumps({"rows": rows})
        connection.request("POST", f"/models/{MODEL}/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    @contextlib.contextmanager
    def _load(self) -> Iterator[_Load]:
        load = _Load(self._features(), self._ask, self._connection)
        load.start()
        try:
            yield load
        finally:
            load.end()

    def _title(self, title: str) -> None:
        self._say(f"\n{title}\n{'-' * len(title)}")


class _Load(threading.Thread):
    """One client that asks without pause until it is ended, over kept and over new connections."""

    def __init__(
        self,
        rows: list[Row],
        ask: Callable[..., tuple[int, Any]],
        connect: Callable[[], http.client.HTTPConnection],
    ) -> None:
        super().__init__(daemon=True)
        self._rows, self._request, self._connect = rows, ask, connect
        self._ended = threading.Event()
        self.answered = self.failed = 0
        self.first = ""

    def run(self) -> None:
        door = self._connect()
        while not self._ended.is_set():
            row = self._rows[self.answered % len(self._rows)]
            try:
                status, answer = self._request([row], None if self.answered % 10 == 0 else door)
                complaint = "" if status == 200 else f"{status}: {answer}"
            except (OSError, http.client.HTTPException) as error:
                complaint = f"{type(error).__name__}: {error}"
                door = self._connect()
            self.answered += 1
            if complaint:
                self.failed += 1
                self.first = self.first or complaint
            time.sleep(0.002)
        door.close()

    def more(self, count: int) -> None:
        """Wait until so many more were answered."""
        wanted = self.answered + count
        while self.answered < wanted and self.is_alive():
            time.sleep(0.01)

    def end(self) -> None:
        self._ended.set()
        self.join()


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _deviation(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return float((sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5)


def _free_ports(count: int, claim: socket.socket) -> int:
    """The first of ``count`` ports in a row that nothing listens on.

    ``claim`` takes the one after them, so that a demo beside this one looks further.
    """
    for first in range(8101, 60000, 10):
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                claim.bind(("127.0.0.1", first + count))
            except OSError:
                continue
            return first
    raise Misuse("No three free ports in a row; give one with --port.")
