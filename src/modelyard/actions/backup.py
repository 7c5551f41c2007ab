"""``yard backup``: everything that the yard holds as one file, verified; without the keys that sign."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import msgspec

from modelyard import __version__
from modelyard.actions.carried import Carried, carry
from modelyard.errors import Misuse, StoreDown
from modelyard.project import Project, fresh, now
from modelyard.records.backup import MANIFEST, Backup, KeptFile
from modelyard.settings import YardSettings
from modelyard.storage.durable import sync
from modelyard.storage.scratch import scratch

DATABASE, ARTIFACTS = "yard.db", "artifacts"


def backup(project: Project, file: Path) -> Carried:
    """Write ``file``, which appears whole or not at all. While it is made nobody else changes artifacts or tables.

    It takes as much room again while it is made, in the project's folder. Raises ``Misuse`` for a file that is there,
    ``StoreDown`` when it cannot be written, ``Tampered`` when content is damaged.
    """
    from modelyard import monitoring
    from modelyard.storage.copying import settle

    project.require("admin")
    if file.exists():
        raise Misuse(f"{file} is there already; name another file.")
    for environment in project.settings.environments:
        project.tell(f"collecting the predictions of {environment}")
        monitoring.collect(project.log_folder(environment), project.tables, environment=environment)
    with scratch("backup-", project.scratch) as room:
        folder = room / "yard"  # the room has a file of its own
        folder.mkdir()
        there = project.elsewhere(place(folder))
        with project.alone():
            carried = carry(project, there, artifacts=True, facts=True)
        settle(folder / DATABASE)
        _write(project, folder, file)
    project.yard.once(
        fresh("backup"),
        project.actor,
        lambda f: f.events.append(
            "yard.backed_up", "yard", facts=carried.facts, artifacts=carried.artifacts, tables=carried.tables
        ),
        type(None),
    )
    return carried


def place(folder: Path) -> YardSettings:
    """A yard that is one folder."""
    return YardSettings(database=f"sqlite:///{folder / DATABASE}", artifacts=str(folder / ARTIFACTS))


def _write(project: Project, folder: Path, file: Path) -> None:
    paths = sorted(
        p for p in folder.rglob("*") if p.is_file() and not p.name.endswith((".lock", "-wal", "-shm"))
    )
    kept = []
    for at, path in enumerate(paths, start=1):
        project.tell(f"reading file {at} of {len(paths)}")
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        kept.append(
            KeptFile(path=path.relative_to(folder).as_posix(), size=path.stat().st_size, sha256=digest)
        )
    told = Backup(modelyard=__version__, at=now(), project=project.settings.project.name, files=tuple(kept))
    (folder / MANIFEST).write_bytes(msgspec.json.encode(told))
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(0o600)
        with tarfile.open(draft, "w", dereference=True) as archive:  # links as files
            for at, name in enumerate([MANIFEST, *(one.path for one in kept)]):
                project.tell(f"writing file {at} of {len(kept)}")
                archive.add(folder / name, name)
        sync(draft)
        os.link(draft, file)  # never over a file that came meanwhile
        sync(file.parent)
    except FileExistsError:
        raise Misuse(f"{file} is there already; name another file.") from None
    except OSError as error:
        raise StoreDown(f"The backup {file} cannot be written: {error.strerror or error}.") from None
    finally:
        draft.unlink(missing_ok=True)
