"""Which of a package's files its author wrote."""

from __future__ import annotations

from modelyard.packaging.mlflow_form import FALLBACK, LOADER
from modelyard.records.package import Manifest

_FOLDER = "code/"
_OURS = (f"{_FOLDER}{LOADER}.py", f"{_FOLDER}{FALLBACK}")


def code(manifest: Manifest) -> dict[str, str]:
    """The sha256 of each file by its path beside ``model.py``: the model's folder and what it imports of the project."""
    return {
        file.path.removeprefix(_FOLDER): file.sha256
        for file in manifest.files
        if file.path.startswith(_FOLDER) and file.path not in _OURS
    }
