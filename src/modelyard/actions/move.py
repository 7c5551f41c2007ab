"""``yard move``: everything that the yard holds to another database and store; the yard before stays as it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from modelyard.errors import Misuse, StoreDown, Tampered
from modelyard.project import Project, fresh
from modelyard.settings import YardSettings


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied."""

    facts: int
    """Rows of the database, the audit events among them."""
    artifacts: int
    tables: int
    events: int
    """The length of the audit chain that was verified there, with the record of the move."""


def move(project: Project, *, database: str = "", artifacts: str = "") -> Moved:
    """Copy, and verify every digest and the audit chain where they are now.

    What is not named stays where it is. Contents go first and facts last, so that a move that was killed can be begun again. Raises
    ``Misuse`` for a place that holds another yard's facts, or nothing to move; ``Tampered`` for content that is damaged.
    """
    from modelyard.storage.copying import copy_facts
    from modelyard.storage.database import SqlYard
    from modelyard.storage.events import verify

    before = project.settings.yard
    after = YardSettings(database=database or before.database, artifacts=artifacts or before.artifacts)
    if after == before:
        raise Misuse("The yard is there already; name another --database, --artifacts, or both.")
    project.require("admin")
    there = project.elsewhere(after)
    with project.alone():
        stored = tables = 0
        if after.artifacts != before.artifacts:
            stored = _artifacts(project, there)
            tables = _tables(project, there)
        facts = 0
        if after.database != before.database:
            project.tell("copying the facts")
            source, target = project.yard, there.yard
            assert isinstance(source, SqlYard)
            assert isinstance(target, SqlYard)
            facts = copy_facts(source, target)
    there.yard.once(
        fresh("move"),
        project.actor,
        lambda f: f.events.append("yard.moved", "yard", facts=facts, artifacts=stored, tables=tables),
        type(None),
    )
    return Moved(facts=facts, artifacts=stored, tables=tables, events=verify(there.yard))


def _artifacts(project: Project, there: Project) -> int:
    digests = sorted(project.artifacts.digests())
    with tempfile.TemporaryDirectory(prefix="modelyard-", dir=project.home) as folder:
        place = Path(folder) / "content"
        for at, digest in enumerate(digests, start=1):
            project.tell(f"copying artifact {at} of {len(digests)}")
            project.artifacts.fetch(digest, place)
            if there.artifacts.put_file(place) != digest:
                raise Tampered(f"The artifact {digest} changed while it was copied; run it again.")
    return len(digests)


def _tables(project: Project, there: Project) -> int:
    """The tables' folders, and where they go to a bucket the datasets among them pushed."""
    with project.yard.read() as facts:
        versions = facts.datasets.list()
    for version in versions if project.mirror else ():
        project.tell(f"fetching {version.ref}")
        project.holding(version)
    folders = sorted(p for p in project.tables.glob("*") if p.is_dir() and not p.name.startswith("."))
    for folder in folders:
        project.tell(f"copying the table {folder.name}")
        try:
            shutil.copytree(folder, there.tables / folder.name, copy_function=_linked, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise StoreDown(
                f"The table {folder.name} cannot be copied: {error}; make room, and run it again."
            ) from None
    for table in sorted({v.table for v in versions}) if there.mirror else ():
        assert there.mirror
        (there.tables / table / "_delta_log" / ".agreed").unlink(missing_ok=True)
        parts = {part for v in versions if v.table == table for part in v.parts}
        there.mirror.push(table, sorted(p for p in parts if (there.tables / table / p).exists()))
    return len(folders)


def _linked(source: str, target: str) -> None:
    """Both never change; on another disk it is a copy."""
    if Path(target).exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
