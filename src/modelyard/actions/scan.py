"""``scan``: a project's weaknesses, held against what people answer for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from modelyard import scanning
from modelyard.actions.written import written
from modelyard.errors import AuthorError, ExtraMissing, Misuse, SettingsError
from modelyard.project import Project, now
from modelyard.records.weakness import Check, Level, Scan, Weakness
from modelyard.scanning.secrets import in_history

BASELINE = "scan.baseline.json"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A weakness that was there when somebody said why it may stay."""

    fingerprint: str
    rule: str
    path: str
    reason: str
    by: str


def scan(
    project: Project,
    *,
    checks: Sequence[Check] = (),
    fail_on: Level | None = None,
    history: bool = False,
) -> Scan:
    """Look for weaknesses; what ``[scan]`` and the baseline allow is set aside with its reason.

    ``history`` looks for secrets in every commit too. Nothing of the project is run and nothing is fetched. Raises
    ``ExtraMissing`` without the libraries of the extra ``scan``.
    """
    settings = project.settings.scan
    wanted = tuple(c for c in (checks or settings.checks))
    files = scanning.listed(project.root, settings.exclude)
    notes: list[str] = []
    found: list[Weakness] = []
    for check in wanted:
        project.tell(f"looking for {check}")
        found += _looked(project, check, files, notes, history=history)
    sorted_ = scanning.sorted_out(found, settings.allow, _baseline(project), now().date())
    return Scan(
        at=now(),
        checks=wanted,
        files=len(files.paths),
        fail_on=fail_on or settings.fail_on,
        found=sorted_.found,
        allowed=sorted_.allowed,
        notes=(*notes, *sorted_.notes),
    )


def accept(project: Project, found: Scan, *, reason: str) -> Path:
    """Put all that was found on the baseline, with who says so and why; what is there already stays."""
    if len(reason.strip()) < 3:
        raise Misuse("Say why it may stay: --accept REASON.")
    added = [
        Accepted(fingerprint=w.fingerprint, rule=w.rule, path=w.path, reason=reason.strip(), by=project.actor)
        for w in found.found
    ]
    content = msgspec.json.format(msgspec.json.encode([*_entries(project), *added]), indent=2) + b"\n"
    return written(project.root / BASELINE, content)


def _looked(
    project: Project, check: Check, files: scanning.Files, notes: list[str], *, history: bool
) -> Iterator[Weakness]:
    settings = project.settings.scan
    try:
        if check == "secrets":
            yield from scanning.secrets(files)
            if history:
                yield from in_history(scanning.committed(project.root, settings.exclude))
        elif check == "code":
            yield from scanning.code(files)
        elif check == "pickles":
            yield from scanning.pickles(files)
        elif check == "containers":
            yield from scanning.containers(files)
        elif check == "licences":
            yield from scanning.licences(_needed(project, files), settings.licences_denied)
        elif settings.advisories is None:
            notes.append(
                "dependencies were held against no advisories: set scan.advisories to a file of them (docs/commands/scan.md)."
            )
        else:
            yield from scanning.dependencies(_needed(project, files), project.root / settings.advisories)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("detect_secrets", "bandit"):
            raise ExtraMissing(f"To scan install '{error.name}': pip install 'modelyard[scan]'.") from None
        raise


def _needed(project: Project, files: scanning.Files) -> Iterator[scanning.Dependency]:
    """What is pinned, and of each model everything that its requirements lead to, where that is installed."""
    from modelyard.training.requirements import closure

    pinned = list(scanning.pinned(files))
    yield from pinned
    known = {(d.name, d.version) for d in pinned}
    for model in project.settings.models.values():
        path = f"{model.code.rstrip('/')}/requirements.model"
        try:
            led = closure(project.root / model.code)
        except AuthorError:
            continue  # what is not installed here is looked at by its pins
        for name, version in led.items():
            if (name, version) not in known:
                yield scanning.Dependency(name, version, path)


def _baseline(project: Project) -> dict[str, str]:
    return {entry.fingerprint: f"{entry.reason} ({entry.by})" for entry in _entries(project)}


def _entries(project: Project) -> tuple[Accepted, ...]:
    path = project.root / BASELINE
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Accepted, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read: {error}; mend it, or remove it and accept again."
        ) from None


def worst(found: Scan, most: int = 40) -> list[Weakness]:
    """What a person reads."""
    return list(itertools.islice(found.found, most))
