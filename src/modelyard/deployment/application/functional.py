"""``functional``: the golden predictions; ``acceptance``: the requests that the model's author wrote down."""

from __future__ import annotations

from modelyard.deployment.application.subject import Subject, Test, differs, short
from modelyard.records.payload import Payload
from modelyard.records.tested import Golden

_SINGLES = 20


def tests(subject: Subject) -> list[tuple[str, Test]]:
    return [
        ("golden predictions", lambda: _golden(subject, subject.golden)),
        ("golden predictions, row by row", lambda: _singles(subject)),
    ]


def accepted(subject: Subject) -> list[tuple[str, Test]]:
    return [
        (f"payload {at}", lambda payload=payload: _payload(subject, payload))  # type: ignore[misc]
        for at, payload in enumerate(subject.payloads, start=1)
    ]


def _golden(subject: Subject, golden: Golden) -> str:
    reply = subject.predict(golden.rows)
    if reply.status != 200:
        return f"the golden rows were answered with {reply.status}: {short(reply)}"
    body = reply.body
    return differs(golden, body["prediction"], body.get("probability"), body.get("quantiles"))


def _singles(subject: Subject) -> str:
    """An answer does not depend on what else is asked in the same request."""
    golden = subject.golden
    for row in range(min(_SINGLES, len(golden.rows))):
        single = slice(row, row + 1)
        one = Golden(
            golden.rows[single],
            golden.prediction[single],
            golden.probability[single] if golden.probability else None,
            golden.quantiles[single] if golden.quantiles else None,
        )
        if complaint := _golden(subject, one):
            return f"golden row {row} asked alone: {complaint}"
    return ""


def _payload(subject: Subject, payload: Payload) -> str:
    reply = subject.predict(payload.rows)
    if reply.status != payload.status:
        return f"answered {reply.status} instead of {payload.status}: {reply.body}"
    if payload.prediction is not None and reply.body.get("prediction") != list(payload.prediction):
        return f"predicted {reply.body.get('prediction')} instead of {list(payload.prediction)}"
    if payload.field is not None and reply.body["error"].get("field") != payload.field:
        return f"the error names {reply.body['error'].get('field')!r} instead of {payload.field!r}"
    return ""
