"""Native models in processes of their own: whatever one does, the others answer."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from serving_parts import Running, alive, plan_for, serve_numeric

from modelyard.monitoring import Evidence, collect, examine, minutes
from modelyard.packaging.seal import seal
from modelyard.predictor import Fitted, digest, signature_path
from modelyard.predictor.verify import MANIFEST, verify
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Schema
from modelyard.records.service import Own, ServedModel
from modelyard.records.trust import Trust
from modelyard.settings import MonitorSettings
from modelyard.signing import signer
from modelyard.signing.files import sign_files
from modelyard.tables.batch import Batch

SCHEMA = Schema(
    columns=(
        Column(name="age", kind="integer"),
        Column(name="city", kind="string", nullable=True),
        Column(name="ill", kind="string"),
    ),
    target="ill",
)
MODEL = """
import json, os, sys, time
import numpy as np

def train(data, params): ...

def predict(model, rows):
    ages = rows["age"].to_numpy()
    if (ages == 66).any():
        while True: pass
    if (ages == 77).any():
        np.ones(3 << 27).sum()
    if (ages == 88).any():
        os._exit(3)
    if (ages == 99).any():
        raise ValueError("too old")
    if (ages == 55).any():
        time.sleep(2)
    print("asked of", len(rows))
    likely = np.clip(ages / 120 + (rows["city"] == "Bern").to_numpy() / 10, 0, 1)
    return np.column_stack([1 - likely, likely])

def save(model, folder):
    (folder / "model.json").write_text(json.dumps({"pid": 0}))

def load(folder):
    return json.loads((folder / "model.json").read_text())
"""


def native(folder: Path, *, version: int = 1, name: str = "slow", **own: Any) -> ServedModel:
    """A signed package whose code does as its rows say."""
    code = folder / "code"
    code.mkdir(parents=True)
    (code / "model.py").write_text(MODEL + f"\nVERSION = {version}\n")
    spec = importlib.util.spec_from_file_location(f"made_{version}", code / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fitted = Fitted(
        model={},
        task="binary",
        classes=("no", "yes"),
        frame="pandas",
        predict=module.predict,
        save=module.save,
        load=module.load,
    )
    texts = np.array([["Bern"], [None], ["Basel"]] * 20, dtype=object)
    rows = Batch(np.arange(1, 61, dtype=float).reshape(-1, 1) % 50, texts)
    place = folder / "package"
    seal(
        fitted,
        place,
        model=name,
        schema=SCHEMA,
        code=code,
        requirements=(),
        train=rows,
        test=rows,
        form="native",
        python="3.11",
    )
    key = signer(folder.parent / "keys")
    manifest = verify(place)
    files = {file.path: file.sha256 for file in manifest.files} | {MANIFEST: digest(place)}
    signature_path(place, key.public.id).write_bytes(sign_files(place.name, files, signer=key))
    return ServedModel(
        model=name,
        version=version,
        model_id=f"{name}/prod/{version}",
        package=digest(place),
        folder=str(place),
        trust=Trust(keys=(key.public.pem,)),
        own=Own(**own),
    )


def ask(running: Running, age: int, *, model: str = "slow") -> tuple[int, Any]:
    return running.json("POST", f"/models/{model}/predict", {"rows": [{"age": age, "city": "Bern"}]})


def processes(running: Running) -> list[int]:
    """The models' own processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            state = running.state()
            if b"modelyard.predictor.desk" in words and state is not None and parent in state.workers:
                found.append(int(entry.name))
    return found


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A compiled and a native model side by side."""
    folder = tmp_path_factory.mktemp("own")
    slow = native(folder / "slow", seconds=3, memory=1 << 28)
    running = Running(folder, plan_for(serve_numeric(folder / "p"), slow, log=str(folder / "log")))
    yield running
    running.stop()


def test_it_answers_as_it_was_sealed(service: Running) -> None:
    rows = [{"age": 60, "city": "Bern"}, {"age": 60, "city": None}, {"age": 0, "city": "Zug"}]
    status, answer = service.json("POST", "/models/slow/predict", {"rows": rows})
    assert status == 200
    assert np.allclose(answer["probability"], [[0.4, 0.6], [0.5, 0.5], [1, 0]])
    assert (answer["prediction"], answer["classes"]) == (["yes", "no", "no"], ["no", "yes"])
    assert len(processes(service)) == 1
    assert "asked of" in service.log.read_text()  # what it prints is no part of an answer


def test_a_model_that_computes_holds_up_no_other(service: Running) -> None:
    answered: list[tuple[int, Any]] = []
    thread = threading.Thread(target=lambda: answered.append(ask(service, 66)))
    thread.start()
    time.sleep(0.3)
    slowest, count = 0.0, 0
    while thread.is_alive():
        begun = time.monotonic()
        assert service.json("POST", "/models/screening/predict", {"rows": [{"age": 5, "size": 1}]})[0] == 200
        slowest, count = max(slowest, time.monotonic() - begun), count + 1
    thread.join()
    [(status, said)] = answered
    assert (status, said["error"]["code"]) == (503, "model_too_slow")
    assert count > 20
    assert slowest < 2  # the one that computes has the lock of its own interpreter
    assert ask(service, 10)[0] == 200  # another process was begun


@pytest.mark.parametrize(
    ("age", "status", "said"),
    [
        (99, 500, "ValueError: too old"),
        (77, 500, "MemoryError: Unable to allocate 3.00 GiB"),
        (88, 503, "exit code 3"),
    ],
)
def test_what_fails_fails_alone(service: Running, age: int, status: int, said: str) -> None:
    got, answer = ask(service, age)
    assert (got, said in answer["error"]["message"]) == (status, True), answer
    assert ask(service, 10)[0] == 200
    state = service.state()
    assert state is not None
    assert all(alive(pid) for pid in state.workers)


def test_a_killed_one_is_begun_again_and_one_without_a_worker_ends(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    running = start(plan_for(native(tmp_path / "slow")))
    [first] = processes(running)
    os.kill(first, signal.SIGKILL)
    status, said = ask(running, 10)
    assert status in (200, 503), said
    assert ask(running, 10)[0] == 200
    [second] = processes(running)
    state = running.state()
    assert state is not None
    os.kill(state.workers[0], signal.SIGKILL)
    until(lambda: not alive(second))
    until(lambda: len(processes(running)) == 1)
    [third] = processes(running)
    running.stop()
    until(lambda: not alive(third))


def test_a_new_version_answers_the_old_process_ends_and_nobody_notices(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    old, new = native(tmp_path / "old"), native(tmp_path / "new", version=2)
    plan = plan_for(old)
    running = start(plan)
    [before] = processes(running)
    statuses: list[int] = []
    slow = threading.Thread(target=lambda: statuses.append(ask(running, 55)[0]))
    slow.start()
    time.sleep(0.3)
    running.write(msgspec.structs.replace(plan, generation=2, models=(new,)))
    while (state := running.state()) is None or state.generation != 2:
        statuses.append(ask(running, 10)[0])
    slow.join()
    assert set(statuses) == {200}
    assert ask(running, 10)[1]["model_id"] == "slow/prod/2"
    until(lambda: not alive(before))
    assert len(processes(running)) == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("untrusted", "which is not trusted here"),
        ("changed", "model.json was changed"),
        ("python", "/nowhere/python"),
    ],
)
def test_one_that_may_not_run_leaves_what_answers(
    damage: str, said: str, tmp_path: Path, start: Callable[..., Running]
) -> None:
    good, bad = native(tmp_path / "good"), native(tmp_path / "bad", version=2)
    if damage == "untrusted":
        bad = msgspec.structs.replace(bad, trust=Trust())
    elif damage == "changed":
        [file] = Path(bad.folder).rglob("model.json")
        file.write_text(file.read_text().replace("0", "1"))
    else:
        bad = msgspec.structs.replace(bad, own=Own(python="/nowhere/python"))
    plan = plan_for(good)
    running = start(plan)
    running.write(msgspec.structs.replace(plan, generation=2, models=(bad,)))
    state = running.wait(lambda s: s.failed_generation == 2)
    assert said in str(state.error)
    assert ask(running, 10)[0] == 200
    assert len(processes(running)) == 1


def test_what_failed_and_was_refused_is_found_by_monitoring(tmp_path: Path) -> None:
    plan = plan_for(native(tmp_path / "slow"), log=str(tmp_path / "log"))
    running = Running(tmp_path, plan)
    try:
        assert [ask(running, age)[0] for age in [20] * 30 + [99] * 6] == [200] * 30 + [500] * 6
        status, _ = running.json("POST", "/models/slow/predict", {"rows": [{"age": "old", "city": None}]})
        assert status == 422
    finally:
        running.stop()
    collect(tmp_path / "log", tmp_path / "tables", environment="prod")
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    start = end - dt.timedelta(hours=1)
    place = (tmp_path / "tables", tmp_path / "log")
    counted = minutes(*place, environment="prod", model="slow", start=start, end=end)
    assert counted.select("answered", "failed", "refused", "overloaded").sum().row(0) == (30, 6, 1, 0)
    assert minutes(*place, environment="prod", model="slow", start=end, end=end).is_empty()
    nothing = Profile(rows=0, columns=())
    report = examine(
        Evidence(
            settings=MonitorSettings(),
            environment="prod",
            model="slow",
            version=1,
            start=start,
            end=end,
            reference=nothing,
            window=nothing,
            minutes=counted,
        )
    )
    (failed,) = report.alerts
    assert (failed.kind, failed.slice, failed.value) == ("errors", "5xx", 6 / 37)
    assert "6 of 37 requests failed" in failed.sentence
