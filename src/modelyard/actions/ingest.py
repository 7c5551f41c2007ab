"""``ingest``: sources to a new dataset version."""

from __future__ import annotations

import msgspec

from modelyard.errors import StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.dataset import DatasetVersion, SourceFile
from modelyard.settings import DataSettings


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    version: DatasetVersion
    new: bool
    """False: the sources hold what the latest version holds."""


def ingest(project: Project, dataset: str, *, operation: str | None = None) -> Ingested:
    """Extract, check, profile and split the dataset's sources; store them as its next version.

    The same content again makes no new version. On any error the latest version stays as it was.
    """
    from modelyard.data import fingerprint

    settings = project.data(dataset)
    files = fingerprint(settings.source, project.root)
    with project.yard.read() as facts:
        latest = facts.datasets.latest(dataset)
    if latest and _is_made_of(latest, files, settings):
        return Ingested(version=latest, new=False)
    return _ingest(project, dataset, settings, latest, operation or fresh("ingest"))


def _ingest(
    project: Project, dataset: str, settings: DataSettings, latest: DatasetVersion | None, operation: str
) -> Ingested:
    from modelyard.data import prepare, store

    project.tell(f"reading {dataset}")
    prepared = prepare(
        settings,
        project.root,
        previous=latest.schema if latest else None,
        scratch=project.tables / ".scratch",
        tell=project.tell,
    )
    if latest and (latest.digest, latest.schema, latest.split) == (
        prepared.digest,
        prepared.schema,
        prepared.split,
    ):
        return Ingested(version=latest, new=False)
    profile = project.artifacts.put(msgspec.json.encode(prepared.profile))
    project.tell(f"storing {dataset}")
    try:
        stored = store(prepared, project.tables, dataset)
    except OSError as error:
        raise StoreDown(
            f"The table of {dataset} could not be written: {error}; make room and run it again."
        ) from None

    def add(facts: Facts) -> DatasetVersion:
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
            sources=prepared.sources,
            marks=prepared.marks,
            created=now(),
        )
        facts.datasets.add(version)
        facts.events.append("dataset.ingested", version.ref, digest=version.digest, rows=version.rows)
        return version

    version = project.yard.once(operation, project.actor, add, DatasetVersion)
    return Ingested(version=version, new=True)


def _is_made_of(
    version: DatasetVersion, files: tuple[SourceFile, ...] | None, settings: DataSettings
) -> bool:
    key = (settings.key,) if isinstance(settings.key, str) else settings.key
    split = settings.split
    return (
        version.sources == files
        and (version.schema.target, version.schema.key) == (settings.target, key)
        and (version.split.test, version.split.seed, version.split.stratify)
        == (split.test, split.seed, split.stratify)
    )
