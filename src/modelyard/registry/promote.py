"""A version is admitted to the next environment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from modelyard.errors import NotAdmitted, ReviewMissing, UnknownName
from modelyard.ports import Facts
from modelyard.records.registry import Admission, Review, Version
from modelyard.registry.admit import admit
from modelyard.registry.resolve import registered, unknown
from modelyard.settings import EnvironmentSettings


def promote(
    facts: Facts,
    *,
    model: str,
    version: int,
    to: str,
    environments: Mapping[str, EnvironmentSettings],
    by: str,
    now: dt.datetime,
) -> Admission:
    """Admit the version to the environment ``to``; ``environments`` are in promotion's order.

    What is admitted stays admitted, whatever is asked for since. Otherwise raises what
    ``admissible`` raises.
    """
    if before := facts.admissions.get(model, version, to):
        return before
    found = admissible(facts, model=model, version=version, to=to, environments=environments)
    return admit(facts, found, to, by=by, now=now)


def admissible(
    facts: Facts, *, model: str, version: int, to: str, environments: Mapping[str, EnvironmentSettings]
) -> Version:
    """The version, if the environment ``to`` may admit it; gates are not looked at.

    Raises ``NotAdmitted`` when the environment before has not admitted it, and ``ReviewMissing``
    when a review that ``to`` asks for is not there or its last answer is no. With ``four_eyes``
    a yes of the person who registered the version does not count, their no does.
    """
    if to not in environments:
        raise UnknownName(unknown("environment", to, environments))
    found = registered(facts, model, version)
    order = list(environments)
    before = order[order.index(to) - 1] if order.index(to) else None
    if before and facts.admissions.get(model, version, before) is None:
        raise NotAdmitted(
            f"{found.ref} is not admitted to {before}, which comes before {to}; "
            f"run 'modelyard promote {found.ref} --to {before}' first."
        )
    answers = facts.reviews.list(model, version)
    for subject in environments[to].reviews:
        _answered(found, subject, to, answers, four_eyes=environments[to].four_eyes)
    return found


def _answered(
    version: Version, subject: str, environment: str, answers: list[Review], *, four_eyes: bool
) -> None:
    given = [a for a in answers if a.subject == subject]
    own = [a for a in given if four_eyes and a.yes and _same(a.by, version.by)]
    counting = [a for a in given if a not in own]
    command = f"'modelyard review {version.ref} --for {subject} --yes --reason \"...\"'"
    if not counting:
        why = (
            f"{environment} wants a second pair of eyes, and the only '{subject}' review of {version.ref} is "
            f"by {version.by}, who registered it; somebody else"
            if own
            else f"{environment} asks for the review '{subject}' of {version.ref}, which nobody has given; the "
            "reviewer"
        )
        raise ReviewMissing(f"{why} runs {command}.")
    last = counting[-1]
    if not last.yes:
        raise ReviewMissing(
            f"The review '{subject}' of {version.ref}, which {environment} asks for, is a no by {last.by} "
            f"({last.reason!r}); when that is settled, the reviewer runs {command}."
        )


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
