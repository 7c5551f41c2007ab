"""A canary or a shadow beside the live version: who is answered by which, and what is on record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from serving_parts import Running, plan_for, serve_numeric

from modelyard.predictions import read
from modelyard.records.service import ServedModel
from modelyard.serving.arms import chosen

PREDICT = "/models/screening/predict"
ROW = {"rows": [{"age": 50, "size": 3.5}]}


def rival(folder: Path, **fields: Any) -> ServedModel:
    served = serve_numeric(folder, version=8, shift=-5.0)
    return msgspec.structs.replace(served, model_id=f"screening/prod/8/{fields['arm']}", **fields)


@pytest.fixture
def tried(tmp_path: Path, start: Callable[..., Running]) -> Callable[..., Running]:
    """A service of version 7 with version 8, which answers otherwise, beside it."""

    def begin(**fields: Any) -> Running:
        models = serve_numeric(tmp_path / "p7"), rival(tmp_path / "p8", **fields)
        return start(plan_for(*models, log=str(tmp_path / "log")))

    return begin


def answered(running: Running, times: int, path: str = PREDICT, **headers: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for _ in range(times):
        status, answer = running.json("POST", path, ROW, **headers)
        assert status == 200, answer
        label = {"screening/prod/7": "malignant", "screening/prod/8/canary": "benign"}[answer["model_id"]]
        assert answer["prediction"] == [label]
        found[answer["model_id"].split("/")[2]] += 1
    return found


def logged(folder: Path, count: int) -> Counter[str]:
    """Rows on record by the model's id, once there are so many."""
    until = time.monotonic() + 10
    found: Counter[str] = Counter()
    while time.monotonic() < until:
        found = Counter()
        for frame in read(folder):
            found[frame.model.model_id] += len(frame)
        if sum(found.values()) >= count:
            break
        time.sleep(0.05)
    return found


def test_a_canary_answers_its_share_and_the_record_says_which(
    tried: Callable[..., Running], tmp_path: Path
) -> None:
    running = tried(arm="canary", share=0.3)
    found = answered(running, 300)
    assert 40 <= found["8"] <= 150  # 90 expected; so far off by chance less than once in 10^8
    assert logged(tmp_path / "log", 300) == {
        "screening/prod/7": found["7"],
        "screening/prod/8/canary": found["8"],
    }
    metrics = running.ask("GET", "/metrics")[2].decode()
    assert f'model_infer_request_success_total{{model="screening",version="8"}} {found["8"]}' in metrics


def test_a_client_stays_with_its_version(tried: Callable[..., Running]) -> None:
    running = tried(arm="canary", share=0.4, sticky="X-User")
    versions = {}
    for user in range(30):
        found = answered(running, 4, **{"x-user": f"user-{user}"})
        assert len(found) == 1
        [versions[user]] = found
    assert set(versions.values()) == {"7", "8"}
    served = running.plan.models[1]
    assert {user: "8" if chosen(served, f"user-{user}") else "7" for user in versions} == versions
    larger = msgspec.structs.replace(served, share=0.8)
    assert all(chosen(larger, f"user-{user}") for user, version in versions.items() if version == "8")


def test_a_shadow_is_asked_and_answers_nobody(tried: Callable[..., Running], tmp_path: Path) -> None:
    running = tried(arm="shadow")
    assert answered(running, 20) == {"7": 20}
    v2 = {
        "inputs": [
            {"name": "age", "shape": [1], "datatype": "INT64", "data": [50]},
            {"name": "size", "shape": [1], "datatype": "FP64", "data": [3.5]},
        ]
    }
    status, answer = running.json("POST", "/v2/models/screening/infer", v2)
    assert (status, answer["model_version"]) == (200, "7")
    assert logged(tmp_path / "log", 42) == {"screening/prod/7": 21, "screening/prod/8/shadow": 21}
    assert running.json("POST", PREDICT, {"rows": [{"age": 500, "size": 1}]})[0] == 422
    assert running.json("POST", "/v2/models/screening/versions/8/infer", v2)[0] == 404


def test_every_surface_is_divided_and_a_version_may_be_asked_by_its_number(
    tried: Callable[..., Running],
) -> None:
    running = tried(arm="canary", share=0.5)
    lists = {"instances": [[50, 3.5]]}
    for path, read_ in (
        ("/v1/models/screening:predict", lambda a: a["predictions"][0]),
        ("/invocations", lambda a: a["predictions"][0][0] > 0.5),
    ):
        seen = {str(read_(running.json("POST", path, lists)[1])) for _ in range(60)}
        assert len(seen) == 2, path
    tensors = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [50, 3.5]}]}
    for version in ("7", "8"):
        path = f"/v2/models/screening/versions/{version}/infer"
        assert {running.json("POST", path, tensors)[1]["model_version"] for _ in range(10)} == {version}


def test_a_trial_begins_and_ends_without_a_failed_request(tried: Callable[..., Running]) -> None:
    running = tried(arm="canary", share=0.5)
    first, other = running.plan.models
    plans = [(first,), (first, msgspec.structs.replace(other, share=0.9)), (first,)]
    for generation, models in enumerate(plans, start=2):
        running.write(msgspec.structs.replace(running.plan, models=models, generation=generation))
        answered(running, 20)
        running.wait(lambda s, g=generation: s.generation == g)  # type: ignore[misc]
        found = answered(running, 40)
        assert (found["8"] > 20) == (len(models) == 2)


@pytest.mark.parametrize("wrong", ["alone", "twice"])
def test_a_plan_that_cannot_be_leaves_the_old_one(tried: Callable[..., Running], wrong: str) -> None:
    running = tried(arm="canary", share=0.5)
    first, other = running.plan.models
    models = (other,) if wrong == "alone" else (first, other, msgspec.structs.replace(other, version=9))
    running.write(msgspec.structs.replace(running.plan, models=models, generation=2))
    state = running.wait(lambda s: s.failed_generation == 2)
    assert "canary" in (state.error or "")
    assert set(answered(running, 40)) == {"7", "8"}
