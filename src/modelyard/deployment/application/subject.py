"""What is tested: a package's model as its manifest and its golden rows describe it, behind a door."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from modelyard.deployment.application.door import Door, Reply
from modelyard.records.package import Manifest
from modelyard.records.payload import Payload
from modelyard.records.schema import Column
from modelyard.records.tested import Golden

Test = Callable[[], str]
"""Says what is wrong; nothing when all is well."""
_TOLERANCE = 1e-6
_MOST = 64
"""Features that are looked at one by one; of more, so many at even distances."""


class Subject(NamedTuple):
    door: Door
    manifest: Manifest
    package: str
    """Its digest."""
    golden: Golden
    payloads: Sequence[Payload]

    @property
    def name(self) -> str:
        return self.manifest.model

    @property
    def features(self) -> tuple[Column, ...]:
        return self.manifest.schema.features

    @property
    def some(self) -> tuple[Column, ...]:
        """Features to look at one by one."""
        step = -(-len(self.features) // _MOST)
        return self.features[:: max(1, step)]

    def predict(self, rows: object) -> Reply:
        return self.door.post(f"/models/{self.name}/predict", {"rows": rows})

    def changed(self, /, **values: object) -> dict[str, Any]:
        """The first golden row with other values."""
        return {**self.golden.rows[0], **values}

    def whole(self) -> Golden | None:
        """The golden rows that lack nothing, if there are any: a tensor and a CSV have no null of their own."""
        golden = self.golden
        at = [i for i, row in enumerate(golden.rows) if not {None, ""} & set(row.values())]

        if not at:
            return None

        def those(values: list[Any] | None) -> list[Any] | None:
            return None if values is None else [values[i] for i in at]

        return Golden(
            those(golden.rows) or [],
            those(golden.prediction) or [],
            those(golden.probability),
            those(golden.quantiles),
        )


def differs(golden: Golden, prediction: object, probability: object = None, quantiles: object = None) -> str:
    """What is answered otherwise than it was sealed; nothing when it is the same to within rounding."""
    if not isinstance(prediction, list) or len(prediction) != len(golden.rows):
        found = f"{len(prediction)} answers" if isinstance(prediction, list) else repr(prediction)
        return f"{len(golden.rows)} rows got {found}"
    for row, (wanted, got) in enumerate(zip(golden.prediction, prediction, strict=True)):
        if not same(wanted, got):
            return f"golden row {row} was answered {got!r}, sealed as {wanted!r}"
    for name, sealed, given in (
        ("probability", golden.probability, probability),
        ("quantiles", golden.quantiles, quantiles),
    ):
        if sealed is None:
            continue
        if not isinstance(given, list):
            return f"the answer has no {name}"
        for row, (wants, gets) in enumerate(zip(sealed, given, strict=True)):
            if not same(wants, gets):
                return f"golden row {row} has {name} {gets}, sealed as {wants}"
    return ""


def same(wanted: Any, got: Any) -> bool:
    """Equal; numbers that are no integers to within rounding, lists element by element."""
    if isinstance(wanted, list):
        return (
            isinstance(got, list)
            and len(wanted) == len(got)
            and all(same(w, g) for w, g in zip(wanted, got, strict=True))
        )
    if isinstance(wanted, float):
        number = isinstance(got, (int, float)) and not isinstance(got, bool)
        return number and math.isclose(wanted, got, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return type(wanted) is type(got) and wanted == got


def refused(reply: Reply, field: str | None = None) -> str:
    """What is wrong with a refusal: it must be 4xx, and name the field where one is to blame."""
    if not reply.refused:
        return f"was answered {reply.status}: {short(reply)}"
    if field is None:
        return ""
    error = reply.body.get("error") if isinstance(reply.body, dict) else None
    named = error.get("field") if isinstance(error, dict) else None
    return "" if named == field else f"was refused naming {named!r}: {short(reply)}"


def short(reply: Reply) -> str:
    return reply.content[:200].decode(errors="replace")


def first(complaints: Sequence[tuple[str, str]]) -> str:
    """The first of (what, complaint) that complains, in one sentence."""
    return next((f"{what} {complaint}" for what, complaint in complaints if complaint), "")
