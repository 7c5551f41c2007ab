"""The registered versions that a model's code asks for answers: a noun that training, checks and builds share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelyard.actions.locate import materialised
from modelyard.errors import UnknownName
from modelyard.ports import Facts
from modelyard.project import Project
from modelyard.records.package import Used


def meant(project: Project, facts: Facts, model: str) -> tuple[Used, ...]:
    """What ``uses`` of the model means now, sorted by name; ``UnknownName`` for what is not registered."""
    from modelyard.registry import resolve

    found = []
    for ref in sorted(project.model(model).uses):
        try:
            version = resolve(facts, ref, tuple(project.settings.environments))
        except UnknownName as error:
            raise UnknownName(f"'models.{model}.uses': {error}") from None
        found.append(Used(model=version.model, number=version.number, package=version.package))
    return tuple(found)


def laid(project: Project, uses: Sequence[Used], folder: Path) -> Path | None:
    """Their packages in ``folder``, each as ``NAME@N`` and verified; None where there are none.

    ``Untrusted`` for one that runs code and that no key signed that is trusted here.
    """
    from modelyard.packaging import fetch
    from modelyard.predictor import verify, vouched

    for used in uses:
        held = materialised(project, used.package)
        if verify(held, used.package).form == "native":
            vouched(held, digest=used.package, trust=project.trust(), needs="code/model.py")
        fetch(used.package, project.artifacts, folder / used.ref)
    return folder if uses else None
