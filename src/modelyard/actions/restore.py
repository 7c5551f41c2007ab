"""``yard restore``: a backup back into an empty yard, once every byte of it is what it was."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from modelyard.actions.backup import place
from modelyard.actions.carried import Carried, carry
from modelyard.errors import Misuse, SourceMissing, StoreDown, Tampered
from modelyard.project import Project, fresh
from modelyard.records.backup import MANIFEST, Backup, KeptFile
from modelyard.storage.scratch import scratch

_LARGEST = 1 << 28
"""Bytes of a list of files."""


def restore(project: Project, file: Path) -> Carried:
    """Read the backup whole and verify it, then copy it into the yard that the settings name.

    A restore that was killed can be begun again. Raises ``SourceMissing``; ``Tampered`` naming what is not as it was
    written; ``Misuse`` where the yard holds facts already.
    """
    with scratch("restore-", project.scratch) as room:
        folder = room / "yard"
        told = _read(project, file, folder)
        there = project.elsewhere(place(folder))
        with project.alone():
            carried = carry(there, project, artifacts=True, facts=True)
    project.yard.once(
        fresh("restore"),
        project.actor,
        lambda f: f.events.append(
            "yard.restored",
            "yard",
            facts=carried.facts,
            artifacts=carried.artifacts,
            made=told.at.isoformat(),
        ),
        type(None),
    )
    return carried


def _read(project: Project, file: Path, folder: Path) -> Backup:
    try:
        with tarfile.open(file, "r:") as archive:
            told = _manifest(file, archive)
            wanted = {one.path: one for one in told.files}
            for at, member in enumerate(archive, start=0):
                if member.name == MANIFEST:
                    continue
                project.tell(f"reading file {at} of {len(wanted)}")
                one = wanted.pop(member.name, None)
                content = archive.extractfile(member) if member.isreg() else None
                if one is None or content is None or member.size != one.size:
                    raise Tampered(f"{file}: {member.name[:200]} is not what its list of files says.")
                _keep(file, content, one, folder)
    except FileNotFoundError:
        raise SourceMissing(f"There is no backup {file}.") from None
    except (tarfile.TarError, EOFError) as error:
        raise Tampered(f"{file} is no whole backup: {error}.") from None
    except OSError as error:
        raise StoreDown(
            f"The backup {file} cannot be read into {folder}: {error.strerror or error}."
        ) from None
    if wanted:
        raise Tampered(f"{file} was cut: {len(wanted)} of its files are missing, {min(wanted)} among them.")
    return told


def _manifest(file: Path, archive: tarfile.TarFile) -> Backup:
    first = archive.next()
    content = archive.extractfile(first) if first is not None and first.isreg() else None
    if first is None or content is None or first.name != MANIFEST or first.size > _LARGEST:
        raise Tampered(f"{file} is no backup of a yard: it does not begin with {MANIFEST}.")
    try:
        told = msgspec.json.decode(content.read(), type=Backup)
    except msgspec.MsgspecError as error:
        raise Tampered(f"{file}: {MANIFEST} cannot be read: {error}.") from None
    if told.format != 1:
        raise Misuse(f"{file} was made by Modelyard {told.modelyard}, which is newer; restore it with that.")
    for one in told.files:
        path = PurePosixPath(one.path)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise Tampered(f"{file} lists {one.path[:200]}, which leads out of it.")
    return told


def _keep(file: Path, content: IO[bytes], one: KeptFile, folder: Path) -> None:
    target = folder / one.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as made:
        shutil.copyfileobj(content, made, 1 << 20)
    with target.open("rb") as made:
        if hashlib.file_digest(made, "sha256").hexdigest() != one.sha256:
            raise Tampered(f"{file}: {one.path} was changed since it was written.")
    target.chmod(0o600)
