"""A person's yes or no."""

from __future__ import annotations

import datetime as dt

from modelyard.errors import Misuse
from modelyard.ports import Facts
from modelyard.records.registry import Review
from modelyard.registry.resolve import registered

LONGEST = 2000
"""Characters of a reason."""


def review(
    facts: Facts,
    *,
    model: str,
    version: int,
    subject: str,
    yes: bool,
    reason: str,
    by: str,
    now: dt.datetime,
) -> Review:
    """Record the answer; the last one on a subject counts.

    The same answer of the same person again, with the same reason, is the one before. Raises
    ``UnknownName`` for a version that is not there and ``Misuse`` without a reason or a name.
    """
    found = registered(facts, model, version)
    reason, by, subject = reason.strip(), by.strip(), subject.strip()
    if not reason or not by or not subject:
        raise Misuse("A review needs its subject, a reason and the name of who gives it.")
    if len(reason) > LONGEST:
        raise Misuse(f"The reason has {len(reason)} characters, {LONGEST} at most; link to the long form.")
    given = [r for r in facts.reviews.list(model, version) if r.subject == subject]
    if given and (given[-1].yes, given[-1].reason, given[-1].by) == (yes, reason, by):
        return given[-1]
    answer = Review(model=model, version=version, subject=subject, yes=yes, reason=reason, by=by, given=now)
    facts.reviews.add(answer)
    facts.events.append(
        "review.given", found.ref, subject=subject, answer="yes" if yes else "no", reason=reason, by=by
    )
    return answer
