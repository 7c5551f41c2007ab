"""``yard move``: everything that the yard holds to another database and store; the yard before stays as it is."""

from __future__ import annotations

import msgspec

from modelyard.actions.carried import Carried, carry
from modelyard.errors import Misuse
from modelyard.project import Project, fresh
from modelyard.settings import YardSettings


def move(project: Project, *, database: str = "", artifacts: str = "") -> Carried:
    """Copy, and verify every digest and the audit chain where they are now.

    What is not named stays where it is. Contents go first and facts last, so that a move that was killed can be begun again. Raises
    ``Misuse`` for a place that holds another yard's facts, or nothing to move; ``Tampered`` for content that is damaged.
    """
    from modelyard.storage.events import verify

    before = project.settings.yard
    after = YardSettings(database=database or before.database, artifacts=artifacts or before.artifacts)
    if after == before:
        raise Misuse("The yard is there already; name another --database, --artifacts, or both.")
    project.require("admin")
    there = project.elsewhere(after)
    with project.alone():
        moved = carry(
            project,
            there,
            artifacts=after.artifacts != before.artifacts,
            facts=after.database != before.database,
        )
    there.yard.once(
        fresh("move"),
        project.actor,
        lambda f: f.events.append(
            "yard.moved", "yard", facts=moved.facts, artifacts=moved.artifacts, tables=moved.tables
        ),
        type(None),
    )
    return msgspec.structs.replace(moved, events=verify(there.yard))
