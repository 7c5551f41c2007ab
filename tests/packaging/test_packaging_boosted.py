"""XGBoost's and LightGBM's models: compiled where proven, and native without a pickle."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import msgspec
import numpy as np
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard.errors import Tampered, Unconvertible
from modelyard.predictor import Fitted, answer, open_package
from modelyard.predictor.boosters import put_back
from modelyard.predictor.forests import read
from modelyard.records.package import Proof
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, to_frame

Sealed = Callable[..., Path]
QUIET: dict[str, Any] = {"verbose": -1, "n_estimators": 12}


def coded(table: Any) -> Any:
    """The table with classes 0, 1, ..., which XGBoost asks for."""
    codes = {label: at for at, label in enumerate(table.classes)}
    target = np.array([codes[label] for label in table.target.tolist()])
    return dataclasses.replace(table, target=target, classes=tuple(range(len(table.classes))))


def by_column(final: Any, **how: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (SimpleImputer(strategy="median"), ["age"]),
            (OneHotEncoder(handle_unknown="ignore"), ["sex", "town"]),
            ("passthrough", ["income", "visits"]),
            **how,
        ),
        final,
    )


def proof(folder: Path) -> Proof:
    return msgspec.json.decode((folder / "proof.json").read_bytes(), type=Proof)


def same(folder: Path, table: Any, fitted: Fitted) -> None:
    ours, theirs = open_package(folder).predict(table.test), answer(fitted, table.test, table.schema)
    if theirs.probability is None:
        assert np.allclose(ours.prediction, theirs.prediction, rtol=1e-5)
    else:
        assert np.abs(ours.probability - theirs.probability).max() < 1e-6
        assert ours.prediction.tolist() == theirs.prediction.tolist()


BINARY = {
    "xgboost": xgboost.XGBClassifier(n_estimators=12),
    "xgboost dart": xgboost.XGBClassifier(n_estimators=6, booster="dart", rate_drop=0.5, max_depth=3),
    "xgboost forest": xgboost.XGBRFClassifier(n_estimators=8),
    "xgboost scaled": make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=12)),
    "xgboost on an array": ("numpy", xgboost.XGBClassifier(n_estimators=12)),
    "lightgbm": lightgbm.LGBMClassifier(**QUIET),
    "lightgbm forest": lightgbm.LGBMClassifier(
        boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, **QUIET
    ),
    "lightgbm scaled": make_pipeline(StandardScaler(), lightgbm.LGBMClassifier(**QUIET)),
    "lightgbm on an array": ("numpy", lightgbm.LGBMClassifier(**QUIET)),
    "histograms": make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=12)),
    "voting": VotingClassifier(
        [("x", xgboost.XGBClassifier(n_estimators=4)), ("l", lightgbm.LGBMClassifier(**QUIET))], voting="soft"
    ),
    "stacking": StackingClassifier(
        [("x", xgboost.XGBClassifier(n_estimators=4)), ("l", lightgbm.LGBMClassifier(**QUIET))],
        LogisticRegression(),
        cv=2,
    ),
}


@pytest.mark.parametrize("name", BINARY)
def test_two_classes_serve_compiled(name: str, cancer: Any, sealed: Sealed) -> None:
    frame, model = BINARY[name] if isinstance(BINARY[name], tuple) else ("pandas", BINARY[name])
    table = coded(cancer)
    fitted = table.fit(model, frame=frame)
    folder = sealed(table, fitted)
    assert proof(folder).reason == ""
    assert next(p.rows for p in proof(folder).probes if p.name == "thresholds") > 100
    same(folder, table, fitted)


@pytest.mark.parametrize(
    "model",
    [
        lightgbm.LGBMClassifier(**QUIET),
        lightgbm.LGBMClassifier(objective="multiclassova", **QUIET),
        HistGradientBoostingClassifier(max_iter=8),
    ],
    ids=["softmax", "one of all", "histograms"],
)
def test_three_classes_by_their_names(model: Any, wine: Any, sealed: Sealed) -> None:
    fitted = wine.fit(model)
    folder = sealed(wine, fitted)
    assert open_package(folder).manifest.form == "onnx"
    same(folder, wine, fitted)


def test_xgboosts_three_classes_stopped_early(wine: Any, sealed: Sealed) -> None:
    table = coded(wine)
    rows = to_frame(table.train, table.schema, "pandas")
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2)
    model.fit(rows, table.target, eval_set=[(rows[::3], table.target[::3])], verbose=False)
    model.get_booster().set_attr(best_iteration="4")
    fitted = Fitted(model, "multiclass", table.classes)
    for form in ("onnx", "native"):
        folder = sealed(table, fitted, form=form)
        same(folder, table, fitted)


@pytest.mark.parametrize(
    "model",
    [
        *(xgboost.XGBRegressor(n_estimators=12, objective=o) for o in ("reg:squarederror", "count:poisson")),
        *(lightgbm.LGBMRegressor(objective=o, **QUIET) for o in ("regression", "tweedie", "quantile")),
        *(HistGradientBoostingRegressor(loss=loss, max_iter=12) for loss in ("squared_error", "gamma")),
    ],
    ids=lambda model: f"{type(model).__name__} {getattr(model, 'objective', None) or model.loss}",
)
def test_numbers_serve_compiled(model: Any, diabetes: Any, sealed: Sealed) -> None:
    fitted = diabetes.fit(model)
    folder = sealed(diabetes, fitted)
    assert proof(folder).reason == ""
    same(folder, diabetes, fitted)


@pytest.mark.parametrize("how", [{}, {"sparse_threshold": 0}, {"sparse_threshold": 1}], ids=str)
@pytest.mark.parametrize(
    "final",
    [
        xgboost.XGBClassifier(n_estimators=12),
        lightgbm.LGBMClassifier(**QUIET),
        HistGradientBoostingClassifier(max_iter=12),
    ],
    ids=lambda final: type(final).__name__,
)
def test_texts_nulls_and_sparse_rows(final: Any, how: Any, mixed: Any, sealed: Sealed) -> None:
    """XGBoost takes a zero that is not stored as missing; the graph does the same."""
    if isinstance(final, HistGradientBoostingClassifier) and how == {"sparse_threshold": 1}:
        pytest.skip("scikit-learn's boosting takes no sparse rows")
    fitted = mixed.fit(by_column(final, **how))
    folder = sealed(mixed, fitted)
    assert proof(folder).reason == ""
    same(folder, mixed, fitted)


def bare(library: str, table: Any) -> Fitted:
    rows = to_frame(table.train, table.schema, "pandas")
    target = coded(table).target if table.classes else table.target
    count = {"num_class": 3} if table.task == "multiclass" else {}
    if library == "xgboost":
        objectives = {"binary": "binary:logistic", "multiclass": "multi:softprob"}
        asked = {"objective": objectives.get(table.task, "reg:squarederror"), **count}
        model: Any = xgboost.train(asked, xgboost.DMatrix(rows, target), 8)
    else:
        asked = {"objective": table.task, "verbose": -1, **count}
        model = lightgbm.train(asked, lightgbm.Dataset(rows, target), 8)
    return Fitted(model, table.task, table.classes)


@pytest.mark.parametrize("form", ["onnx", "native"])
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_a_bare_booster_answers(
    name: str, library: str, form: str, sealed: Sealed, request: pytest.FixtureRequest
) -> None:
    table = request.getfixturevalue(name)
    fitted = bare(library, table)
    folder = sealed(table, fitted, form=form)
    same(folder, table, fitted)
    if form == "native":
        files = sorted(path.name for path in (folder / "model").iterdir())
        assert files == [f"booster-0.{'json' if library == 'xgboost' else 'txt'}", "model.skops"]


NATIVE = {
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=5),
    "lightgbm": lambda: lightgbm.LGBMClassifier(**QUIET),
    "both": lambda: VotingClassifier(
        [
            ("x", make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=4))),
            ("l", lightgbm.LGBMClassifier(**QUIET)),
        ],
        voting="soft",
    ),
}


@pytest.mark.parametrize("name", NATIVE)
def test_native_without_a_pickle(name: str, cancer: Any, sealed: Sealed) -> None:
    """The files are the library's own, so that the library alone reads them too; two seals are one digest."""
    table = coded(cancer)
    fitted = table.fit(NATIVE[name]())
    folder, again = sealed(table, fitted, form="native"), sealed(table, fitted, form="native")
    assert (folder / "manifest.json").read_bytes() == (again / "manifest.json").read_bytes()
    ours, theirs = open_package(folder).predict(table.test), answer(fitted, table.test, table.schema)
    assert np.array_equal(ours.probability, theirs.probability)  # to the last bit
    for path in (folder / "model").glob("booster-*"):
        if path.suffix == ".json":
            assert xgboost.Booster(model_file=path).num_boosted_rounds() > 0
        else:
            assert lightgbm.Booster(model_file=path).num_trees() > 0


def test_the_standalone_loader_reads_them(cancer: Any, sealed: Sealed) -> None:
    """Without Modelyard, as MLflow would load it."""
    table = coded(cancer)
    for fitted in (table.fit(NATIVE["both"]()), bare("xgboost", cancer), bare("lightgbm", cancer)):
        folder = sealed(table, fitted, form="native")
        asked = (
            f"import sys, json; sys.path.insert(0, {str(folder / 'code')!r})\n"
            f"import modelyard_pyfunc, numpy\n"
            f"model = modelyard_pyfunc._load_pyfunc({str(folder)!r})\n"
            "rows = numpy.array(json.load(sys.stdin))\n"
            "json.dump(model.predict(rows).tolist(), sys.stdout)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", asked],
            input=json.dumps(cancer.test.numbers[:20].tolist()),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        theirs = answer(fitted, cancer.test.take(slice(0, 20)), cancer.schema).probability
        assert np.array_equal(np.array(json.loads(done.stdout)), theirs)


def rewritten(change: Callable[[Any], None]) -> bytes:
    rows, target = np.arange(400.0).reshape(-1, 2), np.arange(200) % 3 > 0
    model = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows, target), 2)
    document = json.loads(bytes(model.save_raw("json")))
    change(document["learner"])
    return json.dumps(document).encode()


def tree(learner: Any) -> Any:
    return learner["gradient_booster"]["model"]["trees"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda learner: tree(learner)["left_children"].__setitem__(0, 10_000),
        lambda learner: tree(learner)["right_children"].__setitem__(1, 0),
        lambda learner: tree(learner)["split_indices"].__setitem__(0, 7),
        lambda learner: tree(learner)["split_indices"].__setitem__(0, -3),
        lambda learner: tree(learner)["default_left"].pop(),
        lambda learner: learner["gradient_booster"]["model"]["tree_info"].__setitem__(0, 5),
        lambda learner: learner["gradient_booster"]["model"].__setitem__("iteration_indptr", [0, 9]),
        lambda learner: learner.pop("gradient_booster"),
        lambda learner: learner["gradient_booster"].__setitem__("name", "gblinear"),
    ],
)
def test_a_crafted_file_of_xgboost_is_refused_before_xgboost_reads_it(change: Any) -> None:
    read(rewritten(lambda _: None), "json", "it")
    with pytest.raises(Tampered):
        put_back("modelyard.booster:booster-0.json", lambda _: rewritten(change))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("left_child=", "left_child=99 "),
        ("left_child=1 ", "left_child=99 "),
        ("left_child=1 ", "left_child=0 "),
        ("left_child=1 ", "left_child=-99 "),
        ("split_feature=", "split_feature=77 "),
        ("leaf_value=", "leaf_value=1 "),
        ("num_leaves=", "num_leaves=9"),
        ("max_feature_idx=1", "max_feature_idx=x"),
        ("is_linear=0", "is_linear=1"),
        ("decision_type=2", "decision_type=3"),
        ("tree\n", "nothing\n"),
    ],
)
def test_a_crafted_file_of_lightgbm_is_refused_before_lightgbm_reads_it(old: str, new: str) -> None:
    rows = np.random.default_rng(0).normal(size=(400, 2))
    target = rows[:, 0] + rows[:, 1] ** 2 > 1
    model = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(rows, target), 2)
    text = re.sub(r"left_child=\d+ ", "left_child=1 ", model.model_to_string(), count=1)
    assert old in text
    read(text.encode(), "txt", "it")
    with pytest.raises(Tampered):
        put_back("modelyard.booster:booster-0.txt", lambda _: text.replace(old, new, 1).encode())


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b"null", b'{"learner": 3}'])
@pytest.mark.parametrize("ending", ["json", "txt"])
def test_no_model_at_all(ending: str, content: bytes) -> None:
    with pytest.raises(Tampered, match="that"):
        put_back(f"modelyard.booster:booster-0.{ending}", lambda _: content)
    with pytest.raises(Tampered, match="no known form"):
        put_back("elsewhere:booster-0.json", lambda _: content)


def test_what_cannot_be_checked_is_not_packaged(cancer: Any, sealed: Sealed) -> None:
    table = coded(cancer)
    fitted = table.fit(xgboost.XGBClassifier(booster="gblinear", n_estimators=3))
    with pytest.raises(Unconvertible, match=r"'gblinear' is none whose file can be checked.*write 'save"):
        sealed(table, fitted)


def test_categories_serve_native_with_the_reason(cancer: Any, sealed: Sealed) -> None:
    rows = np.column_stack([np.arange(400.0) % 7, np.arange(400.0)])
    schema = Schema(
        columns=(
            Column(name="kind", kind="integer"),
            Column(name="size", kind="float"),
            Column(name="good", kind="boolean"),
        ),
        target="good",
    )
    held = np.arange(400) % 5 == 0
    batch = Batch(rows, np.empty((400, 0), dtype=object))
    target = np.isin(rows[:, 0], [1, 3, 6])
    table = type(cancer)(schema, "binary", (False, True), batch.take(~held), batch.take(held), target[~held])
    for model in (
        lightgbm.LGBMClassifier(min_child_samples=2, **QUIET),
        xgboost.XGBClassifier(
            feature_types=["c", "q"], enable_categorical=True, n_estimators=5, tree_method="hist"
        ),
    ):
        how = {"categorical_feature": [0]} if isinstance(model, lightgbm.LGBMClassifier) else {}
        fitted = Fitted(model.fit(table.train.numbers, table.target, **how), "binary", (False, True), "numpy")
        folder = sealed(table, fitted)
        assert "also decide by categories" in proof(folder).reason
        same(folder, table, fitted)
