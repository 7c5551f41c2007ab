"""Folders of MLflow whose model is code: a ``loader_module``, or a pickled ``PythonModel``."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelyard.errors import AuthorError, StoreDown, Unconvertible
from modelyard.packaging.mlflow_form import LOADER
from modelyard.packaging.pyfunc_code import OURS, TOLD

LARGEST = 2 << 30
"""Bytes of all files."""
_MOST = 10_000
"""Files."""


def told(folder: Path, flavor: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """What a package has to know of the flavor to load it; nothing of it is run.

    Raises ``Unconvertible`` for what leads outside of the folder, is not there, or is a package of Modelyard.
    """
    place = folder / "MLmodel"
    loader = flavor.get("loader_module")
    if not isinstance(loader, str) or not all(part.isidentifier() for part in loader.split(".")):
        raise Unconvertible(f"{place} has a python_function without a 'loader_module' that names a module.")
    if loader == LOADER:
        raise Unconvertible(
            f"{folder} is a package of Modelyard; import the one file of 'modelyard package REF --output NAME.mypkg'."
        )
    if loader.startswith("mlflow.") and loader not in OURS and find_spec("mlflow") is None:
        raise Unconvertible(
            f"{place} is loaded by {loader} of MLflow, which is not installed here; run 'pip install mlflow'."
        )
    _require_plain(folder)
    found: dict[str, Any] = {"loader_module": loader, "columns": dict(columns)}
    for key in ("code", "data", "python_model", "model_code_path"):
        value = flavor.get(key)
        if key == "model_code_path" and isinstance(value, str):
            value = Path(value).name  # MLflow keeps it in the folder's root, under the last of its path
        found[key] = None if value is None else _inside(folder, value, key)
    if loader in OURS and not (found["python_model"] or found["model_code_path"]):
        raise Unconvertible(f"{place} names neither a 'python_model' nor a 'model_code_path'.")
    if found["data"] is not None and not found["data"]:
        found["data"] = None
    artifacts = flavor.get("artifacts") or {}
    try:
        found["artifacts"] = {
            str(k): _inside(folder, v["path"], f"artifacts.{k}") for k, v in artifacts.items()
        }
    except (AttributeError, TypeError, KeyError):
        raise Unconvertible(f"{place} has 'artifacts' without a 'path' each.") from None
    found["compression"], found["config"] = flavor.get("python_model_compression"), flavor.get("config")
    try:
        json.dumps(found)
    except (TypeError, ValueError):
        raise Unconvertible(f"{place} has a 'config' that is no JSON.") from None
    return found


def write(folder: Path, told: Mapping[str, Any], place: Path) -> tuple[Path, Path]:
    """Lay the model out in ``place`` as a model's code and its files: where each is.

    Raises ``Unconvertible`` for code whose names packages use, ``AuthorError`` for requirements that are not installed.
    """
    code, native = place / "code", place / "native"
    try:
        code.mkdir(parents=True)
        if told["code"]:
            shutil.copytree(
                folder / told["code"],
                code,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__", ".*"),
            )
        if (code / "model.py").exists() or (code / "requirements.model").exists():
            raise Unconvertible(
                f"{folder / told['code']} has a file model.py or requirements.model, names that packages use; rename it."
            )
        skipped = {folder / told["code"]} if told["code"] else set()
        shutil.copytree(
            folder,
            native / "files",
            ignore=lambda at, names: [
                name for name in names if Path(at, name) in skipped or name == "__pycache__"
            ],
        )
        (native / TOLD).write_text(json.dumps(dict(told), sort_keys=True) + "\n", encoding="utf-8")
        (code / "model.py").write_text(
            (files("modelyard.packaging") / "pyfunc_code.py").read_text(encoding="utf-8"), encoding="utf-8"
        )
        (code / "requirements.model").write_text(
            "".join(f"{pin}\n" for pin in requirements(folder)), encoding="utf-8"
        )
    except (OSError, shutil.Error) as error:
        raise StoreDown(f"{folder} cannot be copied into {place}: {error}.") from None
    return code, native


def requirements(folder: Path) -> list[str]:
    """The distributions that ``requirements.txt`` names, in the versions that are installed; MLflow only if it is.

    Raises ``AuthorError`` naming one that is missing, ``Unconvertible`` for a line that names none.
    """
    found = {"numpy", "pandas", *_named(folder)}
    pins = []
    for name in sorted(found):
        try:
            pins.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            if name in ("mlflow", "mlflow-skinny"):
                continue
            raise AuthorError(f"{folder} needs {name}, which is not installed here; install it.") from None
    return pins


def _named(folder: Path) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement

    path = folder / "requirements.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise Unconvertible(f"{path} cannot be read: {error}.") from None
    for line in lines:
        text = line.partition(" #")[0].partition(" --hash")[0].strip(" \\")
        if not text or text.startswith(("#", "--hash")):
            continue
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            raise Unconvertible(
                f"{path} has the line {text[:100]!r}, which names no distribution; name each by itself."
            ) from None
        if needed.marker is None or needed.marker.evaluate():
            yield needed.name.lower()


def _inside(folder: Path, value: object, key: str) -> str:
    """A path that MLmodel names, as it stands in the folder."""
    if isinstance(value, str):
        path = folder / value
        if not path.resolve().is_relative_to(folder.resolve()):
            raise Unconvertible(
                f"{folder / 'MLmodel'} names {value!r} as {key}, which is outside of the folder."
            )
        if path.exists():
            inside = path.resolve().relative_to(folder.resolve()).as_posix()
            return "" if inside == "." else inside
    raise Unconvertible(f"{folder / 'MLmodel'} names {value!r} as {key}, which is not there.")


def _require_plain(folder: Path) -> None:
    """No links, not too much."""
    size = count = 0
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Unconvertible(
                f"{path} is a link or a device; a folder that is imported holds plain files only."
            )
        if path.is_file():
            size, count = size + path.stat().st_size, count + 1
        if size > LARGEST or count > _MOST:
            raise Unconvertible(
                f"{folder} has more than the {LARGEST:,} bytes or {_MOST:,} files that are taken."
            )
