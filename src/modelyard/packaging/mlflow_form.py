"""The files that make a package loadable with ``mlflow.pyfunc.load_model``."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Sequence
from importlib.resources import files

from modelyard.predictor.safe import SAFE
from modelyard.predictor.session import NULL
from modelyard.records.package import FrameKind, Manifest
from modelyard.records.payload import Cell
from modelyard.records.schema import Column

LOADER = "modelyard_pyfunc"
FALLBACK = "modelyard_fallback/modelyard/__init__.py"


def mlflow_files(
    manifest: Manifest, example: list[dict[str, Cell]], carried: Sequence[Manifest] = ()
) -> dict[str, bytes]:
    """Path to content; ``carried`` are the packages inside this one. Nothing in them changes from one seal of the same model to the next."""
    requirements = _requirements(manifest, carried)
    columns = [column.name for column in manifest.schema.features]
    split = {"columns": columns, "data": [[row[name] for name in columns] for row in example]}
    texts = {
        "MLmodel": _mlmodel(manifest, bool(example)),
        "requirements.txt": "".join(f"{requirement}\n" for requirement in requirements),
        "python_env.yaml": (
            f"python: {manifest.python}\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n"
        ),
        "conda.yaml": (
            f"name: {json.dumps(manifest.model)}\nchannels:\n- conda-forge\ndependencies:\n"
            f"- python={manifest.python}\n- pip\n- pip:\n" + "".join(f"  - {r}\n" for r in requirements)
        ),
        "input_example.json": json.dumps(split, ensure_ascii=False) + "\n",
        f"code/{LOADER}.py": _loader(),
        f"code/{FALLBACK}": (files("modelyard") / "authoring.py").read_text(encoding="utf-8"),
    }
    return {path: text.encode() for path, text in texts.items()}


def _mlmodel(manifest: Manifest, example: bool) -> str:
    inputs = [{"type": _type(c), "name": c.name, "required": True} for c in manifest.schema.features]
    outputs = [{"type": "tensor", "tensor-spec": _outputs(manifest)}]
    lines = [
        "flavors:",
        "  python_function:",
        "    code: code",
        "    env:",
        "      conda: conda.yaml",
        "      virtualenv: python_env.yaml",
        f"    loader_module: {LOADER}",
        f"    python_version: {manifest.python}",
        "  modelyard:",
        f"    format: {manifest.format}",
        f"    form: {manifest.form}",
        "signature:",
        f"  inputs: {_quoted(json.dumps(inputs, ensure_ascii=False))}",
        f"  outputs: {_quoted(json.dumps(outputs))}",
        "  params: null",
    ]
    if example:
        lines += [
            "saved_input_example_info:",
            "  artifact_path: input_example.json",
            "  type: dataframe",
            "  pandas_orient: split",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _outputs(manifest: Manifest) -> dict[str, object]:
    if manifest.quantiles:
        return {"dtype": "float64", "shape": [-1, len(manifest.quantiles)]}
    if manifest.task == "regression":
        return {"dtype": "float64", "shape": [-1]}
    return {"dtype": "float64", "shape": [-1, len(manifest.classes)]}


def _type(column: Column) -> str:
    if column.kind == "integer":
        return "double" if column.nullable else "long"
    kinds = {
        "float": "double",
        "boolean": "boolean",
        "string": "string",
        "date": "datetime",
        "datetime": "datetime",
    }
    return kinds[column.kind]


def _requirements(manifest: Manifest, carried: Sequence[Manifest]) -> list[str]:
    """What the standalone loader needs beside (native) the model's own, in the versions of now.

    pandas comes with MLflow, which says which versions it takes.
    """
    needed = ["numpy"]
    found: dict[str, str] = {}
    for one in (manifest, *carried):
        if one.form == "onnx":
            needed.append("onnxruntime")
        else:
            found |= {_canonical(r.partition("==")[0]): r for r in one.requirements}
            needed += ["skops", *_frame(one.frame)]
    for name in needed:
        found.setdefault(name, f"{name}=={importlib.metadata.version(name)}")
    return sorted(found.values())


def _frame(kind: FrameKind) -> list[str]:
    return ["polars"] if kind == "polars" else []


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _loader() -> str:
    """``standalone.py`` with the values that it shares with ``predictor`` written in."""
    source = (files("modelyard.packaging") / "standalone.py").read_text(encoding="utf-8")
    safe = "".join(f"    {name!r},\n" for name in sorted(SAFE))
    source = source.replace("SAFE: tuple[str, ...] = ()", f"SAFE: tuple[str, ...] = (\n{safe})", 1)
    if f'NULL = "{NULL.encode("unicode_escape").decode()}"' not in source:
        raise AssertionError("standalone.py and predictor.session disagree on how a null text is written")
    return source
