from __future__ import annotations

import subprocess
import sys

import modelyard


def _loaded(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_import_modelyard_loads_the_standard_library_only() -> None:
    assert _loaded("import modelyard") - sys.stdlib_module_names == {"modelyard"}


def test_what_a_model_imports_loads_the_standard_library_only() -> None:
    statement = "import modelyard as my; my.log_uniform(1, 2, default=1); my.TrainingData; my.Params({})"
    assert _loaded(statement) - sys.stdlib_module_names == {"modelyard"}


def test_identity_of_code_loads_neither_numpy_nor_polars_nor_an_author_s_library() -> None:
    loaded = _loaded("from modelyard.training import identify, closure")
    assert not loaded & {"numpy", "polars", "pandas", "sklearn", "pytest", "onnxruntime"}


def test_public_names_are_sorted_and_there() -> None:
    assert list(modelyard.__all__) == sorted(modelyard.__all__)
    assert all(getattr(modelyard, name) is not None for name in modelyard.__all__)
    assert dir(modelyard) == modelyard.__all__
