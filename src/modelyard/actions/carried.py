"""Everything that a yard holds, copied to another and verified there. A noun that ``move``, ``backup`` and ``restore`` share."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from modelyard.errors import StoreDown, Tampered
from modelyard.project import Project


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied."""

    facts: int
    """Rows of the database, the audit events among them."""
    artifacts: int
    tables: int
    events: int
    """The length of the audit chain that was verified there."""


def carry(source: Project, target: Project, *, artifacts: bool, facts: bool) -> Carried:
    """Contents go first and facts last, so that what was killed can be begun again.

    Raises ``Misuse`` when the target holds facts already, which then keeps everything as it is; ``Tampered`` for
    content or a chain that is damaged.
    """
    from modelyard.storage.copying import copy_facts, refuse_facts
    from modelyard.storage.database import SqlYard
    from modelyard.storage.events import verify

    stored = tables = copied = 0
    there = target.yard
    assert isinstance(there, SqlYard)
    if facts:
        refuse_facts(there)
    if artifacts:
        stored = _artifacts(source, target)
        tables = _tables(source, target)
    if facts:
        source.tell("copying the facts")
        assert isinstance(source.yard, SqlYard)
        copied = copy_facts(source.yard, there)
    return Carried(facts=copied, artifacts=stored, tables=tables, events=verify(there))


def _artifacts(source: Project, target: Project) -> int:
    digests = sorted(source.artifacts.digests())
    with tempfile.TemporaryDirectory(prefix="modelyard-", dir=_made(source.home)) as folder:
        place = Path(folder) / "content"
        for at, digest in enumerate(digests, start=1):
            source.tell(f"copying artifact {at} of {len(digests)}")
            source.artifacts.fetch(digest, place)
            if target.artifacts.put_file(place) != digest:
                raise Tampered(f"The artifact {digest} changed while it was copied; run it again.")
    return len(digests)


def _tables(source: Project, target: Project) -> int:
    """The tables' folders, and where they go to a bucket the datasets among them pushed."""
    with source.yard.read() as facts:
        versions = facts.datasets.list()
    for version in versions if source.mirror else ():
        source.tell(f"fetching {version.ref}")
        source.holding(version)
    folders = sorted(p for p in source.tables.glob("*") if p.is_dir() and not p.name.startswith("."))
    for folder in folders:
        source.tell(f"copying the table {folder.name}")
        try:
            shutil.copytree(folder, target.tables / folder.name, copy_function=_linked, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise StoreDown(
                f"The table {folder.name} cannot be copied: {error}; make room, and run it again."
            ) from None
    for table in sorted({v.table for v in versions}) if target.mirror else ():
        assert target.mirror
        (target.tables / table / "_delta_log" / ".agreed").unlink(missing_ok=True)
        parts = {part for v in versions if v.table == table for part in v.parts}
        target.mirror.push(table, sorted(p for p in parts if (target.tables / table / p).exists()))
    return len(folders)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _linked(source: str, target: str) -> None:
    """Both never change; on another disk it is a copy."""
    if Path(target).exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
