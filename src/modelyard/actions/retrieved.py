"""A run's code as it was when it trained: of its commit, or as its package keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from modelyard.actions.staged import renamed, shared, staged
from modelyard.errors import AuthorError, ModelyardError, UnknownName
from modelyard.project import Project
from modelyard.records.package import Manifest
from modelyard.records.run import Run
from modelyard.settings import ModelSettings, read


class Retrieved(NamedTuple):
    code: Path
    """The model's folder with the shared code that it imports."""
    root: Path
    """The folder that it is run in."""
    settings: ModelSettings
    """Of the model."""
    told: str
    """Where it is from, and why not from its commit."""


@contextmanager
def retrieved(project: Project, run: Run, manifest: Manifest, held: Path) -> Iterator[Retrieved]:
    """The code in ``held``: of the run's commit where that holds exactly what was trained, else of the package.

    Raises ``UnknownName`` when neither has it. An ``AuthorError`` in the meantime names the project's files.
    """
    from modelyard.packaging import code as written

    wanted = written(manifest)
    then = _of_commit(project, run, wanted, held)
    if isinstance(then, Project):
        told = f"commit {(run.code.commit or '')[:12]}"
        if run.code.dirty:
            told += "; what was not committed then is no part of it"
        with staged(then, run.model) as code, _as_the_author_knows_it(project, then.root, project.root):
            yield Retrieved(code, then.root, then.model(run.model), told)
        return
    if not wanted:
        raise UnknownName(f"The code of run {run.id} is not kept with its package, and {then}.")
    settings = project.settings.models.get(run.model) or ModelSettings(
        code=run.model, data=run.dataset.partition("@")[0]
    )
    place = held / "kept" / Path(settings.code).name
    for path, digest in wanted.items():
        project.artifacts.fetch(digest, place / path)
    with _as_the_author_knows_it(project, place, project.root / settings.code):
        yield Retrieved(place, project.root, settings, f"as the package keeps it, since {then}")


def _of_commit(project: Project, run: Run, wanted: dict[str, str], held: Path) -> Project | str:
    """The project as it was committed, or in a clause why that will not do."""
    from modelyard.training import contents, identify
    from modelyard.training.history import checkout, commit

    if run.code.commit is None:
        return "it was not under version control"
    name = run.code.commit[:12]
    if commit(project.root, run.code.commit) is None:
        return f"commit {name} is not in this repository"
    root = checkout(project.root, run.code.commit, held)
    if root is None:
        return f"git cannot write the files of commit {name}"
    try:
        then = Project(
            root=root,
            settings=read(root),
            asserted=project.asserted,
            secret=project.secret,
            tell=project.tell,
        )
        folder, beside = root / then.model(run.model).code, shared(then, run.model)
        found = contents(folder, beside)
        if not wanted and identify(folder, root, beside).digest != run.code.digest:
            return f"commit {name} has other code"
    except ModelyardError as error:
        return f"commit {name} cannot be used ({_plainly(error, root, project.root)})"
    other = sorted(path for path in wanted if found.get(path) != wanted[path])
    other += sorted(found.keys() - wanted.keys()) if wanted else []
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        return f"commit {name} has another {other[0]}{more}" + (
            ", which was not committed then" if run.code.dirty else ""
        )
    return then


@contextmanager
def _as_the_author_knows_it(project: Project, place: Path, known: Path) -> Iterator[None]:
    try:
        yield
    except AuthorError as error:
        raise renamed(error, {place.resolve(): known}, project.root) from error


def _plainly(error: ModelyardError, place: Path, known: Path) -> str:
    return str(error).replace(str(place), str(known)).removesuffix(".")
