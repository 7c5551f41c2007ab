"""An environment admits a version."""

from __future__ import annotations

import datetime as dt

from modelyard.ports import Facts
from modelyard.records.registry import Admission, Version


def admit(
    facts: Facts,
    version: Version,
    environment: str,
    *,
    by: str,
    now: dt.datetime,
    where: str = "",
    reason: str = "",
) -> Admission:
    """The admission, the one before when there is one already."""
    if before := facts.admissions.get(version.model, version.number, environment):
        return before
    admission = Admission(
        model=version.model,
        version=version.number,
        environment=environment,
        admitted=now,
        by=by,
        where=where,
        reason=reason,
    )
    facts.admissions.add(admission)
    told = {name: text for name, text in (("where", where), ("reason", reason)) if text}
    facts.events.append("version.admitted", version.ref, environment=environment, **told)
    return admission
