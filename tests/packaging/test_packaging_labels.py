"""Models of several labels: which serve compiled, which native with a reason, and that all answer as they were trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from modelyard.errors import Unconvertible
from modelyard.predictor import Fitted, answer, open_package
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import to_frame

Sealed = Callable[..., Path]
LABELS = ("old", "rich", "member")
QUIET: dict[str, Any] = {"verbose": -1, "n_estimators": 8}


@pytest.fixture(scope="module")
def people(mixed: Any) -> Any:
    """The mixed table with three labels of its rows, one of them rare."""
    from dataclasses import replace

    features = [c for c in mixed.schema.columns if c.name != "paid"]
    columns = (*features, *(Column(name=f"is_{label}", kind="boolean") for label in LABELS))
    names = tuple(f"is_{label}" for label in LABELS)
    numbers = mixed.train.numbers
    held = np.column_stack([numbers[:, 0] > 70, np.nan_to_num(numbers[:, 1]) > 20_000, mixed.target])
    return replace(
        mixed,
        schema=Schema(columns=columns, labels=names),
        task="multilabel",
        classes=names,
        target=held.astype(int),
    )


def prepared(final: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income", "visits"]),
            (OneHotEncoder(handle_unknown="ignore"), ["sex", "town"]),
        ),
        final,
    )


COMPILED = {
    "one for each label": MultiOutputClassifier(LogisticRegression(max_iter=300)),
    "one against the rest": OneVsRestClassifier(LogisticRegression(max_iter=300)),
    "boosting for each label": MultiOutputClassifier(HistGradientBoostingClassifier(max_iter=5)),
    "xgboost for each label": MultiOutputClassifier(xgboost.XGBClassifier(n_estimators=5, max_depth=3)),
    "lightgbm for each label": MultiOutputClassifier(lightgbm.LGBMClassifier(**QUIET)),
    "xgboost of all": xgboost.XGBClassifier(n_estimators=5, max_depth=3),
    "tree": DecisionTreeClassifier(max_depth=5, random_state=0),
    "forest": RandomForestClassifier(6, max_depth=5, random_state=0),
    "extra trees": ExtraTreesClassifier(6, max_depth=5, random_state=0),
    "network": MLPClassifier((6,), max_iter=60, tol=1.0, random_state=0),
}


@pytest.mark.parametrize("name", COMPILED)
def test_labels_serve_compiled_where_proven(name: str, people: Any, sealed: Sealed) -> None:
    fitted = people.fit(prepared(COMPILED[name]), thresholds=(0.5, 0.3, 0.6))
    folder = sealed(people, fitted)
    proof = json.loads((folder / "proof.json").read_bytes())
    assert proof["reason"] == ""
    if any(word in name for word in ("tree", "forest", "boost", "lightgbm")):
        assert next(p["rows"] for p in proof["probes"] if p["name"] == "thresholds") > 20
    same(folder, people, fitted)


def test_a_search_and_a_list_of_classifiers_serve_compiled(people: Any, sealed: Sealed) -> None:
    search = GridSearchCV(
        prepared(RandomForestClassifier(4, random_state=0)),
        {"randomforestclassifier__max_depth": [2, 4]},
        cv=2,
    )
    frame = to_frame(people.train, people.schema, "pandas")
    listed = [prepared(LogisticRegression(max_iter=300)).fit(frame, yes) for yes in people.target.T]
    for fitted in (people.fit(search), Fitted(listed, "multilabel", people.classes)):
        folder = sealed(people, fitted)
        assert json.loads((folder / "manifest.json").read_bytes())["form"] == "onnx"
        same(folder, people, fitted)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (ClassifierChain(LogisticRegression(max_iter=300)), "has no exact converter"),
        (KNeighborsClassifier(), "has no exact converter"),
        (RidgeClassifier(), "gives labels without probabilities"),
        (MultiOutputClassifier(RidgeClassifier()), "gives labels without probabilities"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_others_serve_native_with_the_reason(model: Any, says: str, people: Any, sealed: Sealed) -> None:
    fitted = people.fit(prepared(model))
    folder = sealed(people, fitted)
    assert says in json.loads((folder / "proof.json").read_bytes())["reason"]
    same(folder, people, fitted)
    with pytest.raises(Unconvertible, match="cannot serve as ONNX"):
        sealed(people, fitted, form="onnx")


def test_a_label_that_training_never_saw_is_never_answered(people: Any, sealed: Sealed) -> None:
    from dataclasses import replace

    never = people.target.copy()
    never[:, 1] = 0
    table = replace(people, target=never)
    fitted = table.fit(prepared(RandomForestClassifier(4, random_state=0)))
    folder = sealed(table, fitted)
    same(folder, table, fitted)
    assert open_package(folder).predict(table.test).probability[:, 1].max() == 0


def test_golden_rows_and_the_profile_of_answers_have_each_label(people: Any, sealed: Sealed) -> None:
    fitted = people.fit(prepared(COMPILED["one for each label"]), thresholds=(0.5, 0.3, 0.6))
    folder = sealed(people, fitted)
    golden = json.loads((folder / "golden.json").read_bytes())
    for held, row in zip(golden["prediction"], golden["probability"], strict=True):
        bounds = zip(people.classes, row, (0.5, 0.3, 0.6), strict=True)
        assert held == [label for label, chance, bound in bounds if chance > bound]
    answers = json.loads((folder / "answers.json").read_bytes())
    names = [c["name"] for c in answers["columns"]]
    assert names == [name for label in people.classes for name in (label, f"probability of {label}")]
    said = open_package(folder).predict(people.test).prediction.tolist()
    counted = {c["name"]: c["categories"] for c in answers["columns"] if c["kind"] == "boolean"}
    assert {name: n["true"] for name, n in counted.items()} == {
        label: sum(label in held for held in said) for label in people.classes
    }


def same(folder: Path, table: Any, fitted: Fitted) -> None:
    """As trained, and as the estimator's own ``predict`` has it at its own thresholds."""
    ours, theirs = open_package(folder).predict(table.test), answer(fitted, table.test, table.schema)
    assert ours.prediction.tolist() == theirs.prediction.tolist()
    if theirs.probability is not None:
        assert ours.probability is not None
        assert np.abs(ours.probability - theirs.probability).max() < 1e-5
    if not fitted.thresholds and not isinstance(fitted.model, list):
        said = np.asarray(fitted.model.predict(to_frame(table.test, table.schema, "pandas"))) == 1
        assert [[label in held for label in table.classes] for held in ours.prediction] == said.tolist()
