"""What people say of a version: a note, tags, that it is to be used no more."""

from __future__ import annotations

import datetime as dt
import re

from msgspec.structs import replace

from modelyard.errors import Deprecated, Misuse
from modelyard.ports import Facts
from modelyard.records.registry import Deprecation, Marks, Version
from modelyard.registry.reason import worded
from modelyard.registry.resolve import registered

LONGEST_NOTE, LONGEST_TAG = 10_000, 500
"""Characters."""
MOST_TAGS = 100
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def note(facts: Facts, *, model: str, version: int, text: str) -> Marks:
    """Say something of the version, in place of what was said before; empty takes it away."""
    found = registered(facts, model, version)
    text = text.strip()
    if len(text) > LONGEST_NOTE:
        raise Misuse(f"The note has {len(text)} characters, {LONGEST_NOTE} at most; link to the long form.")
    before = facts.labels.get(model, version)
    if before.note == text:
        return before
    facts.events.append("version.noted", found.ref, note=text)
    return _put(facts, replace(before, note=text))


def tag(facts: Facts, *, model: str, version: int, name: str, value: str) -> Marks:
    """Give the version the tag, in place of the value before; an empty value takes it away."""
    found = registered(facts, model, version)
    value = value.strip()
    if not _TAG.fullmatch(name):
        raise Misuse(f"{name!r} is no tag's name: letters, digits, '_', '-' and '.', a letter first.")
    if len(value) > LONGEST_TAG:
        raise Misuse(f"The tag '{name}' has {len(value)} characters, {LONGEST_TAG} at most; use a note.")
    before = facts.labels.get(model, version)
    if before.tags.get(name, "") == value:
        return before
    tags = {n: v for n, v in before.tags.items() if n != name} | ({name: value} if value else {})
    if len(tags) > MOST_TAGS:
        raise Misuse(f"{found.ref} has {MOST_TAGS} tags already; take one away first.")
    facts.events.append("version.tagged", found.ref, tag=name, value=value, before=before.tags.get(name, ""))
    return _put(facts, replace(before, tags=dict(sorted(tags.items()))))


def deprecate(
    facts: Facts,
    *,
    model: str,
    version: int,
    reason: str,
    successor: int | None,
    by: str,
    now: dt.datetime,
) -> Marks:
    """The version is promoted and deployed no more; what is live stays so until it is replaced.

    Raises ``Misuse`` without a reason, or for a successor that is the version itself or deprecated too.
    """
    found = registered(facts, model, version)
    reason = worded(reason)
    if not reason:
        raise Misuse("A deprecation needs its reason.")
    if successor == version:
        raise Misuse(f"{found.ref} cannot be its own successor; name another version.")
    if successor is not None:
        other = registered(facts, model, successor)
        if facts.labels.get(model, successor).deprecated:
            raise Misuse(f"{other.ref} is deprecated itself; name a version that is not.")
    before = facts.labels.get(model, version)
    told = before.deprecated
    if told and (told.reason, told.successor) == (reason, successor):
        return before
    facts.events.append("version.deprecated", found.ref, reason=reason, successor=successor or 0)
    made = Deprecation(reason=reason, successor=successor, by=by, since=now)
    return _put(facts, replace(before, deprecated=made))


def reinstate(facts: Facts, *, model: str, version: int) -> Marks:
    """The version may be used again."""
    found = registered(facts, model, version)
    before = facts.labels.get(model, version)
    if before.deprecated is None:
        return before
    facts.events.append("version.reinstated", found.ref, reason=before.deprecated.reason)
    return _put(facts, replace(before, deprecated=None))


def refuse_deprecated(facts: Facts, version: Version) -> None:
    """Raise ``Deprecated`` when it is to be used no more."""
    told = facts.labels.get(version.model, version.number).deprecated
    if told is None:
        return
    instead = (
        f"use {version.model}@{told.successor} instead, or" if told.successor else "to use it all the same,"
    )
    raise Deprecated(
        f"{version.ref} was deprecated by {told.by} on {told.since:%Y-%m-%d} ({told.reason.rstrip('.')}); "
        f"{instead} run 'modelyard deprecate {version.ref} --undo' first."
    )


def _put(facts: Facts, marks: Marks) -> Marks:
    facts.labels.put(marks)
    return marks
