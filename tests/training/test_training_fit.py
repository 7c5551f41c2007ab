from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest

import modelyard as my
from modelyard.authors.capture import LIMIT, captured
from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.predictor.native import answer
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch
from modelyard.tables.gather import gather
from modelyard.training import tell
from modelyard.training.fit import Trained, fit, resolve
from modelyard.training.model_code import load
from modelyard.training.rows import Frames, Rows, framed

SCHEMA = Schema(
    columns=(
        Column(name="id", kind="string"),
        Column(name="age", kind="integer", nullable=True),
        Column(name="height", kind="float"),
        Column(name="smokes", kind="boolean"),
        Column(name="town", kind="string", nullable=True),
        Column(name="ill", kind="string"),
    ),
    target="ill",
    key=("id",),
)
NUMBERS = Schema(
    columns=(Column(name="a", kind="float"), Column(name="b", kind="float"), Column(name="y", kind="float")),
    target="y",
)
HEAD = """
import modelyard as my
import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
"""
MIXED = """
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder
def train(data, params):
    columns = make_column_transformer(
        (SimpleImputer(), ["age", "height"]), (OneHotEncoder(handle_unknown="ignore"), ["town"]),
    )
    return make_pipeline(columns, LogisticRegression()).fit(ROWS)
"""


def _mixed(rows: int = 60) -> pl.DataFrame:
    draw = np.random.default_rng(1)
    age = draw.integers(20, 80, rows)
    return pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(rows)],
            "age": [None if i % 9 == 3 else int(a) for i, a in enumerate(age)],
            "height": draw.normal(170, 10, rows),
            "smokes": [bool(i % 2) for i in range(rows)],
            "town": [None if i % 7 == 0 else "abc"[i % 3] for i in range(rows)],
            "ill": ["yes" if a > 50 else "no" for a in age],
        }
    )


def _numbers(rows: int = 60) -> pl.DataFrame:
    draw = np.random.default_rng(2)
    a, b = draw.normal(size=(2, rows))
    return pl.DataFrame({"a": a, "b": b, "y": 2 * a - b})


Fit = Callable[..., Trained]


@pytest.fixture
def trained(folder: Callable[..., Path]) -> Fit:
    def run(source: str, *, mixed: bool = False, seed: int = 0, params: Any = None, **files: str) -> Trained:
        frame, schema = (_mixed(), SCHEMA) if mixed else (_numbers(), NUMBERS)
        target = frame[schema.target].to_numpy() if not mixed else frame["ill"].to_numpy().astype(object)
        task, classes = tell(target)
        code = load(folder(model=HEAD + source, **files))
        rows = Rows(gather(frame, schema), target)
        return fit(code, rows, schema, params=params or {}, seed=seed, task=task, classes=classes)

    return run


LINEAR = "def train(data, params):\n    return LinearRegression().fit(data.features, data.target)\n"


def test_a_model_comes_back_fitted_with_what_is_needed_to_ask_it(trained: Fit) -> None:
    done = trained("SPACE = {'k': my.integer(1, 5, default=2)}\n" + LINEAR, params={"k": 4})
    assert done.params == {"k": 4}
    assert (done.fitted.task, done.fitted.classes, done.fitted.frame) == ("regression", (), "pandas")
    assert done.seconds > 0
    rows = _numbers()
    given = answer(done.fitted, gather(rows, NUMBERS), NUMBERS).prediction
    assert np.allclose(given, rows["y"].to_numpy())


@pytest.mark.parametrize(
    ("rows", "kind"),
    [("data.features, data.target", "pandas"), ("*data.polars()", "polars")],
)
def test_a_model_that_finds_columns_by_name_answers_on_its_own_kind(
    trained: Fit, rows: str, kind: str
) -> None:
    done = trained(MIXED.replace("ROWS", rows), mixed=True)
    assert done.fitted.frame == kind
    assert done.fitted.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return LinearRegression().fit(*data.numpy())", "numpy"),
        ("data.features.describe(); return LinearRegression().fit(*data.numpy())", "numpy"),
        ("data.numpy(); return LinearRegression().fit(data.features, data.target)", "pandas"),
        ("f, t = data.features, data.target; data.numpy(); return LinearRegression().fit(f, t)", "pandas"),
        ("return LinearRegression().fit(data.features.to_numpy(), data.target)", "numpy"),
    ],
)
def test_the_kind_is_what_the_model_was_fitted_on(trained: Fit, body: str, kind: str) -> None:
    assert trained(f"def train(data, params):\n    {body}\n").fitted.frame == kind


def test_features_are_typed_from_the_schema_without_key_and_target(trained: Fit, capfd: Any) -> None:
    trained(
        """
def train(data, params):
    print(dict(data.features.dtypes.astype(str)))
    print(data.target.name, data.target.iloc[:2].tolist(), len(data.features) == len(data.target))
    print(data.features["town"].iloc[0], data.polars()[0].columns, data.numpy()[0].shape)
    return Always()
class Always:
    def predict(self, rows): return ["no"] * len(rows)
""",
        mixed=True,
    )
    said = capfd.readouterr().out
    assert "{'age': 'float64', 'height': 'float64', 'smokes': 'bool', 'town': 'object'}" in said
    assert f"ill {_mixed()['ill'][:2].to_list()} True" in said
    assert "None ['age', 'height', 'smokes', 'town'] (60, 4)" in said


def test_an_author_who_changes_features_in_place_spoils_nothing(trained: Fit) -> None:
    frame = _numbers()
    done = trained(
        "def train(data, params):\n"
        "    x, y = data.numpy()\n"
        "    model = LinearRegression().fit(x, y)\n"
        "    x[:] = 0; y[:] = 0\n"
        "    return model\n"
    )
    assert np.allclose(answer(done.fitted, gather(frame, NUMBERS), NUMBERS).prediction, frame["y"].to_numpy())


def test_generators_are_seeded(trained: Fit, capfd: Any) -> None:
    source = (
        "import random\n"
        "def train(data, params):\n"
        "    print(random.random(), np.random.random(), data.seed)\n"
        "    return LinearRegression().fit(data.features, data.target)\n"
    )

    def said(seed: int) -> str:
        trained(source, seed=seed)
        return str(capfd.readouterr().out)

    first, again, other = map(said, (3, 3, 4))
    assert first == again != other
    assert first.endswith(" 3\n")
    assert said(2**40 + 1) != first


def test_an_author_s_own_predict_answers(trained: Fit) -> None:
    done = trained(
        """
def train(data, params):
    return {"mean": float(data.target.mean())}
def predict(model, rows):
    import helper
    return helper.full(model, rows)
""",
        helper="import numpy as np\ndef full(model, rows): return np.full(len(rows), model['mean'])",
    )
    assert done.fitted.predict is not None
    given = answer(done.fitted, gather(_numbers(), NUMBERS), NUMBERS).prediction
    assert np.allclose(given, _numbers()["y"].mean())


def test_the_log_keeps_its_end() -> None:
    with captured() as tail:
        for number in range(300_000):
            print(f"line {number}")
    text = tail.text()
    assert len(text) < LIMIT + 100
    assert text.endswith("line 299999\n")
    assert text.startswith("[")
    assert "bytes before this are left out]" in text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "def train(data, params):\n    x = 1\n    return data.features['nope']\n",
            r"'train' raised at .*model.py, line 8 \(\"return data.features\['nope'\]\"\): KeyError: nope\.",
        ),
        (
            "def train(data, params):\n    return params['depth']\n",
            r"line 7 .*KeyError: there is no parameter 'depth' in SPACE; known: none",
        ),
        (
            "def train(data, params):\n    helper.go()\nimport helper\n",
            r"helper.py, line 2 \('1 / 0'\): Zero",
        ),
        ("def train(data, params):\n    LinearRegression().fit(1, 2)\n", r"line 7 .*ValueError: Expected 2D"),
        ("def train(data, params):\n    raise ValueError\n", r"line 7 \('raise ValueError'\): ValueError\."),
        (
            "def train(data, params):\n    raise SystemExit(1)\n",
            r"SystemExit: the code ended the program with 1",
        ),
        ("def train(data, params):\n    train(data, params)\n", r"line 7 .*RecursionError"),
        ("def train(data, params):\n    assert 'a\\n' * 900 == ''\n", r"AssertionError"),
        (
            "def train(data, params):\n    LinearRegression()\n",
            "returned nothing; end it with 'return model'",
        ),
        (
            "def train(data, params):\n    return 3\n",
            r"returned an object of type int, which has no 'predict'",
        ),
        (
            "def train(data, params):\n    return LinearRegression()\n",
            "could not answer its first training rows: .*not fitted yet",
        ),
        (
            "def train(data, params):\n"
            "    return LinearRegression().fit(data.features[['a']], data.target)\n",
            "could not answer its first training rows: .*feature names",
        ),
        ("def train(data, params):\n    return 3\ndef predict(m, rows):\n    return [1.0]\n", r"shape \[1\]"),
        (
            "def train(data, params):\n    return 3\ndef predict(m, rows):\n    return rows['a'] * np.nan\n",
            "gave nan for row 1",
        ),
        (
            "def train(data, params):\n    return 3\ndef predict(m, rows):\n    return rows['zz']\n",
            r"could not answer its first training rows at .*model.py, line 9 .*: predict in model.py raised KeyError",
        ),
        (
            "def train(data, params):\n    return 3\n"
            "def predict(m, rows):\n    return np.squeeze(rows[['a']].to_numpy())\n",
            "could not answer one training row alone",
        ),
        (
            "def train(data, params):\n    return 3\ndef predict(m, rows):\n    raise SystemExit\n",
            "SystemExit",
        ),
    ],
)
def test_a_training_that_comes_to_nothing_is_blamed_in_one_sentence(
    trained: Fit, source: str, says: str
) -> None:
    with pytest.raises(AuthorError, match=says) as caught:
        trained(source, helper="def go():\n    1 / 0\n")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900


def test_a_label_that_is_none_of_the_classes_is_refused(trained: Fit) -> None:
    source = (
        "def train(data, params):\n    return 3\ndef predict(m, rows):\n    return ['maybe'] * len(rows)\n"
    )
    with pytest.raises(AuthorError, match="gave 'maybe', which is none of the classes"):
        trained(source, mixed=True)


def test_an_interrupt_of_the_author_s_own_is_blamed_and_leaves_everything_as_it_was(trained: Fit) -> None:
    import sys

    before = sys.stdout, sys.stdin, list(sys.path)
    with pytest.raises(AuthorError, match=r"line 7 .*KeyboardInterrupt"):
        trained("def train(data, params):\n    raise KeyboardInterrupt\n")
    assert (sys.stdout, sys.stdin, sys.path) == before


def test_what_it_changes_around_itself_is_put_back(trained: Fit) -> None:
    before = Path.cwd(), np.geterr(), list(warnings.filters)
    trained(
        "import os, warnings\n"
        "def train(data, params):\n"
        "    os.chdir('/'); np.seterr(all='raise'); warnings.simplefilter('error')\n"
        "    return LinearRegression().fit(data.features, data.target)\n"
    )
    assert (Path.cwd(), np.geterr(), list(warnings.filters)) == before


def test_what_save_wrote_is_what_a_package_loads(trained: Fit, tmp_path: Path) -> None:
    from modelyard.predictor.author import hooks

    done = trained(
        """
import pickle
from helper import Doubler
class Mine:
    def __init__(self, by): self.by = by
    def predict(self, rows): return self.by.double(rows["a"].to_numpy())
def train(data, params): return Mine(Doubler())
def save(model, folder):
    (folder / "mine.pickle").write_bytes(pickle.dumps(model))
def load(folder):
    return pickle.loads((folder / "mine.pickle").read_bytes())
""",
        helper="class Doubler:\n    def double(self, x): return 2 * x\n",
    )
    assert done.fitted.save is not None
    done.fitted.save(done.fitted.model, tmp_path)
    frame = _numbers()
    for model in (
        done.fitted.load(tmp_path) if done.fitted.load else None,
        hooks(tmp_path / "models" / "m").loaded(tmp_path),
    ):
        assert np.allclose(model.predict(frame.to_pandas()), 2 * frame["a"].to_numpy())


def test_no_rows_are_refused(folder: Callable[..., Path]) -> None:
    code = load(folder(model=HEAD + LINEAR))
    rows = Rows(gather(_numbers().head(0), NUMBERS), np.empty(0))
    with pytest.raises(DataRefused, match="no rows"):
        fit(code, rows, NUMBERS, params={}, seed=0, task="regression", classes=())


def test_parameters_are_taken_from_space_and_what_is_over_it(folder: Callable[..., Path]) -> None:
    space = load(
        folder(
            model=HEAD
            + LINEAR
            + "SPACE = {'C': my.log_uniform(1e-3, 1e2, default=1.0), 'kind': my.choice(['a', 'b'], default='a')}\n"
        )
    ).space
    assert resolve(space, {}) == {"C": 1.0, "kind": "a"}
    assert resolve(space, {"C": 2, "kind": "b"}) == {"C": 2.0, "kind": "b"}
    assert type(resolve(space, {"C": 2})["C"]) is float
    mixed = {"c": my.choice([1, 0.5], default=0.5), "u": my.uniform(0, 9, default=1)}
    assert [type(v) for v in resolve(mixed, {"c": 1}).values()] == [int, float]
    with pytest.raises(SettingsError, match="no parameter 'c' in the model's SPACE; known: C, kind"):
        resolve(space, {"c": 1})
    with pytest.raises(SettingsError, match=r"'C' must be a number from 0.001 to 100, got 1000"):
        resolve(space, {"C": 1000})
    with pytest.raises(SettingsError, match="'kind' must be one of 'a', 'b', got True"):
        resolve(space, {"kind": True})
    with pytest.raises(SettingsError, match="known: none"):
        resolve({}, {"C": 1})


def test_a_part_of_frames_is_what_would_be_built_of_that_part() -> None:
    rng = np.random.default_rng(4)
    kinds = ("float", "integer", "boolean", "boolean", "date", "datetime")
    columns = [Column(name=f"c{at}", kind=kind, nullable=at == 3) for at, kind in enumerate(kinds)]
    columns += [Column(name="s", kind="string", nullable=True), Column(name="y", kind="integer")]
    schema = Schema(columns=tuple(columns), target="y")
    numbers = rng.integers(0, 2, (60, 6)).astype(float)
    numbers[::7, 3] = np.nan
    texts = rng.choice(np.array(["a", "b", None], dtype=object), (60, 1))
    part = rng.random(60) < 0.4
    for target in (rng.integers(0, 3, 60), rng.random((60, 2)) < 0.5):
        labelled = msgspec.structs.replace(schema, target=None, labels=("y", "s"))
        shape = schema if target.ndim == 1 else labelled
        rows = Rows(Batch(numbers, texts), target)
        frames = Frames(rows, shape)
        for kind in ("pandas", "polars", "numpy", "pandas"):
            wanted, answers = framed(rows.take(part), shape, kind)
            features, given = frames.of(part)(kind)
            if kind == "pandas":
                pd.testing.assert_frame_equal(features, wanted)
                assert type(given) is type(answers)
                assert given.equals(answers)
                features["c0"] = 7.0  # an author may do so
                features.loc[0, "s"] = "c"
            elif kind == "polars":
                assert features.equals(wanted)
                assert isinstance(given, pl.Series | pl.DataFrame)
                assert given.equals(answers)
            else:
                assert features.dtype == wanted.dtype
                assert pd.DataFrame(features).equals(pd.DataFrame(wanted))
                assert np.array_equal(given, answers)


def test_a_model_of_labels_is_fitted_and_asked_fold_by_fold(tmp_path: Path) -> None:
    from modelyard import metrics
    from modelyard.training.bench import Bench
    from modelyard.training.rows import write

    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "model.py").write_text(
        "import modelyard as my\nfrom sklearn.tree import DecisionTreeClassifier\n"
        'SPACE = {"depth": my.integer(1, 9, default=1)}\n'
        "def train(data, params):\n    assert list(data.target.columns) == ['rain', 'fog']\n"
        "    assert set(data.target.to_numpy().ravel()) <= {0, 1}\n"
        "    return DecisionTreeClassifier(max_depth=params['depth']).fit(data.features, data.target)\n"
    )
    rng = np.random.default_rng(5)
    numbers = rng.random((200, 3))
    held = np.column_stack([numbers[:, 0] > 0.5, numbers[:, 1] > 0.7])
    schema = Schema(
        columns=tuple(Column(name=name, kind="float") for name in ("a", "b", "c", "rain", "fog")),
        labels=("rain", "fog"),
    )
    rows = Rows(Batch(numbers, np.empty((200, 0), dtype=object)), held, np.arange(200) % 4)
    bench = Bench()
    bench.open(tmp_path / "code")
    bench.begin(
        write(rows, tmp_path / "rows"),
        schema,
        task="multilabel",
        classes=("rain", "fog"),
        seed=1,
        thresholds=(0.5, 0.2),
    )
    values = []
    for depth in (1, 4):
        of, answers, trained, learnt = bench.answer({"depth": depth}, fold=2)
        assert (len(of), learnt) == (50, 150)
        assert trained.fitted.thresholds == (0.5, 0.2)
        values.append(
            metrics.value(
                "f1_macro", "multilabel", of.target, answers.prediction, answers.probability, ("rain", "fog")
            )
        )
    assert values[0] < values[1] > 0.95
