"""``ingest``: sources to a new dataset version."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelyard.actions.announced import announced
from modelyard.errors import DataRefused, StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.dataset import DatasetVersion, Intake, SourceFile
from modelyard.records.profile import Profile
from modelyard.settings import DataSettings

if TYPE_CHECKING:
    from modelyard.data import Base, Novelty, Prepared
    from modelyard.data.declaration import Declaration
    from modelyard.data.enforcement import Enforced


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    version: DatasetVersion
    new: bool
    """False: the sources hold what the latest version holds."""
    schema_file: str = ""
    """The schema file, relative to the project, when it was begun or written anew."""
    intake: Intake | None = None
    """What an incremental ingest read and made of it."""
    outdated: tuple[str, ...] = ()
    """Sources that changed since the version before and bring no rows of their own: the rows that it holds keep
    what they were made with."""


class _Overtaken(Exception):
    """Another ingest made a version meanwhile."""


def ingest(project: Project, dataset: str, *, operation: str | None = None, full: bool = False) -> Ingested:
    """Extract, check, profile and split the dataset's sources; store them as its next version.

    With ``incremental`` what was taken in before is not read again, and the rows of the version before stay;
    ``full`` makes the sources the whole table once more. The same content again makes no new version, and mends
    files of it that were damaged. On any error the latest version stays as it was, and rows that a declared rule refuses are kept in
    ``.modelyard/quarantine``. What was seen is written into the dataset's schema file.
    """
    project.require("developer")
    operation = operation or fresh("ingest")
    project.data(dataset)
    with announced(project, "ingest", dataset) as told:
        for _ in range(_ATTEMPTS):
            try:
                done = _ingest(project, dataset, operation, full)
            except _Overtaken:
                project.tell(f"another ingest of {dataset} was first; looking again")
                continue
            told.sources(done.version.sources)
            told.data(done.version, made=True)
            return done
        raise StoreDown(f"Other ingests of {dataset} keep making versions; run it again.")


_ATTEMPTS = 8


def settled(project: Project, dataset: str) -> DatasetVersion | None:
    """The latest version, when no row has to be read to tell that the sources hold what it holds."""
    looked = _look(project, dataset, full=False)
    if looked.latest is None or not looked.same or not schema_path(project, dataset).exists():
        return None
    if looked.declaration.table.freshness is not None:
        _still_fresh(_enforced(project, dataset, looked.declaration), looked.latest)
    return looked.latest


@dataclass(frozen=True)
class _Looked:
    """What can be told without reading a row."""

    declaration: Declaration
    latest: DatasetVersion | None
    same: bool = False
    """The latest version is what an ingest would make."""
    novelty: Novelty | None = None
    anew: bool = False
    """The latest version was made by other rules."""
    outdated: tuple[str, ...] = ()


def _look(project: Project, dataset: str, *, full: bool) -> _Looked:
    from modelyard.data import agrees, declared, differs, idle, novelty, origins, outdated, schema_file

    settings = project.data(dataset)
    declaration = schema_file.read(schema_path(project, dataset))
    with project.yard.read() as facts:
        latest = facts.datasets.latest(dataset)
    if latest is None:
        return _Looked(declaration, None)
    ruled = (
        latest.declared == declaration.digest
        and (latest.schema.target, latest.schema.labels, latest.schema.key)
        == (settings.one, settings.labels, _key(settings))
        and agrees(latest.split, declared(settings.split, project.root))
        and not any(found.kind in settings.refuse for found in latest.findings)
        and (
            project.mirror is not None
            or all((project.tables / latest.table / p).exists() for p in latest.parts)
        )
    )
    found = None
    if full:
        same = False
    elif settings.growth.mode == "full":
        whole = latest.intake is None or latest.intake.mode == "append"
        same = latest.sources == origins(settings, project.root) and whole
    else:
        if differs(settings, project.root, latest.sources):
            raise DataRefused(
                f"The rows of {latest.ref} were made by another transform, and 'incremental' would keep them; "
                f"make all anew with 'modelyard ingest {dataset} --full'."
            )
        found = novelty(
            settings, project.root, latest.sources, idle(_note(project, dataset), latest, settings)
        )
        same = not found.source
    changed = outdated(settings, project.root, latest.sources) if found else ()
    return _Looked(declaration, latest, same and ruled, found, anew=not ruled, outdated=changed)


def _ingest(project: Project, dataset: str, operation: str, full: bool) -> Ingested:
    from modelyard.data import NothingNew, remember

    settings = project.data(dataset)
    looked = _look(project, dataset, full=full)
    declaration, latest = looked.declaration, looked.latest
    if latest is None:
        return _take(_Taking(project, dataset, settings, declaration, None), operation)
    if looked.same:
        done = _unchanged(project, declaration, latest)
        return msgspec.structs.replace(done, outdated=looked.outdated)
    taking = _Taking(project, dataset, settings, declaration, latest, looked.novelty, anew=looked.anew)
    try:
        done = _take(taking, operation)
    except NothingNew as nothing:
        if looked.novelty:
            remember(_note(project, dataset), latest, settings, looked.novelty.files)
        done = _unchanged(project, declaration, latest)
        done = msgspec.structs.replace(done, intake=taking.counted(nothing.intake))
    return msgspec.structs.replace(done, outdated=looked.outdated)


def schema_path(project: Project, dataset: str) -> Path:
    """The dataset's schema file."""
    return project.root / (project.data(dataset).schema or f"data/{dataset}.schema.toml")


def write_schema(project: Project, dataset: str) -> Path:
    """Write what the sources hold now into the dataset's schema file, and give its path; no version is made.

    What the file declares refuses nothing here, so that it can be mended by what is seen.
    """
    from modelyard.data import prepare, schema_file
    from modelyard.data.declaration import declare

    path = schema_path(project, dataset)
    declaration = schema_file.read(path)
    project.tell(f"reading {dataset}")
    prepared = prepare(
        msgspec.structs.replace(project.data(dataset), refuse=()),
        project.root,
        previous=None,
        scratch=project.tables / ".scratch",
        tell=project.tell,
    )
    schema = declare(prepared.schema, declaration, path)
    schema_file.write(path, dataset, schema, prepared.rows)
    return path


def _enforced(project: Project, dataset: str, declaration: Declaration) -> Enforced:
    from modelyard.data.enforcement import Enforced

    return Enforced(
        declaration=declaration,
        path=schema_path(project, dataset),
        quarantine=project.home / "quarantine" / dataset,
        now=now,
    )


def _still_fresh(enforced: Enforced, latest: DatasetVersion) -> None:
    for unmet in enforced.stale(latest.newest):
        if unmet.severity == "error":
            raise DataRefused(
                f"{latest.ref} holds all that the sources do, and {unmet.clause}; renew the sources."
            )


def _written(project: Project, path: Path, version: DatasetVersion, *, again: bool) -> str:
    """The schema file's name when it was written."""
    from modelyard.data import schema_file

    if not again and path.exists():
        return ""
    if not schema_file.write(path, version.dataset, version.schema, version.rows):
        return ""
    return str(path.relative_to(project.root) if path.is_relative_to(project.root) else path)


@dataclass(frozen=True)
class _Taking:
    """What is taken in where."""

    project: Project
    dataset: str
    settings: DataSettings
    declaration: Declaration
    latest: DatasetVersion | None
    novelty: Novelty | None = None
    """With ``incremental``, of the version before; else the sources are the whole table."""
    anew: bool = False

    def prepare(self) -> Prepared:
        """Raises ``NothingNew`` when no row is new."""
        from modelyard.data import differs, prepare

        settings = self.settings
        if self.novelty:
            settings = settings.taking(self.novelty.source)
        return prepare(
            settings,
            self.project.root,
            previous=self.latest.schema if self.latest else None,
            enforced=_enforced(self.project, self.dataset, self.declaration),
            scratch=self.project.tables / ".scratch",
            tell=self.project.tell,
            dealt=self.latest.split if self.latest else None,
            reshaped=self.latest is not None
            and differs(self.settings, self.project.root, self.latest.sources),
            base=self._base(),
        )

    def _base(self) -> Base | None:
        from modelyard.data import Base, parts, refuse_again, threshold

        growth, key = self.settings.growth, _key(self.settings)
        if growth.mode == "full":
            return None
        version = self.latest if self.novelty else None
        profile = None
        held: tuple[Path, ...] = ()
        if version:
            table = self.project.holding(version) / version.table
            held = tuple(table / name for name in parts(table, version))
            profile = partial(_profile, self.project, version)
        if version and self.novelty and growth.mode != "watermark" and not key:
            refuse_again(self.novelty, version)
        since = threshold(growth, version, held, keyed=bool(key))
        return Base(
            settings=growth, version=version, parts=held, since=since, profile=profile, anew=self.anew
        )

    def sources(self, prepared: Prepared) -> tuple[SourceFile, ...]:
        from modelyard.data import idle, together

        if self.novelty and self.latest:
            # Read again after this version, they would undo what is newer in it.
            counts = _key(self.settings) or self.settings.growth.mode == "watermark"
            noted = idle(_note(self.project, self.dataset), self.latest, self.settings) if counts else ()
            return together(together(self.latest.sources, noted), prepared.sources)
        return prepared.sources

    def counted(self, intake: Intake | None, *, files: int = 0) -> Intake | None:
        """With the files that were read and those that were not."""
        if intake is None:
            return None
        known = self.novelty.known if self.novelty else 0
        return msgspec.structs.replace(intake, files=self.novelty.new if self.novelty else files, known=known)


def _take(taking: _Taking, operation: str) -> Ingested:
    from modelyard.data import store, whole
    from modelyard.data.declaration import binding
    from modelyard.data.definition import MARK
    from modelyard.storage.mirror import Overtaken

    project, dataset, latest = taking.project, taking.dataset, taking.latest
    project.tell(f"reading {dataset}")
    prepared = taking.prepare()
    files = sum(not one.mark.startswith(f"{MARK} ") for one in prepared.sources)
    intake = taking.counted(prepared.intake, files=files)
    declared = taking.declaration.digest
    same = latest is not None and (
        latest.digest,
        binding(latest.schema),
        latest.split,
        latest.declared,
    ) == (
        prepared.digest,
        binding(prepared.schema),
        prepared.split,
        declared,
    )
    if latest and same and whole(latest, project.holding(latest)):
        return Ingested(version=latest, new=False, intake=intake)
    profile = project.artifacts.put(msgspec.json.encode(prepared.profile))
    project.tell(f"storing {dataset}")
    try:
        if project.mirror:
            project.mirror.pull(dataset)
        stored = store(prepared, project.tables, dataset)
        if project.mirror:
            project.mirror.push(dataset, stored.parts)
    except Overtaken:
        raise _Overtaken from None
    except OSError as error:
        raise StoreDown(
            f"The table of {dataset} could not be written: {error}; make room and run it again."
        ) from None
    if latest and same and stored.parts == latest.parts:
        return Ingested(version=latest, new=False, intake=intake)  # its damaged files were put in order

    def add(facts: Facts) -> DatasetVersion:
        newest = facts.datasets.latest(dataset)
        if (newest and newest.number) != (latest and latest.number):
            raise _Overtaken
        number = facts.datasets.next_number(dataset)
        version = DatasetVersion(
            dataset=dataset,
            number=number,
            digest=prepared.digest,
            table=stored.table,
            table_version=stored.version,
            parts=stored.parts,
            rows=prepared.rows,
            test_rows=prepared.test_rows,
            schema=prepared.schema,
            profile=profile,
            split=prepared.split,
            sources=taking.sources(prepared),
            marks=prepared.marks,
            declared=declared,
            newest=prepared.newest,
            findings=prepared.findings,
            watermark=prepared.watermark,
            intake=intake,
            sums=prepared.sums,
            whole=prepared.whole,
            created=now(),
        )
        facts.datasets.add(version)
        facts.events.append("dataset.ingested", version.ref, digest=version.digest, rows=version.rows)
        return version

    version = project.yard.once(operation, project.actor, add, DatasetVersion)
    written = _written(project, schema_path(project, dataset), version, again=True)
    return Ingested(version=version, new=True, schema_file=written, intake=intake)


def _unchanged(project: Project, declaration: Declaration, latest: DatasetVersion) -> Ingested:
    if declaration.table.freshness is not None:
        _still_fresh(_enforced(project, latest.dataset, declaration), latest)
    written = _written(project, schema_path(project, latest.dataset), latest, again=False)
    return Ingested(version=latest, new=False, schema_file=written)


def _note(project: Project, dataset: str) -> Path:
    return project.home / "idle" / f"{dataset}.json"


def _profile(project: Project, version: DatasetVersion) -> Profile:
    return msgspec.json.decode(project.artifacts.get(version.profile), type=Profile)


def _key(settings: DataSettings) -> tuple[str, ...]:
    return (settings.key,) if isinstance(settings.key, str) else settings.key
