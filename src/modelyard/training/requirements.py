"""The exact distributions that a model's ``requirements.model`` leads to."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.authors.blame import shown
from modelyard.errors import AuthorError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

FILE = "requirements.model"


def closure(folder: Path) -> dict[str, str]:
    """Name to installed version of everything that ``requirements.model`` needs, sorted by name.

    Each line pins one distribution (``name==version``); what those need is taken as installed.
    Raises ``AuthorError`` with the line to run when one is missing or of another version.
    """
    path = folder / FILE
    wanted = pins(path)
    _agree(wanted, path)
    found: dict[str, str] = {}
    asked: set[tuple[str, str]] = set()
    queue = [(requirement, FILE) for requirement in wanted]
    while queue:
        requirement, parent = queue.pop()
        name = _canonical(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in asked:
                continue
            asked.add((name, extra))
            distribution = _distribution(requirement.name, parent, path)
            found[name] = distribution.version
            queue += [(needed, requirement.name) for needed in _needs(distribution, extra)]
    return dict(sorted(found.items()))


def pins(path: Path) -> list[Requirement]:
    """The requirements in the file; ``AuthorError`` for a line that pins no version."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise AuthorError(
            f"There is no {shown(path)}; list what the model imports there, each line 'name==version'."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorError(f"{shown(path)} cannot be read: {error}.") from None
    pins = []
    for number, line in enumerate(lines, start=1):
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        where = f"{shown(path)}, line {number}"
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            raise AuthorError(f"{where}: '{text}' is not of the form 'name==version'.") from None
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        if _pinned(requirement) is None:
            raise AuthorError(f"{where}: '{text}' is not pinned; write '{_suggestion(requirement)}'.")
        pins.append(requirement)
    return pins


def _pinned(requirement: Requirement) -> str | None:
    specifiers = list(requirement.specifier)
    if len(specifiers) == 1 and specifiers[0].operator in ("==", "===") and "*" not in specifiers[0].version:
        return specifiers[0].version
    return None


def _suggestion(requirement: Requirement) -> str:
    try:
        return f"{requirement.name}=={metadata.version(requirement.name)}"
    except metadata.PackageNotFoundError:
        return f"{requirement.name}==VERSION"


def _agree(wanted: list[Requirement], path: Path) -> None:
    wrong = []
    for requirement in wanted:
        try:
            installed = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement.name} is {installed} instead of {_pinned(requirement)}")
    if wrong:
        raise AuthorError(
            f"{shown(path)} does not match this environment: {', '.join(wrong)}; "
            f"run 'pip install -r {shown(path)}' or change the pins."
        )


def _distribution(name: str, parent: str, path: Path) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise AuthorError(
            f"{name}, which {parent} needs, is not installed; run 'pip install -r {shown(path)}'."
        ) from None


def _needs(distribution: metadata.Distribution, extra: str) -> list[Requirement]:
    from packaging.requirements import Requirement

    needs = [Requirement(line) for line in distribution.requires or ()]
    return [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
