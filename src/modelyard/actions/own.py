"""Where a native model answers: in the service's workers, or in processes of its own with its own libraries."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

import modelyard
from modelyard.errors import StoreDown
from modelyard.predictor.verify import MANIFEST, decode
from modelyard.project import Project
from modelyard.records.package import Form, Manifest
from modelyard.records.service import Own, ServedModel
from modelyard.training import Limits

LONG = 3600.0
"""Seconds that a whole split may take."""


def owned(project: Project, models: tuple[ServedModel, ...]) -> tuple[ServedModel, ...]:
    """The models of one service, each with where it answers."""
    return tuple(_owned(project, model, together=len(models) > 1) for model in models)


def _owned(project: Project, model: ServedModel, *, together: bool) -> ServedModel:
    path = Path(model.folder) / MANIFEST
    manifest = decode(path.read_bytes(), path)
    settings = project.model(model.model)
    asked, apart = settings.service, settings.isolation == "venv"
    limited = (asked.timeout, asked.memory_gb, asked.processors) != (None, None, None)
    wanted = asked.process == "own" or (asked.process == "auto" and (together or apart or limited))
    if manifest.form != "native" or not wanted:
        return model
    limits = Limits.of(asked.timeout, asked.memory_gb)
    own = libraries(project, manifest) or Own()
    own = msgspec.structs.replace(
        own,
        seconds=limits.seconds or own.seconds,
        memory=limits.memory,
        threads=asked.processors or own.threads,
    )
    return msgspec.structs.replace(model, own=own)


def libraries(project: Project, manifest: Manifest, *, form: Form | None = None) -> Own | None:
    """Where the package's native form finds the libraries that it was sealed with; None where those here serve."""
    settings = project.settings.models.get(manifest.model)
    if settings is None or settings.isolation != "venv" or (form or manifest.form) != "native":
        return None
    project.tell(f"making the environment that {manifest.model} answers in")
    return Own(python=str(_python(project, manifest)), path=str(_library(project)))


def _python(project: Project, manifest: Manifest) -> Path:
    """The interpreter of an environment with the libraries that the package was sealed with."""
    from modelyard.training.environment import LOCK, extended, made, pinned, sealing
    from modelyard.training.lockfile import told, written

    home = project.home / "envs"
    kept = next((file.sha256 for file in manifest.files if file.path == f"code/{LOCK}"), None)
    held = told(project.artifacts.get(kept).decode(errors="replace")) if kept else {}
    if held.keys() == set(manifest.requirements):
        locked = written(held)
    else:
        locked = pinned(dict(line.split("==", 1) for line in manifest.requirements), home)
    what = f"The libraries of {manifest.model} do not go together with what opening it needs"
    return made(extended(locked, sealing(), home, what=what), home)


def _library(project: Project) -> Path:
    """A folder with Modelyard and nothing else."""
    source = Path(modelyard.__file__).parent
    place = project.home / "library" / hashlib.sha256(str(source).encode()).hexdigest()[:12]
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "modelyard").exists():
            (place / "modelyard").symlink_to(source)
    except FileExistsError:
        pass  # somebody else made it just now
    except OSError as error:
        raise StoreDown(f"{place} cannot be written: {error.strerror}.") from None
    return place
