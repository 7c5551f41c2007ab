"""``audit``: who did what, when; and that nobody changed it."""

from __future__ import annotations

from modelyard.project import Project
from modelyard.records.event import Event


def audit(project: Project, *, limit: int | None = None) -> list[Event]:
    """The chain's events, oldest first; with ``limit`` the newest so many."""
    with project.yard.read() as facts:
        events = facts.events.list()
    return events if limit is None else events[-limit:]


def verify(project: Project) -> int:
    """How many events the chain holds; ``AuditBroken`` names the first that was tampered with."""
    from modelyard.storage.events import verify as verify_chain

    return verify_chain(project.yard)
