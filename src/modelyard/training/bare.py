"""A training in an environment that holds only the model's requirements: no Modelyard is installed there.

The process gets a copy of the few files that training needs (``kit``), which import nothing but the standard
library and NumPy; ``import modelyard`` in a ``model.py`` finds them. It fits and tries the model and
leaves it in a folder; it is sealed elsewhere, in an environment that has what sealing needs too.
"""

from __future__ import annotations

import pickle
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.errors import AuthorError
from modelyard.training.bench import Bench
from modelyard.training.loop import Handler, serve
from modelyard.training.trace import watch

FILES = (
    "__init__.py",
    "authoring.py",
    "errors.py",
    "authors/__init__.py",
    "authors/blame.py",
    "authors/bounds.py",
    "authors/modules.py",
    "predictor/answers.py",
    "predictor/boosters.py",
    "predictor/fitted.py",
    "predictor/forests.py",
    "predictor/modules.py",
    "predictor/multilabel.py",
    "predictor/native.py",
    "predictor/parts.py",
    "tables/batch.py",
    "tables/held.py",
    "training/bare.py",
    "training/bench.py",
    "training/fit.py",
    "training/limits.py",
    "training/loop.py",
    "training/model_code.py",
    "training/recorder.py",
    "training/rows.py",
    "training/trace.py",
)
PICKLE = "model.pickle"
NATIVE = "native"


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    nullable: bool


@dataclass(frozen=True)
class _Shape:
    """What training asks of a schema."""

    features: tuple[_Column, ...]
    target: str | None
    labels: tuple[str, ...] = ()


def kit(folder: Path) -> Path:
    """Copy the files into ``folder`` as a package ``modelyard``, and return the folder."""
    source = Path(__file__).parent.parent
    for name in FILES:
        target = folder / "modelyard" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((source / name).read_bytes())
    for room in ("predictor", "tables", "training"):
        (folder / "modelyard" / room / "__init__.py").touch()
    return folder


def main() -> None:
    """Answer jobs on the socket that is file descriptor ``FD``."""
    watch(Path(sys.argv[2]))
    bench = Bench()

    def opened(job: dict[str, Any]) -> dict[str, Any]:
        return {"space": bench.open(Path(job["code"]))}

    def begin(job: dict[str, Any]) -> None:
        shape: Any = _shape(job["schema"])
        bench.begin(
            Path(job["rows"]),
            shape,
            task=job["task"],
            classes=tuple(job["classes"]),
            seed=job["seed"],
            quantiles=tuple(job["quantiles"]),
            thresholds=tuple(job["thresholds"]),
        )

    def fit(job: dict[str, Any]) -> dict[str, Any]:
        record = Path(job["record"]) if job["record"] else None
        trained = bench.fit(job["params"], memory=job["memory"], record=record)
        return {"params": trained.params, "seconds": trained.seconds, "hash_seed": trained.hash_seed}

    def leave(job: dict[str, Any]) -> dict[str, Any]:
        return _leave(bench, Path(job["folder"]))

    handlers: dict[str, Handler] = {"open": opened, "begin": begin, "fit": fit, "leave": leave}
    serve(socket.socket(fileno=int(sys.argv[1])), handlers)


def _shape(schema: dict[str, Any]) -> _Shape:
    labels = tuple(schema.get("labels", ()))
    aside = {schema.get("target"), *labels, *schema.get("key", ())}
    return _Shape(
        tuple(
            _Column(c["name"], c["kind"], c.get("nullable", False))
            for c in schema["columns"]
            if c["name"] not in aside and not c.get("forbidden")
        ),
        schema.get("target"),
        labels,
    )


def _leave(bench: Bench, folder: Path) -> dict[str, Any]:
    """By the author's ``save`` where there is one, else pickled for the process that seals it."""
    if bench.trained is None:
        raise RuntimeError("there is no fitted model to leave")
    fitted, code = bench.trained.fitted, bench.code
    folder.mkdir(parents=True)
    try:
        if fitted.save is not None:
            (folder / NATIVE).mkdir()
            fitted.save(fitted.model, folder / NATIVE)
        else:
            with code.importable(), (folder / PICKLE).open("wb") as file:
                pickle.dump(fitted.model, file, protocol=5)
    except Exception as error:
        what = (
            "'save' in model.py raised"
            if fitted.save
            else "The trained model cannot be taken out of its process:"
        )
        raise AuthorError(
            f"{what} {type(error).__name__}: {error}; write 'save(model, folder)' and 'load(folder)' in model.py."
        ) from error
    return {"frame": fitted.frame}


if __name__ == "__main__":
    main()
