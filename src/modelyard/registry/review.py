"""A person's yes or no."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from msgspec.structs import replace

from modelyard.errors import AccessDenied, Misuse
from modelyard.ports import Facts
from modelyard.records.registry import Review
from modelyard.registry.reason import worded
from modelyard.registry.resolve import registered
from modelyard.settings import PersonSettings


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
    people: Mapping[str, PersonSettings] | None = None,
    verified: bool = False,
) -> Review:
    """Record the answer; the last one on a subject counts.

    The same answer of the same person again, with the same reason, is the one before. Raises
    ``UnknownName`` for a version that is not there, ``Misuse`` without a reason or a name, and ``AccessDenied`` for a
    subject that ``people`` gives to others.
    """
    found = registered(facts, model, version)
    reason, by, subject = worded(reason), by.strip(), subject.strip()
    if not reason or not by or not subject:
        raise Misuse("A review needs its subject, a reason and the name of who gives it.")
    if not may_review(people or {}, by, subject):
        who = ", ".join(name for name, person in (people or {}).items() if subject in person.reviews)
        raise AccessDenied(
            f"{by} may not give the review '{subject}': [people] in modelyard.toml gives it to {who}."
        )
    given = [r for r in facts.reviews.list(model, version) if r.subject == subject]
    answer = Review(
        model=model,
        version=version,
        subject=subject,
        yes=yes,
        reason=reason,
        by=by,
        verified=verified,
        given=now,
    )
    if given and replace(given[-1], given=now) == answer:
        return given[-1]
    facts.reviews.add(answer)
    facts.events.append(
        "review.given", found.ref, subject=subject, answer="yes" if yes else "no", reason=reason, by=by
    )
    return answer


def may_review(people: Mapping[str, PersonSettings], by: str, subject: str) -> bool:
    """Whether an answer of theirs counts: a subject that ``people`` gives to nobody is everybody's."""
    theirs = [name for name, person in people.items() if subject in person.reviews]
    return not theirs or any(same(name, by) for name in theirs)


def same(one: str, other: str) -> bool:
    """Whether both name the same person."""
    return one.strip().casefold() == other.strip().casefold()
