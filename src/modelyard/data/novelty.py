"""Which of its sources an incremental ingest reads: what no version before took in (no Polars)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from modelyard.data.fingerprint import fingerprint
from modelyard.data.sources import listing
from modelyard.errors import DataRefused
from modelyard.records.dataset import DatasetVersion, Intake, SourceFile
from modelyard.settings import DataSettings, SourceSettings


class NothingNew(Exception):
    """Every row that was read is in the version before, or below its watermark."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(intake)
        self.intake = intake


@dataclass(frozen=True, kw_only=True)
class Novelty:
    """What is to be read, and what an earlier version holds."""

    source: tuple[SourceSettings, ...]
    new: int
    """Files and addresses of ``source``."""
    known: int
    """Those that are not read again."""
    files: tuple[SourceFile, ...]
    """What is to be read, where that can be told."""
    again: tuple[str, ...]
    """What was taken in and changed, or cannot tell whether it did."""


def novelty(
    settings: DataSettings, root: Path, taken: tuple[SourceFile, ...], idle: tuple[SourceFile, ...] = ()
) -> Novelty:
    """Files and objects are told one by one, all others as a whole.

    ``idle`` are files that held nothing new when they were read. A file that was renamed is known by its bytes.
    So is a copy beside the one taken in where no key tells its rows from new ones; with a key it is read, since
    what it holds may have been corrected since and be meant again. Raises as ``fingerprint``.
    """
    sources = [
        (one, fingerprint(one, root)) for one in listing.listed(settings.inputs[settings.growing or ""])
    ]
    there = {f.path for _, found in sources for f in found or ()} if settings.key else set()
    contents = {(f.size, f.sha256, f.mark) for f in (*taken, *idle) if f.sha256 and f.path not in there}
    names = {f.path for f in taken}
    held = {*taken, *idle}
    wanted: list[SourceSettings] = []
    count = known = 0
    again: list[str] = []
    files: list[SourceFile] = []
    for one, found in sources:
        if found is None:
            wanted.append(one)
            count += 1
            again.append(listing.name_of(one))
            continue
        new = [f for f in found if f not in held and (f.size, f.sha256, f.mark) not in contents]
        if new:
            narrowed = _narrowed(one, found, new, root)
            wanted += narrowed
            new = list(found) if narrowed == [one] else new
        files += new
        count += len(new)
        known += len(found) - len(new)
        again += [f.path for f in new if f.path in names]
    return Novelty(source=tuple(wanted), new=count, known=known, files=tuple(files), again=tuple(again))


def outdated(settings: DataSettings, root: Path, taken: tuple[SourceFile, ...]) -> tuple[str, ...]:
    """The sources that bring no rows of their own and are not what ``taken`` says, as far as they can tell."""
    others = (
        (name, fingerprint(one, root)) for name, one in settings.inputs.items() if name != settings.growing
    )
    return tuple(name for name, found in others if found is not None and not {*found} <= {*taken})


def refuse_again(found: Novelty, version: DatasetVersion) -> None:
    """Raises ``DataRefused`` for what would be taken in twice, since nothing tells its rows."""
    if found.again:
        raise DataRefused(
            f"{found.again[0]} was taken into {version.ref} and may hold other rows by now, which nothing tells from "
            "those: set 'key', put new rows into new files, or read all anew with "
            f"'modelyard ingest {version.dataset} --full'."
        )


def together(before: tuple[SourceFile, ...], now: tuple[SourceFile, ...]) -> tuple[SourceFile, ...]:
    """What a version is made of after more was taken in; what was read again is as it is now."""
    renewed = {f.path for f in now}
    return tuple(dict.fromkeys([*(f for f in before if f.path not in renewed), *now]))


def _narrowed(
    source: SourceSettings, found: tuple[SourceFile, ...], new: list[SourceFile], root: Path
) -> list[SourceSettings]:
    kind = listing.kind(source, root)
    if len(new) == len(found) or kind not in ("files", "objects"):
        return [source]
    if kind == "files":
        return [msgspec.structs.replace(source, path=f.path) for f in new]
    if any(mark in f.path for f in new for mark in "*?"):
        return [source]  # an object's key that would be read as a glob
    return [msgspec.structs.replace(source, url=f.path) for f in new]
