"""What turned out to be true of a prediction."""

from __future__ import annotations

import msgspec

from modelyard.records.package import Label

REQUEST, CLIENT = "request_id", "client_id"


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """The truth about one row of one request."""

    id: str
    """The request's id, as ``by`` says; of columns the JSON list of the row's values."""
    outcome: Label | float
    row: int = 0
    at: float | None = None
    """When it came to be true, by the teller's clock; seconds since 1970."""
    by: str = REQUEST
    """``request_id``, ``client_id``, or the JSON list of the features' names that tell whose outcome it is."""
