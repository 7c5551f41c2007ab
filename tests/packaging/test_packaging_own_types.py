"""Types that the author's own files define, in a package without ``save`` and ``load``."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from modelyard.errors import Tampered, Unconvertible
from modelyard.predictor import answer, open_own, open_package
from modelyard.predictor.author import own_names
from modelyard.predictor.safe import loads

SOURCE = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Ratio(TransformerMixin, BaseEstimator):
    def fit(self, x, y=None):
        self.mean_ = np.asarray(x).mean(axis=0)
        return self

    def transform(self, x):
        return np.asarray(x) / self.mean_


def rooted(x):
    return np.sqrt(x)


def train(data, params):
    raise NotImplementedError
"""


@pytest.fixture
def own() -> Any:
    """``model.py`` as training has imported it."""
    module = types.ModuleType("model")
    exec(SOURCE, module.__dict__)
    return module


def test_a_transformer_and_a_function_of_model_py(
    own: Any, cancer: Any, sealed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model", own)  # a function is stored by its name, which must be found
    model = make_pipeline(FunctionTransformer(own.rooted), own.Ratio(), LogisticRegression(max_iter=500))
    fitted = cancer.fit(model)
    folder = sealed(cancer, fitted, source=SOURCE)
    monkeypatch.delitem(sys.modules, "model")
    predictor = open_own(folder)
    assert predictor.manifest.form == "native"
    theirs = answer(fitted, cancer.test, cancer.schema).probability
    assert np.array_equal(predictor.predict(cancer.test).probability, theirs)
    assert "model" not in sys.modules

    asked = (
        f"import sys, json; sys.path.insert(0, {str(folder / 'code')!r})\n"
        "import modelyard_pyfunc, numpy\n"
        f"model = modelyard_pyfunc._load_pyfunc({str(folder)!r})\n"
        "json.dump(model.predict(numpy.array(json.load(sys.stdin))).tolist(), sys.stdout)\n"
    )
    rows = json.dumps(cancer.test.numbers.tolist())
    done = subprocess.run([sys.executable, "-c", asked], input=rows, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.array(json.loads(done.stdout)), theirs)

    content = (folder / "model" / "model.skops").read_bytes()
    with pytest.raises(Unconvertible, match="a type that is not safe to load"):
        loads(content, "model.skops")  # nobody's own
    (folder / "code" / "model.py").write_text(SOURCE + "\nprint('changed')\n")
    with pytest.raises(Tampered, match=r"model\.py was changed"):
        open_package(folder)


def test_what_cannot_be_stored_is_named(own: Any, cancer: Any, sealed: Callable[..., Path]) -> None:
    fitted = cancer.fit(make_pipeline(own.Ratio(), LogisticRegression(max_iter=500)))
    fitted.model[0].seen_ = pd.Series([1.0])
    with pytest.raises(Unconvertible, match="'seen_' of Ratio, a Series, cannot be stored safely"):
        sealed(cancer, fitted, source=SOURCE)


def test_what_the_standard_library_holds_is_nobodys_own(tmp_path: Path) -> None:
    """A file ``os.py`` beside ``model.py`` makes ``os.system`` no type of the author's."""
    for name in ("model.py", "os.py", "subprocess.py", "modelyard.py", "ratios.py"):
        (tmp_path / name).touch()
    assert own_names(tmp_path) == {"model", "ratios"}
