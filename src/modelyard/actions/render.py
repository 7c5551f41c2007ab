"""``render``: what other programs read to run the project's services."""

from __future__ import annotations

import getpass
from pathlib import Path

import msgspec

from modelyard.actions.switch import Answering, served
from modelyard.errors import Misuse, NotAdmitted, StoreDown
from modelyard.infra import KINDS, context, files, place
from modelyard.predictor.verify import verify
from modelyard.project import Project


def render(project: Project, kind: str, folder: Path) -> list[Path]:
    """Write the files of ``kind`` below ``folder``; what is there of the same name is replaced. Returns them.

    Raises ``Misuse`` for a kind that is not known, ``StoreDown``.
    """
    if kind not in KINDS:
        raise Misuse(f"There is no '{kind}' to render; known: docker, {', '.join(KINDS)}.")
    written = []
    try:
        for name, content in files(
            kind, place(project.settings, project.root, user=getpass.getuser())
        ).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written.append(path)
    except OSError as error:
        raise StoreDown(f"{folder} cannot be written: {error.strerror}.") from None
    return written


class Contained(msgspec.Struct, frozen=True, kw_only=True):
    """What an image's service answers for."""

    environment: str
    models: tuple[str, ...]
    """``screening@7``."""


def render_image(project: Project, environment: str, folder: Path, *, wheels: bool = False) -> Contained:
    """Write what an image of the environment's service is built from into ``folder``, which is new or empty,
    with ``wheels`` the libraries too.

    Of each model the version that is live there, else the newest that is admitted. Raises ``NotAdmitted`` when there is
    none, ``Untrusted``, ``Misuse`` for a folder in use, ``StoreDown``.
    """
    project.environment(environment)
    chosen = _chosen(project, environment)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misuse(f"{folder} is in use; name a folder that is new or empty.")
    models = [(one := served(project, wanted), verify(Path(one.folder))) for wanted in chosen]
    refs = tuple(f"{wanted.model}@{wanted.version}" for wanted in chosen)
    labels = {
        "org.opencontainers.image.title": f"{project.settings.project.name} in {environment}",
        "org.opencontainers.image.version": ", ".join(refs),
        "dev.modelyard.packages": ", ".join(wanted.package for wanted in chosen),
        "dev.modelyard.environment": environment,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        at = place(project.settings, project.root, user=getpass.getuser())
        context(folder, at, environment=environment, models=models, labels=labels, wheels=wheels)
    except OSError as error:
        raise StoreDown(f"{folder} cannot be written: {error.strerror}.") from None
    return Contained(environment=environment, models=refs)


def _chosen(project: Project, environment: str) -> list[Answering]:
    found = []
    with project.yard.read() as facts:
        for model in project.settings.models:
            admitted = facts.admissions.list(environment, model)
            if release := facts.releases.live(environment, model):
                found.append(Answering(environment, model, release.version, release.package))
            elif admitted and (version := facts.versions.get(model, admitted[-1].version)):
                found.append(Answering(environment, model, version.number, version.package))
    if not found:
        raise NotAdmitted(
            f"No version of any model is admitted to {environment}; run 'modelyard promote --to {environment}' first."
        )
    return found
