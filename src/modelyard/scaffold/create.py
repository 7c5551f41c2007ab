"""Write a new project, or what is missing of one: all of it or nothing."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import msgspec

from modelyard.errors import Misuse, StoreDown
from modelyard.scaffold.choices import Choices, check
from modelyard.scaffold.files import SETTINGS, all_files, upkeep
from modelyard.scaffold.rows import TABLES

RECORD = ".modelyard.json"
"""In the project's folder and in git: what was chosen, and the files that Modelyard keeps up to date."""
_BARE = {
    ".git",
    ".gitattributes",
    "README.md",
    "README",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    ".gitignore",
}
"""What a forge puts into a new repository."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The scaffold's record of itself, as ``RECORD``."""

    modelyard: str
    choices: Choices
    files: dict[str, str] = {}
    """By path, the sha256 of what was written, of files that are kept up to date."""


class Created(NamedTuple):
    choices: Choices
    files: list[Path]
    """Sorted; those that were written."""
    kept: list[Path]
    """That were there before, and were left as they were."""


def create(folder: Path, choices: Choices) -> Created:
    """Make the project in ``folder``, or add to a git repository there what it does not have.

    Raises ``Misuse`` for a folder that is in use and no repository, and for choices that are none, and ``StoreDown``
    when the disk refuses; ``folder`` is then as it was.
    """
    held = _held(folder)
    folder = folder.resolve()
    if RECORD in held:
        choices = _further(recorded(folder), choices)
    template = choices.template or ("blank" if held - _BARE else "classification")
    choices = msgspec.structs.replace(choices, template=template)
    check(choices, TABLES[template][0] if template in TABLES else None)
    kept_up = upkeep(choices)
    files = kept_up if SETTINGS in held else all_files(choices)
    files = {**files, RECORD: record(choices, kept_up)}
    if ".gitignore" in held and (merged := _ignoring(folder / ".gitignore", files[".gitignore"])):
        files[".gitignore"] = merged
        held -= {".gitignore"}
    kept = sorted(folder / path for path in files if _kept(folder, path, held))
    fresh = {path: content for path, content in files.items() if folder / path not in kept}
    try:
        _write(folder, fresh, whole=not held)
    except OSError as error:
        raise StoreDown(
            f"The project cannot be written to {folder}: {error.strerror}; nothing was left there."
        ) from error
    return Created(choices, sorted(folder / path for path in fresh), kept)


def recorded(folder: Path) -> Written:
    """What was written there, and by which choices."""
    path = folder / RECORD
    try:
        return msgspec.json.decode(path.read_bytes(), type=Written)
    except FileNotFoundError:
        raise Misuse(
            f"{folder} has no {RECORD}, so it is not known what was generated; 'modelyard init NAME --folder .' "
            "in its git repository writes one, and adds what is missing."
        ) from None
    except msgspec.DecodeError as error:
        raise Misuse(f"{path} cannot be read: {error}; restore it from git.") from None


def _further(then: Written, choices: Choices) -> Choices:
    """What a project was made with, and what is chosen beyond it now."""
    if then.choices.name != choices.name:
        raise Misuse(f"The project there is called '{then.choices.name}'; give that name.")
    return msgspec.structs.replace(
        then.choices,
        ci=choices.ci or then.choices.ci,
        flow=choices.flow if choices.ci else then.choices.flow,
        docs_licence=choices.docs_licence or then.choices.docs_licence,
        repository=choices.repository or then.choices.repository,
    )


def _kept(folder: Path, path: str, held: set[str]) -> bool:
    return path != RECORD and Path(path).parts[0] in held and (folder / path).exists()


def record(choices: Choices, kept_up: Mapping[str, bytes], others: Mapping[str, str] = {}) -> bytes:
    """The text of ``RECORD``: files as they were just written, and the digests of others as they were once."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in kept_up.items()}
    told = Written(
        modelyard=metadata.version("modelyard"),
        choices=choices,
        files=dict(sorted({**digests, **others}.items())),
    )
    return msgspec.json.format(msgspec.json.encode(told)) + b"\n"


def _held(folder: Path) -> set[str]:
    """The names in the folder, which may be a repository or empty or not be there."""
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            raise Misuse(f"{folder} exists and is no folder; choose another one.")
        return set()
    held = {path.name for path in folder.iterdir()}
    if held and not held & {".git", SETTINGS}:
        raise Misuse(
            f"{folder} is not empty and no git repository; choose another folder or another name, or run "
            "'git init' there first to add a project to it."
        )
    return held


def _write(folder: Path, files: Mapping[str, bytes], *, whole: bool) -> None:
    """A whole folder appears at once; into one that holds something, files go one by one, and out again on an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent if whole else folder))
    project = scratch / folder.name
    placed: list[Path] = []
    try:
        for path, content in files.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_bytes(content)
        if whole:
            project.replace(folder)
            return
        for path in files:
            _place(project / path, folder, path, placed)
    except BaseException:
        for one in reversed(placed):
            one.rmdir() if one.is_dir() else one.unlink()
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _place(source: Path, folder: Path, path: str, placed: list[Path]) -> None:
    """Move the file there; what did not exist before is noted."""
    for parent in reversed(Path(path).parents[:-1]):
        if not (folder / parent).exists():
            (folder / parent).mkdir()
            placed.append(folder / parent)
    new = not (folder / path).exists()
    source.replace(folder / path)
    if new:
        placed.append(folder / path)


def _ignoring(there: Path, ours: bytes) -> bytes | None:
    """What is ignored there and what has to be: the yard holds keys and rows, which never belong into git."""
    text = there.read_text(encoding="utf-8", errors="surrogateescape")
    held = {line.strip().rstrip("/") for line in text.splitlines()}
    lines = [line for line in ours.decode().splitlines() if line and not line.startswith("#")]
    missing = [line for line in lines if line.rstrip("/") not in held]
    if not missing:
        return None
    joint = text if text.endswith("\n") or not text else f"{text}\n"
    return f"{joint}\n# Modelyard\n{chr(10).join(missing)}\n".encode("utf-8", "surrogateescape")
