"""What came of a table of outcomes."""

from __future__ import annotations

import msgspec


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    row: int
    """Of the table, from 1."""
    reason: str


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """Every outcome is kept, but for the refused ones; the counts overlap where one is several of these."""

    model: str
    environment: str
    by: tuple[str, ...]
    """Columns that told which prediction each outcome is of."""
    told: int
    """Outcomes that were kept."""
    joined: int
    """Of these of a prediction that is known."""
    unknown: int
    """Of none so far; they join when it turns up."""
    repeated: int
    """Said what was known already."""
    corrected: int
    """Said otherwise than what was known; the last to arrive counts."""
    early: int
    """Came to be true before their prediction was made, by more than clocks may be apart."""
    refused: int
    """Tell nothing: no id, a wrong type, a class that the model does not know."""
    reasons: tuple[Refused, ...] = ()
    """The first of the refused."""
    labelled: int = 0
    """Predictions of the model, in the environment, whose outcome is known by now."""
