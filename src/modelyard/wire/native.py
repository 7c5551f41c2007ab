"""The service's own JSON: ``{"rows": [...]}`` and its answer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modelyard.records.package import Label

_ENCODE = msgspec.json.Encoder().encode


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reply, as a client reads it; regression has neither ``probability`` nor ``classes``."""

    status: str
    model_id: str
    request_id: str
    prediction: list[Label | float]
    probability: list[list[float]] | None = None
    classes: list[Label] | None = None


def read_answer(content: bytes) -> Answered:
    """Decode a reply; ``msgspec.ValidationError`` when it is none."""
    return msgspec.json.decode(content, type=Answered)


class Replies:
    """Writes replies of one model: what is the same in each of them is encoded once."""

    def __init__(self, model_id: str, classes: Sequence[Label]) -> None:
        self._start = b'{"status":"ok","model_id":' + _ENCODE(model_id) + b',"request_id":"'
        self._end = b',"classes":' + _ENCODE(list(classes)) + b"}" if classes else b"}"

    def write(
        self, request_id: bytes, prediction: Sequence[object], probability: Sequence[Sequence[float]] | None
    ) -> bytes:
        """One reply; ``request_id`` is ASCII without quotes, probabilities [n][classes]."""
        if probability is None:
            return b'%b%b","prediction":%b%b' % (self._start, request_id, _ENCODE(prediction), self._end)
        return b'%b%b","prediction":%b,"probability":%b%b' % (
            self._start,
            request_id,
            _ENCODE(prediction),
            _ENCODE(probability),
            self._end,
        )
