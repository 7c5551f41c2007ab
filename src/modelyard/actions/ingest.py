"""``ingest``: sources to a new dataset version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from modelyard.errors import DataRefused, StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, fresh, now
from modelyard.records.dataset import DatasetVersion, SourceFile
from modelyard.settings import DataSettings

if TYPE_CHECKING:
    from modelyard.data.enforcement import Enforced
    from modelyard.data.schema_file import Declaration


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    version: DatasetVersion
    new: bool
    """False: the sources hold what the latest version holds."""
    schema_file: str = ""
    """The schema file, relative to the project, when it was begun or written anew."""


def ingest(project: Project, dataset: str, *, operation: str | None = None) -> Ingested:
    """Extract, check, profile and split the dataset's sources; store them as its next version.

    The same content again makes no new version, and mends files of it that were damaged. On any error the latest version stays as it was, and
    rows that a declared rule refuses are kept in ``.modelyard/quarantine``. What was seen is written into
    the dataset's schema file.
    """
    from modelyard.data import agrees, declared, origins, schema_file

    settings = project.data(dataset)
    path = schema_path(project, dataset)
    declaration = schema_file.read(path)
    files = origins(settings, project.root)
    with project.yard.read() as facts:
        latest = facts.datasets.latest(dataset)
    if (
        latest
        and latest.declared == declaration.digest
        and _is_made_of(latest, files, settings)
        and all((project.tables / latest.table / part).exists() for part in latest.parts)
        and agrees(latest.split, declared(settings.split, project.root))
        and not any(found.kind in settings.refuse for found in latest.findings)
    ):
        if declaration.table.freshness is not None:
            _still_fresh(_enforced(project, dataset, declaration), latest)
        return Ingested(version=latest, new=False, schema_file=_written(project, path, latest, again=False))
    enforced = _enforced(project, dataset, declaration)
    return _ingest(project, dataset, settings, latest, enforced, operation or fresh("ingest"))


def schema_path(project: Project, dataset: str) -> Path:
    """The dataset's schema file."""
    return project.root / (project.data(dataset).schema or f"data/{dataset}.schema.toml")


def write_schema(project: Project, dataset: str) -> Path:
    """Write what the sources hold now into the dataset's schema file, and give its path; no version is made.

    What the file declares refuses nothing here, so that it can be mended by what is seen.
    """
    from modelyard.data import prepare, schema_file

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
    schema = schema_file.declare(prepared.schema, declaration, path)
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


def _ingest(
    project: Project,
    dataset: str,
    settings: DataSettings,
    latest: DatasetVersion | None,
    enforced: Enforced,
    operation: str,
) -> Ingested:
    from modelyard.data import prepare, store, whole
    from modelyard.data.definition import differs

    project.tell(f"reading {dataset}")
    prepared = prepare(
        settings,
        project.root,
        previous=latest.schema if latest else None,
        enforced=enforced,
        scratch=project.tables / ".scratch",
        tell=project.tell,
        dealt=latest.split if latest else None,
        reshaped=latest is not None and differs(settings, project.root, latest.sources),
    )
    declared = enforced.declaration.digest
    same = latest is not None and (latest.digest, latest.schema, latest.split, latest.declared) == (
        prepared.digest,
        prepared.schema,
        prepared.split,
        declared,
    )
    if latest and same and whole(latest, project.tables):
        return Ingested(version=latest, new=False)
    profile = project.artifacts.put(msgspec.json.encode(prepared.profile))
    project.tell(f"storing {dataset}")
    try:
        stored = store(prepared, project.tables, dataset)
    except OSError as error:
        raise StoreDown(
            f"The table of {dataset} could not be written: {error}; make room and run it again."
        ) from None
    if latest and same and stored.parts == latest.parts:
        return Ingested(version=latest, new=False)  # its damaged files were put in order

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
            declared=declared,
            newest=prepared.newest,
            findings=prepared.findings,
            created=now(),
        )
        facts.datasets.add(version)
        facts.events.append("dataset.ingested", version.ref, digest=version.digest, rows=version.rows)
        return version

    version = project.yard.once(operation, project.actor, add, DatasetVersion)
    written = _written(project, enforced.path, version, again=True)
    return Ingested(version=version, new=True, schema_file=written)


def _is_made_of(
    version: DatasetVersion, files: tuple[SourceFile, ...] | None, settings: DataSettings
) -> bool:
    key = (settings.key,) if isinstance(settings.key, str) else settings.key
    return version.sources == files and (version.schema.target, version.schema.key) == (settings.target, key)
