"""From a reference to a dataset version, its rows and its profile; what the verbs that look at data share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from modelyard.actions.look import given_up
from modelyard.errors import Misuse, Tampered, UnknownName
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.records.profile import Profile

if TYPE_CHECKING:
    import polars as pl

_REF = re.compile(r"(?P<name>[^@\s]+)(?:@(?P<number>latest|[0-9]{1,18}))?")


def dataset_version(project: Project, ref: str) -> DatasetVersion:
    """The version that ``NAME@3``, ``NAME@latest`` or ``NAME`` (latest) names.

    Raises ``UnknownName`` saying what is there instead, ``Misuse`` for what is no such reference or names a model.
    """
    match = _REF.fullmatch(ref)
    if match is None:
        raise Misuse(f"{ref!r} is no dataset version; write NAME@3, NAME@latest or NAME.")
    name, number = match["name"], match["number"]
    with project.yard.read() as facts:
        latest = facts.datasets.latest(name)
        if latest is None:
            known = sorted({version.dataset for version in facts.datasets.list()})
            if facts.runs.latest(name) or facts.versions.latest(name) or name in project.settings.models:
                raise Misuse(
                    f"'{name}' is a model, and this looks at datasets: {', '.join(known) or 'none'}."
                )
            if name in project.settings.data:
                raise UnknownName(f"'{name}' has no version yet; run 'modelyard ingest {name}' first.")
            raise UnknownName(
                f"There is no dataset '{name}' in the yard; known: {', '.join(known) or 'none'}."
            )
        found = latest if number in (None, "latest") else facts.datasets.get(name, int(number))
    if found is None:
        raise UnknownName(f"There is no {ref}; the latest version is {latest.ref}.")
    return found


def rows(project: Project, version: DatasetVersion, *, split: bool = True) -> pl.LazyFrame:
    """All rows in the order they came in, by default with their side of the split as a column.

    Raises ``Tampered`` for damaged files, ``UnknownName`` for rows that ``gc`` removed.
    """
    from modelyard.data import scan

    try:
        return scan(version, project.holding(version), part="all", split=split)
    except Tampered:
        with project.yard.read() as facts:
            if version.ref not in given_up(facts):
                raise
        raise UnknownName(
            f"The rows of {version.ref} were removed by 'modelyard gc --unused', since nothing stood on them; "
            "ingest the same sources again, and they are there again."
        ) from None


def profile(project: Project, version: DatasetVersion) -> Profile:
    """What was counted of all columns at ingest."""
    return msgspec.json.decode(project.artifacts.get(version.profile), type=Profile)
