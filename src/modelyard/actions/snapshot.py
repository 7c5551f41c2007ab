"""A project's files as they are, stored: what a machine that takes a job works from."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from modelyard.errors import Misuse, StoreDown, Tampered
from modelyard.project import HOME, Project

LARGEST = 1 << 30
"""Bytes of all files together."""
_GLOB = "*?["


class Snapshot(NamedTuple):
    digest: str
    commit: str
    """What was checked out; empty without version control."""


def snapshot(project: Project) -> Snapshot:
    """Store the project's files, the same for the same content.

    With version control these are the files that it knows and those that it does not ignore; without it all but what
    begins with a dot. Never those that the settings name as secrets, nor an ``.env``. Of a link that leads out of the
    project the file comes along that it leads to; a folder does not. Raises ``Misuse`` when they are more than ``LARGEST``.
    """
    from modelyard.training.history import commit

    project.tell("storing the project's files")
    secret = _secrets(project)
    names = sorted(name for name in _files(project.root) if not _is_secret(name, secret))
    files = {name: path for name in names if (path := _led(project.root / name, project.root))}
    total = sum(path.lstat().st_size for path in files.values())
    if total > LARGEST:
        raise Misuse(
            f"The project's files are {total / 1e9:.1f} GB, more than the {LARGEST / 1e9:.0f} that a job takes along; keep "
            "data where sources can name it (a bucket, a database), and have version control ignore it here."
        )
    project.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix="snapshot-", dir=project.scratch) as file:
        with (
            gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0, compresslevel=1) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for name, path in files.items():
                archive.add(path, arcname=name, recursive=False, filter=_bare)
        file.flush()
        digest = project.artifacts.put_file(Path(file.name))
    return Snapshot(digest, commit(project.root, "HEAD") or "")


def unpacked(project: Project, digest: str, place: Path) -> Path:
    """The snapshot's files in ``place``, with this machine's own ``.modelyard``, whole or not at all.

    What its settings name and it does not hold (data that version control ignores, a key) is taken from the project's
    folder here. Raises ``Tampered`` or ``StoreDown``.
    """
    if place.exists():
        return place
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    packed = draft.with_suffix(".tar.gz")
    try:
        draft.mkdir(parents=True)
        project.artifacts.fetch(digest, packed)
        with tarfile.open(packed, mode="r:gz") as archive:
            archive.extractall(draft, filter="data")
        (draft / HOME).symlink_to(project.home.resolve())
        if (project.root / ".git").exists():
            (draft / ".git").symlink_to((project.root / ".git").resolve())
        _link_what_is_named(project, draft)
        draft.replace(place)
    except tarfile.TarError as error:
        raise Tampered(f"The snapshot {digest} cannot be unpacked: {error}.") from None
    except OSError as error:
        raise StoreDown(f"The snapshot {digest} cannot be unpacked in {place}: {error.strerror}.") from None
    finally:
        packed.unlink(missing_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _files(root: Path) -> Iterator[str]:
    from modelyard.training.history import git

    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is not None:
        known = {name for name in listed.split("\0") if name and not name.startswith(f"{HOME}/")}
        yield from (name for name in known if _holds(root / name))
        return
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            path = Path(folder) / name
            if not name.startswith(".") and _holds(path):
                yield str(path.relative_to(root))


def _secrets(project: Project) -> set[str]:
    """Files that hold keys, tokens and addresses, by their path in the project."""
    settings = project.settings
    named = [settings.signing.key, settings.lineage.token_file]
    named += [channel.file for channel in settings.alerts.channels.values()]
    for environment in settings.environments.values():
        named += [environment.token_file, environment.tls.key if environment.tls else None]
    return {os.path.normpath(name) for name in named if name}


def _is_secret(name: str, named: set[str]) -> bool:
    last = name.rpartition("/")[2]
    return os.path.normpath(name) in named or last == ".env" or last.startswith(".env.")


def _holds(path: Path) -> bool:
    return path.is_file() or path.is_symlink()


def _led(path: Path, root: Path) -> Path | None:
    """What is stored of it: another machine has nothing where a link leads out of the project."""
    if not path.is_symlink():
        return path
    led = path.resolve()
    if led.is_relative_to(root.resolve()) and not path.readlink().is_absolute():
        return path
    return led if led.is_file() else None


def _bare(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs between machines."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def _link_what_is_named(project: Project, place: Path) -> None:
    settings = project.settings
    named = [
        settings.data,
        settings.signing,
        [e.trusted for e in settings.environments.values()],
        sorted(_secrets(project)),
    ]
    for text in _texts(msgspec.to_builtins(named)):
        if "://" in text or text.startswith(("/", HOME)) or len(text) > 1000 or "\n" in text:
            continue
        path = Path(*takewhile(lambda part: not set(_GLOB) & set(part), Path(text).parts))
        if path != Path() and ".." not in path.parts:
            _link(project.root / path, place / path)


def _link(source: Path, target: Path) -> None:
    """A folder that both have is linked file by file."""
    if source.is_dir() and target.is_dir() and not target.is_symlink():
        for inner in source.iterdir():
            if not (target / inner.name).exists() and inner.name != "__pycache__":
                (target / inner.name).symlink_to(inner.resolve())
    elif source.exists() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
