"""A project from a notebook: ``my.load``, ``my.data``, ``my.runs`` and ``my.versions`` (floor 9).

Each call opens the project at or above the working folder, or at or above ``project``, and lets go of it again:
a notebook that stays open keeps no command waiting.
"""

from __future__ import annotations

from os import PathLike

from modelyard.notebook.dataset import Dataset
from modelyard.notebook.here import here
from modelyard.notebook.model import Model
from modelyard.notebook.runs import Runs
from modelyard.notebook.versions import Versions

__all__ = ["Dataset", "Model", "Runs", "Versions", "data", "load", "runs", "versions"]


def load(ref: str, *, project: str | PathLike[str] | None = None) -> Model:
    """The package that ``screening@prod``, ``@7``, ``@latest``, ``@run`` or a bare name means, verified and opened.

    A bare name is the latest version, or the newest run while nothing is registered.
    """
    from modelyard.actions.about import about
    from modelyard.actions.locate import located, opened

    with here(project) as place:
        package = located(place, ref)
        return Model(opened(place, package.digest), about(place, package))


def data(ref: str, *, project: str | PathLike[str] | None = None) -> Dataset:
    """The dataset version that ``patients@3``, ``@latest`` or a bare name (the latest) means; no row is read yet."""
    from modelyard.actions.show import show
    from modelyard.actions.stored import dataset_version, profile

    with here(project) as place:
        version = dataset_version(place, ref)
        return Dataset(
            place.root, version, profile(place, version), show(place, version.ref, relations=False)
        )


def runs(model: str | None = None, *, project: str | PathLike[str] | None = None) -> Runs:
    """Trainings, newest first, of one model or of all."""
    from modelyard.actions.look import runs as listed

    with here(project) as place:
        if model is not None:
            place.model(model)
        return Runs(listed(place, model))


def versions(
    model: str | None = None, where: str = "", *, project: str | PathLike[str] | None = None
) -> Versions:
    """Registered versions, ascending; with ``where`` those that a filter such as ``metrics.auc > 0.9`` is true of."""
    from modelyard.actions.look import versions as listed

    with here(project) as place:
        if model is not None:
            place.model(model)
        return Versions(listed(place, model, where=where))
