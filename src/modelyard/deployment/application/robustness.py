"""``robustness``: what is missing, extreme, malformed or was never seen is answered or refused, never a failure."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.deployment.application import functional
from modelyard.deployment.application.door import Reply
from modelyard.deployment.application.subject import Subject, Test, first, refused, short
from modelyard.records.schema import Column

_MALFORMED = (
    b'{"rows": [',
    b"",
    b"[]",
    b'{"rows": "many"}',
    b"\xff\xfe",
    b'{"rows": [[]]}',
    b'{"rows": [null]}',
)
_WRONG = {"integer": "many", "float": "much", "boolean": "perhaps", "string": 12345}
_EXACT = 2.0**53
_NEVER_SEEN = "\u2603 never seen"
_LONG = "x" * 100_000


def tests(subject: Subject) -> list[tuple[str, Test]]:
    found: list[tuple[str, Test]] = [
        ("malformed request", lambda: _malformed(subject)),
        ("missing field", lambda: _missing_fields(subject)),
        ("unknown field", lambda: _unknown_field(subject)),
        ("wrong kind", lambda: _wrong_kinds(subject)),
        ("missing value", lambda: _missing_values(subject)),
    ]
    kinds = {c.kind for c in subject.some}
    if "string" in kinds:
        found.append(("unknown category", lambda: _unknown_categories(subject)))
    if kinds & {"integer", "float"}:
        found.append(("extreme value", lambda: _extremes(subject)))
    return [*found, ("answers as before", lambda: _recovered(subject))]


def _malformed(subject: Subject) -> str:
    path = f"/models/{subject.name}/predict"
    return first([(repr(body), refused(subject.door.post(path, body))) for body in _MALFORMED])


def _missing_fields(subject: Subject) -> str:
    def without(name: str) -> dict[str, object]:
        return {k: v for k, v in subject.golden.rows[0].items() if k != name}

    return first(
        [
            (f"a row without '{c.name}'", refused(subject.predict([without(c.name)]), c.name))
            for c in subject.some
        ]
    )


def _unknown_field(subject: Subject) -> str:
    row = subject.changed(**{"no such field": 1})
    return first([("a row with 'no such field'", refused(subject.predict([row]), "no such field"))])


def _wrong_kinds(subject: Subject) -> str:
    asked = ((c, _WRONG.get(c.kind, "no time")) for c in subject.some)
    return first(
        [
            (
                f"'{c.name}' of {value!r}",
                refused(subject.predict([subject.changed(**{c.name: value})]), c.name),
            )
            for c, value in asked
        ]
    )


def _missing_values(subject: Subject) -> str:
    """Where the schema allows null the model must answer; elsewhere the refusal names the column."""
    for column in subject.some:
        reply = subject.predict([subject.changed(**{column.name: None})])
        complaint = _given(subject, column, reply) if column.nullable else refused(reply, column.name)
        if complaint:
            return f"null in '{column.name}' {complaint}"
    return ""


def _unknown_categories(subject: Subject) -> str:
    texts = [c for c in subject.some if c.kind == "string"]
    return first(
        [
            (
                f"{value[:20]!r} in '{c.name}'",
                _given(subject, c, subject.predict([subject.changed(**{c.name: value})])),
            )
            for c in texts
            for value in (_NEVER_SEEN, "", _LONG)
        ]
    )


def _extremes(subject: Subject) -> str:
    """A thousand times what was seen is answered or refused by name; nothing brings the service down."""
    for column in subject.some:
        if column.kind not in ("integer", "float"):
            continue
        for value in _far(column):
            reply = subject.predict([subject.changed(**{column.name: value})])
            if complaint := _given(subject, column, reply):
                return f"{value:g} in '{column.name}' {complaint}"
        if column.kind == "float":  # the answer may be no finite number, which is said; the next one is
            subject.predict([subject.changed(**{column.name: 1.7e308})])
    return ""


def _far(column: Column) -> Iterator[float]:
    low, high = column.minimum or 0.0, column.maximum or 0.0
    span = 1000 * max(abs(low), abs(high), high - low, 1.0)
    for value in (-span, span, 0.0):
        bounded = min(max(value, -_EXACT), _EXACT) if column.kind == "integer" else value
        yield int(bounded) if column.kind == "integer" else bounded


def _given(subject: Subject, column: Column, reply: Reply) -> str:
    """A value of the column's kind: answered, unless a rule that a person declared refuses it."""
    if reply.status == 200:
        return ""
    ruled = set(column.declared) - {"kind", "nullable", "unique"}
    if ruled:
        return refused(reply, column.name)
    if subject.manifest.schema.rules:
        return refused(reply)
    return f"was answered {reply.status}: {short(reply)}"


def _recovered(subject: Subject) -> str:
    """After all of that."""
    return first([(name, test()) for name, test in functional.tests(subject)[:1]])
