"""A version is admitted to the next environment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from modelyard.errors import NotAdmitted, ReviewMissing, UnknownName
from modelyard.ports import Facts
from modelyard.records.registry import Admission, Review, Version
from modelyard.registry.admit import admit
from modelyard.registry.label import refuse_deprecated
from modelyard.registry.reason import worded
from modelyard.registry.resolve import registered, unknown
from modelyard.registry.review import may_review, same
from modelyard.settings import EnvironmentSettings, PersonSettings


def promote(
    facts: Facts,
    *,
    model: str,
    version: int,
    to: str,
    environments: Mapping[str, EnvironmentSettings],
    by: str,
    now: dt.datetime,
    people: Mapping[str, PersonSettings] | None = None,
    where: str = "",
    reason: str = "",
) -> Admission:
    """Admit the version to the environment ``to``; ``environments`` are in promotion's order.

    ``where`` is the filter that chose it, ``reason`` a person's. What is admitted stays admitted, whatever is asked for since. Otherwise
    raises what ``admissible`` raises.
    """
    if before := facts.admissions.get(model, version, to):
        return before
    found = admissible(facts, model=model, version=version, to=to, environments=environments, people=people)
    return admit(facts, found, to, by=by, now=now, where=where, reason=worded(reason))


def admissible(
    facts: Facts,
    *,
    model: str,
    version: int,
    to: str,
    environments: Mapping[str, EnvironmentSettings],
    people: Mapping[str, PersonSettings] | None = None,
) -> Version:
    """The version, if the environment ``to`` may admit it; gates are not looked at.

    Raises ``NotAdmitted`` when the environment before has not admitted it, and ``ReviewMissing``
    when a review that ``to`` asks for is not there or its last answer is no. With ``four_eyes``
    a yes of the person who registered the version does not count, their no does; nor does the answer of whom
    ``people`` lets not give it, nor a yes that no token proved in a yard that asks for tokens. Raises ``Deprecated`` for a version that is to be used no more.
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
    refuse_deprecated(facts, found)
    answers, proven = facts.reviews.list(model, version), facts.tokens.asked()
    for subject in environments[to].reviews:
        counting = [
            a
            for a in answers
            if may_review(people or {}, a.by, subject) and (a.verified or not (proven and a.yes))
        ]
        _answered(found, subject, to, counting, four_eyes=environments[to].four_eyes)
    return found


def _answered(
    version: Version, subject: str, environment: str, answers: list[Review], *, four_eyes: bool
) -> None:
    given = [a for a in answers if a.subject == subject]
    own = [a for a in given if four_eyes and a.yes and same(a.by, version.by)]
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
