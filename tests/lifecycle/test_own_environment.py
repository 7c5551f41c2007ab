"""Training in a virtual environment of its own, through the command line; environments are made by uv from the index."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.errors import AuthorError
from modelyard.training.environment import made

Command = Callable[..., tuple[int, str, str]]
OTHERS = "scikit-learn==1.7.2\nnumpy==2.2.6\npandas==2.3.3\n"
"""Other versions than those that Modelyard's own tests run with."""


@pytest.fixture
def apart(modelyard: Command, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that trains apart; its environments are made once for all tests of a worker."""
    envs = tmp_path_factory.getbasetemp() / "envs"
    envs.mkdir(exist_ok=True)
    (built / ".modelyard/envs").symlink_to(envs)
    settings = built / "modelyard.toml"
    settings.write_text(
        settings.read_text().replace("[models.screening]", '[models.screening]\nisolation = "venv"', 1)
    )
    (built / "models/screening/requirements.model").write_text(OTHERS)
    code, _, complaint = modelyard("-C", built, "train", "screening")
    if "cannot be locked: Failed to fetch" in complaint or "error sending request" in complaint:
        pytest.skip("there is no index to make environments from")
    assert code == 0, complaint
    return built


def test_it_trains_and_seals_with_its_own_versions_and_nothing_of_modelyard(
    modelyard: Command, apart: Path
) -> None:
    code = apart / "models/screening/model.py"
    code.write_text(
        "import importlib.util, sys\nimport sklearn, numpy, pandas\nimport modelyard as my\n"
        "from sklearn.preprocessing import FunctionTransformer\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "def same(rows): return rows\n"
        "SPACE = {'C': my.log_uniform(1e-3, 1e2, default=1.0)}\n"
        "def train(data, params):\n"
        "    print(sklearn.__version__, numpy.__version__, pandas.__version__)\n"
        "    for name in ('msgspec', 'polars', 'onnx', 'sqlalchemy', 'click'):\n"
        "        assert importlib.util.find_spec(name) is None, name\n"
        "    my.log_metric('rows', len(data.features))\n"
        "    return make_pipeline(FunctionTransformer(same), LogisticRegression(C=params['C'], max_iter=5000)).fit(\n"
        "        data.features, data.target)\n"
        "def predict(model, rows): return model.predict_proba(rows)\n"
        "def save(model, folder): __import__('joblib').dump(model, folder / 'm')\n"
        "def load(folder): return __import__('joblib').load(folder / 'm')\n"
    )
    done, _, complaint = modelyard("-C", apart, "train", "screening", "--set", "C=0.5")
    assert done == 0, complaint
    shown = json.loads(modelyard("-C", apart, "runs", "show", "screening@run", "--json")[1])
    run = shown["run"]
    assert shown["log"] == "1.7.2 2.2.6 2.3.3\n"
    assert run["params"] == {"C": 0.5}
    assert run["environment"]["scikit-learn"] == "1.7.2"
    assert run["metrics"]["rows"] > 400
    manifest = json.loads(
        (apart / ".modelyard/artifacts" / run["candidate"][:2] / run["candidate"][2:]).read_text()
    )
    assert "scikit-learn==1.7.2" in manifest["requirements"]
    assert "code/requirements.model.lock" in [f["path"] for f in manifest["files"]]


def test_a_build_is_done_once_and_its_lock_has_hashes_and_no_address(modelyard: Command, apart: Path) -> None:
    lock = (apart / "models/screening/requirements.model.lock").read_text()
    assert "scikit-learn==1.7.2 \\\n    --hash=sha256:" in lock
    assert "scipy==" in lock
    assert "://" not in lock
    code, _, complaint = modelyard("-C", apart, "build")
    assert code == 0, complaint
    code, output, _ = modelyard("-C", apart, "build")
    assert code == 0
    assert output.count("unchanged") == 5
    assert (apart / "models/screening/requirements.model.lock").read_text() == lock


def test_it_is_reproduced_in_those_versions_whatever_the_settings_say_now(
    modelyard: Command, apart: Path
) -> None:
    settings = apart / "modelyard.toml"
    for isolation in ("venv", "process"):
        settings.write_text(settings.read_text().replace('isolation = "venv"', f'isolation = "{isolation}"'))
        code, output, complaint = modelyard("-C", apart, "reproduce", "screening@run", "--json")
        assert code == 0, complaint
        found = json.loads(output)
        assert found["verdict"] == "identical"
        told = next(one for one in found["things"] if one["thing"] == "environment")
        assert told["same"]
        assert told["sentence"].startswith("an environment of its own, of the ")


def test_a_native_one_is_evaluated_asked_and_served_in_its_own_versions(
    modelyard: Command, apart: Path, tmp_path: Path
) -> None:
    settings = apart / "modelyard.toml"
    settings.write_text(
        settings.read_text().replace("[models.screening]", '[models.screening]\nform = "native"', 1)
    )
    code, _, complaint = modelyard("-C", apart, "build")
    assert code == 0, complaint
    code, output, complaint = modelyard("-C", apart, "deploy", "test", "--json")
    assert code == 0, complaint
    plan = json.loads((apart / ".modelyard/services/test/plan.json").read_text())
    python = Path(plan["models"][0]["own"]["python"])
    assert python.is_relative_to(apart / ".modelyard/envs")
    rows = (apart / "data/patients.csv").read_text().splitlines()[:4]
    (tmp_path / "rows.csv").write_text("\n".join(rows))
    code, output, complaint = modelyard(
        "-C", apart, "predict", "screening@test", tmp_path / "rows.csv", "--json"
    )
    assert code == 0, complaint
    shown = json.loads(output)
    port = plan["port"]
    header, *cells = (row.split(",") for row in rows)
    features = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/screening").read())[
        "inputs"
    ]
    asked = [{f["name"]: float(row[header.index(f["name"])]) for f in features} for row in cells]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/models/screening/predict", json.dumps({"rows": asked}).encode()
    )
    answer = json.loads(urllib.request.urlopen(request).read())
    assert len(answer["prediction"]) == 3
    assert answer["prediction"] == shown["prediction"]
    long_ago = 1_000_000_000
    for ready in (apart / ".modelyard/envs").glob("*/ready"):
        os.utime(ready, (long_ago, long_ago))
    code, output, _ = modelyard("-C", apart, "gc", "--dry-run", "--json")
    assert code == 0
    assert str(python.parent.parent) not in output
    assert "environment" in output  # others, of the same age


def test_what_goes_wrong_there_names_the_line(modelyard: Command, apart: Path) -> None:
    code = apart / "models/screening/model.py"
    for body, says in (
        ("import polars", "line 2 ('import polars'): ModuleNotFoundError: No module named 'polars'"),
        (
            "import os; os._exit(3)",
            "'train' ended its process with exit code 3 at models/screening/model.py, line 2",
        ),
        ("data.polars()", "line 2 ('data.polars()'): ModuleNotFoundError"),
        (
            "class A:\n        def predict(self, rows): return ['benign'] * len(rows)\n    return A()",
            "The trained model cannot be taken out of its process:",
        ),
    ):
        code.write_text(f"def train(data, params):\n    {body}\n")
        got, _, complaint = modelyard("-C", apart, "train", "screening")
        assert got == 1
        assert says in complaint
        assert len(complaint.strip().splitlines()) == 1


def test_requirements_that_cannot_be_had_are_one_sentence(
    modelyard: Command, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, lock = (
        apart / "models/screening/requirements.model",
        apart / "models/screening/requirements.model.lock",
    )
    before = lock.read_text()

    def refused(says: str) -> None:
        code, _, complaint = modelyard("-C", apart, "train", "screening")
        assert code == 1, complaint
        assert says in complaint
        assert len(complaint.strip().splitlines()) == 1
        assert "://" not in complaint

    wanted.write_text(OTHERS + "modelyard-no-such-distribution==1.0\n")
    refused("models/screening/requirements.model cannot be locked: No solution found")
    wanted.write_text(OTHERS.replace("1.7.2", "99.0"))
    refused("there is no version of scikit-learn==99.0")
    wanted.write_text(OTHERS.replace("==1.7.2", ""))
    refused("'scikit-learn' is not pinned")
    wanted.write_text(OTHERS)
    assert lock.read_text() == before
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    lock.unlink()
    refused("models/screening/requirements.model cannot be locked: ")


def test_an_environment_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    lock = "# nothing is needed\n"
    script = (
        "import sys; from pathlib import Path; from modelyard.training.environment import made\n"
        f"print(made({lock!r}, Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    for delay in (0.1, 0.3, 0.5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = {process.communicate(timeout=120)[0].strip() for process in both}
    assert len(found) == 1
    python = found.pop()
    assert subprocess.run([python, "-c", "import sys; assert sys.prefix != sys.base_prefix"]).returncode == 0
    assert len(list(tmp_path.glob("*/ready"))) == 1


def test_a_lock_whose_hashes_do_not_match_makes_no_environment(tmp_path: Path) -> None:
    lock = f"threadpoolctl==3.6.0 --hash=sha256:{'0' * 64}\n"
    with pytest.raises(AuthorError, match="The model's environment cannot be made: ") as caught:
        made(lock, tmp_path)
    if "Hash mismatch" not in str(caught.value):
        pytest.skip(f"there is no index: {caught.value}")
    assert "://" not in str(caught.value)
    assert list(tmp_path.glob("*/ready")) == []


def test_a_study_s_trials_run_there_too_and_a_bad_one_names_its_line(modelyard: Command, apart: Path) -> None:
    code = apart / "models/screening/model.py"
    code.write_text(
        code.read_text().replace(
            "    model = make_pipeline(",
            "    import sklearn\n    my.log_param('library', sklearn.__version__)\n"
            "    if params['C'] > 1.0:\n        raise ValueError(sklearn.__version__)\n    model = make_pipeline(",
        )
    )
    settings = apart / "modelyard.toml"
    tune = "tune = { trials = 6, jobs = 2, folds = 2 }"
    settings.write_text(settings.read_text().replace("[models.screening]", f"[models.screening]\n{tune}", 1))
    done, _, complaint = modelyard("-C", apart, "train", "screening")
    assert done == 0, complaint
    shown = json.loads(modelyard("-C", apart, "runs", "show", "screening@run", "--json")[1])
    study, trials = shown["run"]["study"], shown["trials"]
    assert study["complete"] + study["failed"] == 6
    assert study["failed"] >= 1
    assert shown["run"]["logged"]["library"] == "1.7.2"
    errors = {trial["error"] for trial in trials if trial["state"] == "failed"}
    assert all("models/screening/model.py, line" in error for error in errors)
    assert all(error.endswith("ValueError: 1.7.2.") for error in errors)
    assert shown["run"]["params"]["C"] <= 1.0


def test_a_model_that_uses_another_is_trained_there_too(modelyard: Command, apart: Path) -> None:
    assert modelyard("-C", apart, "build")[0] == 0
    code = apart / "models/second"
    code.mkdir()
    (code / "requirements.model").write_text(OTHERS)
    (code / "model.py").write_text(
        "import modelyard as my\nimport sklearn\nfrom sklearn.linear_model import LogisticRegression\n"
        "def asked(rows): return my.used('screening').predict_proba(rows)\n"
        "def train(data, params):\n    print(sklearn.__version__)\n"
        "    return LogisticRegression().fit(asked(data.features), data.target)\n"
        "def predict(model, rows): return model.predict_proba(asked(rows))\n"
    )
    settings = apart / "modelyard.toml"
    settings.write_text(
        settings.read_text() + '[models.second]\ncode = "models/second"\ndata = "patients"\n'
        'isolation = "venv"\nuses = ["screening@1"]\n'
    )
    done, _, complaint = modelyard("-C", apart, "train", "second")
    assert done == 0, complaint
    assert json.loads(modelyard("-C", apart, "runs", "show", "second@run", "--json")[1])["log"] == "1.7.2\n"
