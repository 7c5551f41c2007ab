"""``score``: a whole table in batch, part by part, taken up where it was left."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelyard.actions.locate import located, materialised
from modelyard.actions.stored import dataset_version
from modelyard.errors import DataRefused, Misuse
from modelyard.project import Project

if TYPE_CHECKING:
    from modelyard.actions.scoring import Done, Pool, Work
    from modelyard.data import Outlet, Staged
    from modelyard.records.schema import Schema


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    package: str
    rows: int
    """Of the source; each is either answered or refused."""
    answered: int
    refused: int
    resumed: int
    """Rows of ``rows`` that an earlier, killed run had done."""
    seconds: float
    output: str
    quarantine: str | None = None
    """The file of the refused rows, when there are any."""
    marks: dict[str, int] = {}
    """Accepted values outside what training data showed, by ``column: rule``."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Of what the parts in a job's folder were made; the folder's name is of all else."""

    id: str
    """What the output is marked with, so that it takes a job's rows once."""
    files: tuple[tuple[str, int, int], ...]
    """Path, size and time of change."""
    keep: tuple[str, ...]


def score(
    project: Project,
    ref: str,
    source: str,
    output: str,
    *,
    query: str | None = None,
    table: str = "",
    append: bool = False,
    keep: tuple[str, ...] = (),
    replace: bool = False,
    processes: int | None = None,
) -> Scored:
    """Answer for every row of ``source`` (a file, a glob, an address, a dataset) with the package of ``ref``.

    The check is the one of a service; a row that it refuses goes to a file beside the output with its reasons, all
    others to ``output`` with the columns in ``keep`` (by default the dataset's key, else the row's number). A run
    that was killed is taken up by the same command: no row is lost or doubled.
    """
    from modelyard.data import occupied, outlet
    from modelyard.tables.rules import of_features

    begun = time.monotonic()
    package = located(project, ref)
    to = outlet(output, table=table, append=append)
    folder = materialised(project, package.digest)
    schema = _schema(folder, package.digest)
    key = hashlib.sha256(
        msgspec.json.encode([package.digest, source, query, to, keep, str(project.root)])
    ).hexdigest()[:16]
    place = project.home / "score" / key
    if occupied(to, project.root) and not (replace or append or place.is_dir()):
        raise Misuse(f"{output} is there already; name another, or give --replace.")
    with _owned(place):
        staged = _staged(project, source, query, place)
        wanted = keep or tuple(n for n in schema.key if _in_all(staged, n))
        features = of_features(schema)
        job = _same(place, Job(id=secrets.token_hex(8), files=_files(staged), keep=wanted))
        from modelyard.actions import scoring

        work = scoring.Work(
            folder=folder,
            digest=package.digest,
            trust=project.trust(),
            schema=schema,
            features=tuple(c.name for c in features.columns),
            keep=wanted,
            parts=place / "parts",
        )
        done = scoring.run(work, staged, _pool(project, work, processes), tell=project.tell)
        if _files(staged) != job.files:
            shutil.rmtree(place, ignore_errors=True)
            raise DataRefused(f"{source} changed while it was scored; run it again when it is complete.")
        scored = _finish(project, work, done, to, job=job.id)
        shutil.rmtree(place, ignore_errors=True)
    return msgspec.structs.replace(scored, seconds=round(time.monotonic() - begun, 3))


def _pool(project: Project, work: Work, processes: int | None) -> Pool:
    from modelyard.actions.scoring import Here

    engine = project.settings.engine
    if engine.kind == "local":
        return Here(work, processes)
    from modelyard.actions.desks import Desks
    from modelyard.training.remote import Cluster

    project.tell("connecting to the Ray cluster")
    return Desks(Cluster(engine.address, processors=engine.processors), work, processes)


def _finish(project: Project, work: Work, done: list[Done], to: Outlet, *, job: str) -> Scored:
    """The refused rows first: once the output is there, nothing is missing."""
    from modelyard.actions import scoring
    from modelyard.data import write

    if not sum(part.rows for part in done):
        raise DataRefused("The source has columns but no rows; give rows.")
    refused = sum(part.refused for part in done)
    quarantine = None
    if refused:
        where = f"{to.table}" if to.form in ("database", "object") else to.where
        quarantine = project.root / f"{Path(where).name if to.form == 'object' else where}.refused.parquet"
        scoring.quarantine(work, done, quarantine)
    project.tell(f"writing {to.shown}")
    rows, kept = 0, []
    for part in done:
        kept.append((work.parts / f"{part.number:08}.parquet", rows))
        rows += part.rows
    write(to, kept, job=job, root=project.root)
    marks: dict[str, int] = {}
    for part in done:
        for mark, count in part.marks.items():
            marks[mark] = marks.get(mark, 0) + count
    return Scored(
        package=work.digest,
        rows=sum(part.rows for part in done),
        answered=sum(part.rows - part.refused for part in done),
        refused=refused,
        resumed=sum(part.rows for part in done if part.resumed),
        seconds=0,
        output=to.shown,
        quarantine=str(quarantine) if quarantine else None,
        marks=marks,
    )


def _schema(folder: Path, digest: str) -> Schema:
    from modelyard.predictor import Manifest, verify

    manifest: Manifest = verify(folder, digest)
    return manifest.schema


def _staged(project: Project, source: str, query: str | None, place: Path) -> tuple[Staged, ...]:
    """The source as local files; what is fetched stays in the job's folder, so that it is fetched once."""
    from modelyard.data import stage, staged_version
    from modelyard.settings import SourceSettings

    name = source.partition("@")[0]
    if query is None and name in project.settings.data and not (project.root / source).exists():
        version = dataset_version(project, source)
        return staged_version(version, project.holding(version))
    told = place / "staged.json"
    fetched = place / "staged"
    if told.is_file():
        kept = msgspec.json.decode(told.read_bytes(), type=list[tuple[str, str, str, tuple[str, ...]]])
        return _again(kept)
    shutil.rmtree(fetched, ignore_errors=True)
    project.tell(f"reading {name}")
    long = SourceSettings(url=source, query=query) if query is not None else source
    staged = stage(long, project.root, fetched)
    if any(fetched in s.path.parents for s in staged):
        facts_ = [(str(s.path), s.form, s.origin, s.leave) for s in staged]
        _whole(told, msgspec.json.encode(facts_))
    return staged


def _again(kept: list[tuple[str, str, str, tuple[str, ...]]]) -> tuple[Staged, ...]:
    from modelyard.data import Staged

    return tuple(
        Staged(path=Path(path), form=form, origin=origin, leave=leave)  # type: ignore[arg-type]
        for path, form, origin, leave in kept
    )


def _in_all(staged: tuple[Staged, ...], name: str) -> bool:
    from modelyard.data import columns_of

    return all(name in columns_of(file) for file in staged)


def _files(staged: tuple[Staged, ...]) -> tuple[tuple[str, int, int], ...]:
    found = [(str(s.path), s.path.stat()) for s in staged]
    return tuple((path, told.st_size, told.st_mtime_ns) for path, told in found)


def _same(place: Path, job: Job) -> Job:
    """Go on with what is there when it is of the very same files, else begin anew."""
    told = place / "job.json"
    if told.is_file():
        before = msgspec.json.decode(told.read_bytes(), type=Job)
        if (before.files, before.keep) == (job.files, job.keep):
            return before
    shutil.rmtree(place / "parts", ignore_errors=True)
    (place / "parts").mkdir(mode=0o700)
    _whole(told, msgspec.json.encode(job))
    return job


def _whole(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(content)
    draft.replace(path)


@contextmanager
def _owned(place: Path) -> Iterator[None]:
    """The job's folder, for this process alone; it stays only with parts that are done."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misuse("The same table is being scored to the same place by another process.") from None
        place.mkdir(exist_ok=True, mode=0o700)  # its owner before may just have been done with it
        yield
    except BaseException:
        if place.is_dir() and not any(place.glob("parts/*.json")) and not (place / "staged.json").exists():
            shutil.rmtree(place, ignore_errors=True)
        raise
    finally:
        os.close(lock)
