"""The libraries and the Python that a run was trained with: those here, or an environment made of them again."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modelyard.actions.workbench import Locked
from modelyard.errors import AuthorError, ExtraMissing
from modelyard.project import Project
from modelyard.records.run import Run
from modelyard.training.requirements import FILE

if TYPE_CHECKING:
    from modelyard.training.environment import Python

_ABOUT = ("python", "platform", "PYTHONHASHSEED")
"""What a run's environment holds beside libraries."""


class Surroundings(NamedTuple):
    locked: Locked
    python: Python
    told: str
    changes: tuple[str, ...]
    """What is not as it was, in clauses."""


def libraries(run: Run) -> dict[str, str]:
    """Name to version of what it was trained with."""
    return {name: version for name, version in run.environment.items() if name not in _ABOUT}


def surroundings(project: Project, run: Run, code: Path, *, apart: bool, here: bool) -> Surroundings:
    """Those of the run: of this process where it has the same and the model needs none ``apart``, else made by uv.

    With ``here`` those of this process whatever they are. Raises ``AuthorError`` when they cannot be made.
    """
    from modelyard.training.environment import THIS, found

    wanted, then = libraries(run), run.environment.get("python", THIS.version)
    installed = {name: _installed(name) for name in wanted}
    python = THIS if here else found(then) or THIS
    machine = platform.platform()
    changes = [] if python.version == then else [f"python {then} → {python.version}"]
    if run.environment.get("platform", machine) != machine:
        changes.append(f"platform {run.environment['platform']} → {machine}")
    if here or (installed == wanted and python == THIS and not apart):
        changes += [f"{n} {v} → {installed[n] or 'none'}" for n, v in wanted.items() if installed[n] != v]
        known = {name: version for name, version in installed.items() if version}
        return Surroundings(Locked(known, None), python, "the libraries that are installed here", (*changes,))
    content = _lock(project, run, code, wanted, python)
    told = f"an environment of its own, of the {len(wanted)} locked libraries"
    return Surroundings(Locked(wanted, content), python, told, (*changes,))


def _lock(project: Project, run: Run, code: Path, wanted: dict[str, str], python: Python) -> str:
    """The model's own lock where it is that of the run, or the one beside its package; else one made of the versions on
    record."""
    from modelyard.training.environment import LOCK, pinned, versions
    from modelyard.training.lockfile import told, written

    kept = code / LOCK
    if (code / FILE).exists() and kept.exists():
        content = kept.read_text(encoding="utf-8", errors="replace")
        if versions(content) == wanted:
            return content
    with project.yard.read() as facts:
        package = facts.packages.get(run.candidate or "")
    if package is not None and package.lock:
        content = written(told(project.artifacts.get(package.lock).decode(errors="replace")))
        if versions(content) == wanted:
            return content
    project.tell(f"locking the libraries of run {run.id}")
    try:
        return pinned(wanted, project.home / "envs", python=python)
    except (AuthorError, ExtraMissing) as error:
        raise type(error)(unavailable(run, error)) from None


def unavailable(run: Run, error: Exception) -> str:
    """The sentence for an environment that cannot be made again."""
    reason = str(error).removesuffix(".")
    return (
        f"Run {run.id} was trained with other libraries than are installed here, and theirs cannot be had: {reason}; "
        "give --here to train it with these."
    )


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
