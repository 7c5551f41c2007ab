"""Packages as they are really sealed, compiled and native, through the application tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from serving_parts import Running, plan_for
from sklearn.linear_model import LogisticRegression

from modelyard.deployment import Door, Subject, application_tests
from modelyard.packaging.seal import seal
from modelyard.predictor import Fitted, Manifest, digest
from modelyard.predictor.verify import verify
from modelyard.records.payload import Payload
from modelyard.records.schema import Column, Schema
from modelyard.records.service import ServedModel
from modelyard.records.tested import Golden
from modelyard.tables.batch import Batch, to_frame

SCHEMA = Schema(
    columns=(
        Column(name="age", kind="integer"),
        Column(name="size", kind="float"),
        Column(name="benign", kind="string"),
    ),
    target="benign",
)
Form = str


def _seal(folder: Path, form: Form) -> ServedModel:
    rng = np.random.default_rng(3)
    numbers = np.stack([rng.integers(1, 90, 200).astype(float), rng.normal(size=200)], axis=1)
    batch = Batch(numbers, np.empty((200, 0), dtype=object))
    truth = np.where(numbers[:, 0] + 30 * numbers[:, 1] > 45, "yes", "no")
    model = LogisticRegression().fit(to_frame(batch, SCHEMA, "pandas"), truth)
    fitted = Fitted(
        model=model, task="binary", classes=("no", "yes"), frame="pandas", predict=None, save=None, load=None
    )
    code = folder / "code"
    code.mkdir(parents=True)
    (code / "model.py").write_text("")
    seal(
        fitted,
        folder / form,
        model="screening",
        schema=SCHEMA,
        code=code,
        requirements=(),
        train=batch.take(slice(0, 150)),
        test=batch.take(slice(150, 200)),
        form=form,  # type: ignore[arg-type]
        python="3.11",
    )
    return ServedModel(
        model="screening",
        version=1,
        model_id=f"screening/test/{form}",
        package=digest(folder / form),
        folder=str(folder / form),
    )


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Form], ServedModel]:
    folder = tmp_path_factory.mktemp("sealed")
    made: dict[Form, ServedModel] = {}

    def seal_once(form: Form) -> ServedModel:
        if form not in made:
            made[form] = _seal(folder / f"of-{form}", form)
        return made[form]

    return seal_once


@pytest.mark.parametrize("form", ["onnx", "native"])
def test_a_sealed_package_passes_its_application_tests(
    sealed: Callable[[Form], ServedModel], start: Callable[..., Running], form: Form
) -> None:
    model = sealed(form)
    running = start(plan_for(model))
    manifest: Manifest = verify(Path(model.folder), model.package)
    golden = msgspec.json.decode((Path(model.folder) / "golden.json").read_bytes(), type=Golden)
    payloads = [
        Payload(rows=({"age": 30, "size": 0.5},)),
        Payload(rows=({"age": "old", "size": 0.5},), status=422, field="age"),
    ]
    door = Door(f"http://127.0.0.1:{running.plan.port}")
    kinds = ("integration", "functional", "acceptance", "robustness", "security")
    outcomes = application_tests(Subject(door, manifest, model.package, golden, payloads), kinds)
    assert manifest.form == form
    assert [o for o in outcomes if not o.passed] == []


def test_a_native_and_a_compiled_version_switch_in_place(
    sealed: Callable[[Form], ServedModel], start: Callable[..., Running]
) -> None:
    row = {"rows": [{"age": 30, "size": 0.5}]}
    plan = plan_for(sealed("onnx"))
    running = start(plan)
    before = running.json("POST", "/models/screening/predict", row)[1]
    running.write(msgspec.structs.replace(plan, generation=2, models=(sealed("native"),)))
    running.wait(lambda s: s.generation == 2)
    after = running.json("POST", "/models/screening/predict", row)[1]
    assert (before["model_id"], after["model_id"]) == ("screening/test/onnx", "screening/test/native")
    assert after["prediction"] == before["prediction"]
    assert after["probability"][0] == pytest.approx(before["probability"][0], abs=1e-5)
