"""A model that was made without Modelyard becomes a package: for ``import``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.actions.train import latest_data
from modelyard.errors import Misuse, Untrusted
from modelyard.project import Project
from modelyard.records.package import Manifest
from modelyard.storage.scratch import scratch

if TYPE_CHECKING:
    from modelyard.packaging.foreign import Foreign

_CODE = '"""{name}, sha256 {digest}, as it was imported; there is no training code."""\n'


def sealed(project: Project, source: Path, *, model: str | None, trust: str | None) -> tuple[Manifest, str]:
    """Seal the model at ``source`` for ``[models.MODEL]`` and store it; its manifest and digest.

    Schema, profile and proof are of the newest version of the model's dataset, narrowed to the columns that the model
    names. A pickle is loaded and code runs only with ``trust``; a pickle is kept as one only where no safe form holds the
    model. Raises ``Untrusted`` for what nobody answers for, ``Unconvertible`` for a model that does not fit.
    """
    from modelyard import packaging
    from modelyard.data import load
    from modelyard.packaging import foreign
    from modelyard.predictor.pickles import PICKLES
    from modelyard.tables.gather import gather, target
    from modelyard.training import closure, tell

    if model is None:
        raise Misuse(f"{source} does not say which model it is; give --model NAME, one of {_known(project)}.")
    settings = project.model(model)
    found = foreign.read(source)
    if found.kind == "pickle" and trust is None:
        raise Untrusted(
            f"{found.path} is a pickle, and loading one runs what its maker wrote; if you know who that is, "
            "give --trust 'REASON'."
        )
    if found.kind == "pyfunc" and trust is None:
        raise Untrusted(
            f"{found.path} is answered by code of its own, which runs when it is imported; if you know whose it is, "
            "give --trust 'REASON'."
        )
    version = latest_data(project, settings.data)
    project.tell(f"reading {version.ref}")
    learnt, held = (load(version, project.tables, part=part) for part in ("train", "test"))
    task, classes = tell(target(learnt, version.schema), settings.task, version.schema.labels)
    schema = foreign.narrowed(found, version.schema)
    with scratch("import-", project.scratch) as place:
        fitted, graph = foreign.fitted(found, schema, task=task, classes=classes, place=place)
        schema = foreign.narrowed(found, schema, fitted.model)
        code = place / "code"
        if found.kind != "pyfunc":
            _write_code(found, code, requirements=graph is None)
        project.tell(f"packaging {source.name}")
        ending = PICKLES[0] if found.path.suffix != ".pkl" else PICKLES[1]
        manifest = packaging.seal(
            fitted,
            place / "package",
            model=model,
            schema=schema,
            code=code,
            requirements=tuple(f"{name}=={number}" for name, number in closure(code).items()),
            train=gather(learnt, schema),
            test=gather(held, schema),
            form=settings.form,
            tolerance=settings.proof_tolerance,
            python=platform.python_version(),
            graph=graph,
            beside=settings.keep_native,
            kept=(ending, found.content) if found.kind == "pickle" else None,
        )
        return manifest, packaging.store(place / "package", project.artifacts)


def _write_code(found: Foreign, code: Path, *, requirements: bool) -> None:
    digest = hashlib.sha256(found.content).hexdigest()
    code.mkdir()
    (code / "model.py").write_text(_CODE.format(name=found.path.name, digest=digest))
    pin = f"scikit-learn=={importlib.metadata.version('scikit-learn')}\n" if requirements else ""
    (code / "requirements.model").write_text(pin)


def _known(project: Project) -> str:
    return ", ".join(project.settings.models) or "none"
