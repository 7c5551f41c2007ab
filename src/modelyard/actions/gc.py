"""``gc``: what no fact needs is condemned, waits, and goes."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelyard.actions.condensed import condense, unused
from modelyard.actions.outcome import settle
from modelyard.errors import ModelyardError, StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.dataset import DatasetVersion
from modelyard.storage.scratch import size, sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
GRACE = dt.timedelta(hours=24)
IDLE = dt.timedelta(days=30)
"""After which what can be made anew is given up: environments, and the trials of unfinished studies."""
_LONG_AGO = dt.datetime.fromtimestamp(0, dt.UTC)


class Waste(msgspec.Struct, frozen=True, kw_only=True):
    """A stored thing that nothing needs: an ``artifact`` by its digest, a ``part`` of a dataset or a file of the prediction ``log`` by
    its path below the tables; by its path the ``scratch`` folder of a command that was killed, an ``environment`` that no training used
    for a while, or the trials of a ``study`` that nobody went on with."""

    kind: str
    name: str
    size: int
    """Bytes."""
    condemned: dt.datetime
    """Since when nothing needed it, as far as ``gc`` saw."""


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    removed: tuple[Waste, ...]
    """With a dry run, what would have gone."""
    waiting: tuple[Waste, ...]
    """Condemned, within their time of grace."""
    datasets: tuple[str, ...] = ()
    """Dataset versions whose rows are among what is removed or waits."""
    dry_run: bool = False
    compacted: int = 0
    """So many fewer files the prediction log has, of which small ones were put together; the old ones are among what waits."""

    @property
    def freed(self) -> int:
        """Bytes."""
        return sum(waste.size for waste in self.removed)


def gc(
    project: Project, *, grace: dt.timedelta = GRACE, unused: bool = False, dry_run: bool = False
) -> Collected:
    """Remove artifacts and parts of tables that nothing needs and that were condemned ``grace`` ago.

    Whatever any fact names is needed, and the parts of every dataset version. With ``unused`` the rows of
    versions go too that are not the latest, and on which no registered version, release, report or newest run
    stands; their schema and profile stay. What killed commands left goes at once, and a run whose process is
    gone is recorded as failed first. No other command works on the yard meanwhile.
    """
    fewer = 0
    if not dry_run:
        project.require("admin")
        settle(project)
        fewer = condense(project)
    with project.alone():
        with project.yard.read() as facts:
            named = _named(facts)
            versions = facts.datasets.list()
            used = _used(facts, project, versions)
        kept = [v for v in versions if v.ref in used] if unused else versions
        gone = [v for v in versions if v.ref not in {k.ref for k in kept}]
        before = _condemned(project)
        found = [
            *_artifacts(project, named, before),
            *_parts(project, versions, kept, before),
            *_log(project, before),
            *_left_over(project),
            *_given_up(project),
        ]
        due = now() - grace
        removed = tuple(waste for waste in found if waste.condemned <= due or grace <= dt.timedelta(0))
        waiting = tuple(waste for waste in found if waste not in removed)
        datasets = _touched(project, found, gone)
        collected = Collected(
            removed=removed, waiting=waiting, datasets=datasets, dry_run=dry_run, compacted=fewer
        )
        if not dry_run:
            _remember(project, waiting)
            _remove(project, removed, _touched(project, removed, gone))
    return collected


def _named(facts: Facts) -> set[str]:
    """Every digest that a record of the yard holds, whatever it is of."""
    records = [
        *facts.datasets.list(),
        *facts.runs.list(),
        *facts.packages.list(),
        *facts.versions.list(),
        *facts.releases.list(),
        *facts.windows.list(),
        *facts.jobs.list(),
    ]
    return {digest.decode() for record in records for digest in _DIGEST.findall(msgspec.json.encode(record))}


def _used(facts: Facts, project: Project, versions: list[DatasetVersion]) -> set[str]:
    """Dataset versions that must stay readable."""
    used = {v.ref: v for v in versions}
    latest = {v.dataset: v.ref for v in versions}  # ascending: the last one of each dataset stays
    keep = set(latest.values())
    registered = {v.run for v in facts.versions.list()} | {
        p.run for p in facts.packages.list() if p.digest in {r.package for r in facts.releases.list()}
    }
    newest: set[str] = set()
    for run in facts.runs.list():  # newest first
        if run.id in registered or run.status == "running" or run.model not in newest:
            keep.add(run.dataset)
        if run.status == "finished":
            newest.add(run.model)
    reports = {p.report for p in facts.packages.list() if p.report} | {
        v.report for v in facts.versions.list()
    }
    for digest in reports:
        content = project.artifacts.get(digest)
        keep |= {ref for ref in used if f'"{ref}"'.encode() in content}
    keep |= {v.dataset for v in facts.versions.list()}
    return keep


def _artifacts(project: Project, named: set[str], before: Mapping[str, dt.datetime]) -> Iterator[Waste]:
    """Stored content that is neither named by a fact nor by what a fact names (a package's manifest)."""
    artifacts = project.artifacts
    stored = set(artifacts.digests())
    needed = set(named)
    for digest in sorted(named & stored):
        content = artifacts.get(digest)
        if content[:1] in (b"{", b"["):
            needed |= {found.decode() for found in _DIGEST.findall(content)}
    for digest in sorted(stored - needed):
        try:
            size = len(artifacts.get(digest))
        except ModelyardError:
            size = 0  # damaged, and not needed
        yield Waste(
            kind="artifact", name=digest, size=size, condemned=before.get(f"artifact {digest}", now())
        )


def _parts(
    project: Project,
    versions: list[DatasetVersion],
    kept: list[DatasetVersion],
    before: Mapping[str, dt.datetime],
) -> Iterator[Waste]:
    """Files of the datasets' tables that no kept version is made of; the table's own newest version stays."""
    from modelyard.data import strays

    for table in sorted({v.table for v in versions}):
        if project.mirror:
            project.mirror.pull(table)
        for file in strays(project.tables / table, [v for v in kept if v.table == table]):
            name = f"{table}/{file.name}"
            since = before.get(f"part {name}", now())
            yield Waste(kind="part", name=name, size=file.stat().st_size, condemned=since)


def _log(project: Project, before: Mapping[str, dt.datetime]) -> Iterator[Waste]:
    """Who began to read such a file before it was put together with others may read it still."""
    for file in unused(project):
        name = file.relative_to(project.tables).as_posix()
        since = before.get(f"log {name}", now())
        yield Waste(kind="log", name=name, size=file.stat().st_size, condemned=since)


def _touched(project: Project, waste: Sequence[Waste], given_up: Sequence[DatasetVersion]) -> tuple[str, ...]:
    """Which of the versions that are given up lose rows by it."""
    from modelyard.data import parts

    lost = {one.name.rpartition("/")[2] for one in waste if one.kind == "part"}
    return tuple(v.ref for v in given_up if lost & set(parts(project.tables / v.table, v)))


def _left_over(project: Project) -> Iterator[Waste]:
    """It waits for nothing: its owner is gone, and only an owner can need it."""
    for folder in project.left_over():
        yield Waste(kind="scratch", name=str(folder), size=size(folder), condemned=_LONG_AGO)


def _given_up(project: Project) -> Iterator[Waste]:
    """It has waited long enough; what is used has just been touched."""
    from modelyard.training.environment import idle

    before = now() - IDLE
    running = _interpreters(project)
    for place, used in idle(project.home / "envs", before):
        if any(place in Path(python).parents for python in running):
            continue
        yield Waste(kind="environment", name=str(place), size=size(place), condemned=used)
    for file in sorted((project.home / "studies").glob("*/*.jsonl")):
        told = file.stat()
        written = dt.datetime.fromtimestamp(told.st_mtime, dt.UTC)
        if written < before:
            yield Waste(kind="study", name=str(file), size=told.st_size, condemned=written)


def _interpreters(project: Project) -> list[str]:
    """What services on this machine run native models with."""
    here = (name for name, asked in project.settings.environments.items() if asked.target == "local")
    plans = (project.target.plan(environment) for environment in here)
    owns = (model.own for plan in plans if plan is not None for model in plan.models)
    return [own.python for own in owns if own is not None and own.python is not None]


def _condemned(project: Project) -> dict[str, dt.datetime]:
    try:
        return msgspec.json.decode(_list(project).read_bytes(), type=dict[str, dt.datetime])
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}  # then their time begins anew


def _remember(project: Project, waiting: tuple[Waste, ...]) -> None:
    path = _list(project)
    draft = path.with_suffix(".draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode({f"{w.kind} {w.name}": w.condemned for w in waiting}))
        draft.replace(path)
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None


def _remove(project: Project, removed: tuple[Waste, ...], datasets: tuple[str, ...]) -> None:
    """On record first: what is removed was said to be, whenever this is killed."""
    from modelyard.training.environment import discard

    kinds = Counter(waste.kind for waste in removed)

    def record(facts: Facts) -> int:
        facts.events.append(
            "yard.collected",
            "yard",
            artifacts=kinds["artifact"],
            parts=kinds["part"],
            files=kinds["log"],
            bytes=sum(waste.size for waste in removed if waste.kind in ("artifact", "part", "log")),
            datasets=", ".join(datasets),
        )
        return len(removed)

    if kinds["artifact"] or kinds["part"] or kinds["log"]:
        project.yard.once(fresh("gc"), project.actor, record, int)
    for waste in removed:
        if waste.kind == "artifact":
            project.artifacts.delete(waste.name)
        elif waste.kind == "scratch":
            sweep(Path(waste.name))
        elif waste.kind == "environment":
            discard(Path(waste.name))
        elif waste.kind == "study":
            Path(waste.name).unlink(missing_ok=True)
        else:
            if project.mirror and waste.kind == "part":
                project.mirror.remove(waste.name)
            try:
                (project.tables / waste.name).unlink(missing_ok=True)
            except OSError as error:
                raise StoreDown(f"{waste.name} cannot be removed: {error.strerror or error}.") from None


def _list(project: Project) -> Path:
    return project.home / "condemned.json"
