"""An example request to a model's service, and what the model's author expects of the answer."""

from __future__ import annotations

import msgspec

Cell = bool | int | float | str | None


class Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``PAYLOADS`` in a model's ``test_model.py`` lists these as plain dicts."""

    rows: tuple[dict[str, Cell], ...]
    status: int = 200
    """The HTTP status that the service must answer with."""
    prediction: tuple[Cell | list[str], ...] | None = None
    """The expected predictions, of several labels lists of those that hold; None expects any."""
    field: str | None = None
    """For a refusal: the field that the error must name."""
