"""True outcomes as a client tells them: ``{"request_id", "row", "outcome", "at"}``, or many as ``{"outcomes": [...]}``."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from modelyard.wire.problem import Problem

Id = Annotated[str, Meta(min_length=1, max_length=200)]


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One outcome; of which request is told by the service's id or by the client's own."""

    outcome: Any
    request_id: Id | UnsetType = UNSET
    client_id: Id | UnsetType = UNSET
    row: Annotated[float, Meta(ge=0, le=2**31, multiple_of=1)] = 0
    """Whole; JSON does not tell ``1`` from ``1.0``."""
    at: Annotated[dt.datetime, Meta(tz=True)] | None = None


class _Bulk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    outcomes: tuple[Told, ...]


_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_one = msgspec.json.Decoder(Told).decode
_many = msgspec.json.Decoder(_Bulk).decode
_PLACE = re.compile(r" - at `\$(?:\.outcomes\[(\d+)\])?\.?(\w*)`$")
_NAMED = re.compile(r"(?:unknown|required) field `(\w+)`")


def read(body: bytes, *, most: int) -> tuple[Told, ...]:
    """The outcomes in a body; ``Problem`` 400 for what is no such body, 413 for too many, 422 names outcome and field."""
    try:
        bulk = "outcomes" in _keys(body)
    except msgspec.ValidationError as error:
        raise Problem(400, f'{error}; send {{"outcomes": [...]}} or one outcome.') from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is no JSON: {error}.") from None
    try:
        found = _many(body).outcomes if bulk else (_one(body),)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _problem(str(error), bulk=bulk) from None
    if not found:
        raise Problem(400, "'outcomes' is empty: tell one outcome at least.", field="outcomes")
    if len(found) > most:
        raise Problem(413, f"{len(found)} outcomes in one request: send at most {most} at a time.")
    for at, each in enumerate(found):
        if (each.request_id is UNSET) == (each.client_id is UNSET):
            raise refused(at, "request_id", "needs 'request_id' or 'client_id', and not both", bulk=bulk)
    return found


def refused(at: int, field: str, reason: str, *, bulk: bool) -> Problem:
    """The refusal of one outcome, of all that came with it."""
    which = f"Outcome {at} of the request" if bulk else "The outcome"
    return Problem(422, f"{which}: {reason}; nothing was kept.", field=field, code="invalid_row")


def _problem(said: str, *, bulk: bool) -> Problem:
    place, named = _PLACE.search(said), _NAMED.search(said)
    reason = said[: place.start()] if place else said
    field = named[1] if named else place[2] if place else ""
    if not bulk or (place and place[1]):
        at = int(place[1] or 0) if place else 0
        return refused(at, field or "outcome", f"{reason} ({field})" if field else reason, bulk=bulk)
    return Problem(400, f'{reason}; send {{"outcomes": [...]}} or one outcome.', field=field or None)
