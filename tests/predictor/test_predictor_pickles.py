"""A pickle gives back a model, or is refused by the name of what it asks for before that is called."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from modelyard.errors import Tampered, Unconvertible
from modelyard.predictor import pickles

ROWS = np.random.default_rng(0).normal(size=(80, 4))
TARGET = np.where(ROWS[:, 0] > 0, "yes", "no").astype(
    object
)  # classes_ are objects: a pickle within the pickle
MODELS = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(FunctionTransformer(np.cbrt), SelectKBest(k=2), SVC()),
    RandomForestClassifier(5, random_state=np.random.RandomState(0)),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3),
    KNeighborsClassifier(algorithm="kd_tree"),
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
]


def dumped(model: Any, compress: Any = 0) -> bytes:
    target = io.BytesIO()
    joblib.dump(model, target, compress=compress)
    return target.getvalue()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_models_of_scikit_learn_come_back(model: Any) -> None:
    model.fit(ROWS, TARGET)
    wanted = model.predict(ROWS)
    for content in (dumped(model), pickle.dumps(model, 2), pickle.dumps(model, 5)):
        assert (pickles.loads(content, "m").predict(ROWS) == wanted).all()


@pytest.mark.parametrize("compress", [("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)], ids=str)
def test_compressed_ones_too(compress: Any) -> None:
    model = LogisticRegression().fit(ROWS, TARGET)
    assert (pickles.loads(dumped(model, compress), "m").predict(ROWS) == model.predict(ROWS)).all()


class Calls:
    """Pickled as a call."""

    def __init__(self, what: Any, *arguments: Any) -> None:
        self.call = what, arguments

    def __reduce__(self) -> Any:
        return self.call


def named(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls what nobody could import here to pickle it."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n(V" + argument.encode() + b"\ntR."


def stacked(module: str, name: str, argument: str) -> bytes:
    """The same in protocol 4, where a name may have dots and comes from anywhere on the stack."""
    words = (module, name, argument)
    module_, name_, argument_ = (b"\x8c" + bytes([len(w)]) + w.encode() for w in words)
    return b"\x80\x04" + module_ + b"\x94" + name_ + b"\x93" + argument_ + b"\x85R."


EVIL = [
    (pickle.dumps(Calls(os.system, "touch {mark}")), "system"),
    (pickle.dumps(Calls(eval, "open('{mark}', 'w')")), "eval"),
    (pickle.dumps(Calls(exec, "open('{mark}', 'w')")), "exec"),
    (named("builtins", "getattr", "x"), "getattr"),
    (named("subprocess", "Popen", "touch"), "subprocess.Popen"),
    (named("importlib", "import_module", "antigravity"), "importlib.import_module"),
    (named("numpy", "load", "x"), "numpy.load"),
    (named("numpy", "memmap", "{mark}"), "numpy.memmap"),
    (named("numpy.testing._private.utils", "runstring", "x"), "runstring"),
    (named("numpy.f2py.crackfortran", "myeval", "x"), "myeval"),
    (named("joblib", "load", "x"), "joblib.load"),
    (named("joblib.numpy_pickle", "NDArrayWrapper", "x"), "NDArrayWrapper"),
    (named("pandas", "read_pickle", "x"), "pandas.read_pickle"),
    (named("sklearn.datasets", "fetch_openml", "x"), "fetch_openml"),
    (named("sklearn.utils._testing", "raises", "x"), "sklearn.utils._testing"),
    (named("sklearn.utils.fixes", "np", "x"), "sklearn.utils.fixes.np"),
    (named("cloudpickle.cloudpickle", "_make_function", "x"), "cloudpickle"),
    (named("operator", "attrgetter", "x"), "operator.attrgetter"),
    (named("model", "train", "x"), "model.train"),
    (stacked("os", "system", "touch {mark}"), "os.system"),
    (stacked("sklearn.base", "warnings.sys.modules.get", "os"), "sklearn.base.warnings"),
    (stacked("builtins", "int.__class__.__subclasses__", "x"), "__subclasses__"),
    (b"Pelsewhere\n.", "'elsewhere'"),
]


@pytest.mark.parametrize(("content", "named"), EVIL, ids=[str(at) for at in range(len(EVIL))])
def test_what_is_dangerous_is_named_and_not_called(content: bytes, named: str, tmp_path: Path) -> None:
    mark = tmp_path / "m"
    for made in (content, gzip.compress(content), zlib.compress(content)):
        with pytest.raises(Unconvertible, match=rf"model/model\.joblib (names|refers).*{named}"):
            pickles.loads(made.replace(b"{mark}", str(mark).encode()), "model/model.joblib")
        assert not mark.exists()


def test_a_pickle_within_an_array_is_held_to_the_same(tmp_path: Path) -> None:
    """joblib keeps an array of objects as a pickle of its own within the file."""
    mark = tmp_path / "m"
    evil = np.array([Calls(exec, f"open({str(mark)!r}, 'w')"), None], dtype=object)
    for content in (dumped(evil), dumped([evil]), pickle.dumps(evil)):
        with pytest.raises(Unconvertible, match=r"names builtins\.exec"):
            pickles.loads(content, "m")
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [b"", b".", b"\x80", b"hello", b"\x1f\x8b", b"BZh9", b"x\x9c", b"\x80\x04N", b"(" * 9]
)
def test_what_is_no_pickle_is_damaged(content: bytes) -> None:
    with pytest.raises(Tampered, match=r"^m "):
        pickles.loads(content, "m")


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "LARGEST", 1 << 20)
    for content in (zlib.compress(bytes(2 << 20)), gzip.compress(bytes(2 << 20))):
        with pytest.raises(Tampered, match="holds more than"):
            pickles.loads(content, "m")


def test_a_tree_that_leads_outside_is_refused() -> None:
    forest = RandomForestClassifier(1, random_state=0).fit(ROWS, TARGET)
    tree = forest.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"]["left_child"][0] = 10**6
    tree.__setstate__(state)
    with pytest.raises(Tampered, match="nodes lead outside"):
        pickles.loads(dumped(forest), "m")
