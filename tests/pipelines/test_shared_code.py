"""A model that imports code of the project answers where there is no project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Command = Callable[..., tuple[int, str, str]]
ASK = """
import importlib.util, json, sys
folder, libraries = sys.argv[1:]
sys.path += [libraries, folder + "/code"]
assert importlib.util.find_spec("modelyard") is None
import modelyard_pyfunc, pandas
rows = json.load(open(folder + "/golden.json"))["rows"]
print(json.dumps(modelyard_pyfunc._load_pyfunc(folder).predict(pandas.DataFrame(rows)).tolist()))
"""


@pytest.mark.parametrize("model", ["cancer", "progression"])
def test_the_package_answers_without_the_project(
    modelyard: Command, four: Path, tmp_path: Path, model: str
) -> None:
    folder = tmp_path / "package"
    code, _, complaint = modelyard("-C", four, "package", f"{model}@1", "--output", folder)
    assert code == 0, complaint
    assert {p.name for p in (folder / "code" / "common").iterdir()} == {"features.py", "order.py"}
    shutil.rmtree(four)
    # -S: Modelyard, which is installed by a .pth file here, is not there either
    libraries = sysconfig.get_paths()["purelib"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ASK, str(folder), libraries], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    golden = json.loads((folder / "golden.json").read_text())
    wanted = golden["probability"] if golden.get("probability") else golden["prediction"]
    np.testing.assert_allclose(np.array(json.loads(done.stdout)), np.array(wanted), atol=1e-9)


def test_the_service_and_the_models_own_tests_find_it(modelyard: Command, four: Path) -> None:
    code, output, complaint = modelyard("-C", four, "check", "cultivar")
    assert code == 0, complaint
    assert "1 of its own tests" in output
