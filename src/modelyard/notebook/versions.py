"""Registered versions as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from modelyard.actions.look import Registered
from modelyard.render.cells import grid
from modelyard.render.text import table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_MOST = 30
"""Versions that are drawn."""
_HEADERS = (
    "version",
    "data",
    "registered (UTC)",
    "by",
    "live in",
    "aliases",
    "tags",
    "metrics",
    "deprecated",
)


class Versions(Sequence[Registered]):
    """Versions, ascending: ``versions[-1]`` is the newest record; ``polars()`` and ``pandas()`` give all as a frame."""

    def __init__(self, found: Sequence[Registered]) -> None:
        self._versions = tuple(found)

    @overload
    def __getitem__(self, at: int) -> Registered: ...
    @overload
    def __getitem__(self, at: slice) -> Versions: ...
    def __getitem__(self, at: int | slice) -> Registered | Versions:
        return Versions(self._versions[at]) if isinstance(at, slice) else self._versions[at]

    def __len__(self) -> int:
        return len(self._versions)

    def __iter__(self) -> Iterator[Registered]:
        return iter(self._versions)

    def polars(self) -> pl.DataFrame:
        """A row a version; metrics as ``metric.NAME``, tags as ``tag.NAME``, null where a version has none of it."""
        import polars as pl

        return pl.DataFrame([_row(one) for one in self._versions], infer_schema_length=None, strict=False)

    def pandas(self) -> pd.DataFrame:
        """As ``polars``."""
        import pandas as pd

        return pd.DataFrame([_row(one) for one in self._versions])

    def __repr__(self) -> str:
        if not self._versions:
            return self._title()
        return f"{self._title()}\n{table(_HEADERS, [_cells(one) for one in self._versions[-_MOST:]])}"

    def _repr_html_(self) -> str:
        more = len(self._versions) - _MOST
        note = f"the newest {_MOST} are shown" if more > 0 else ""
        return grid(self._title(), note, _HEADERS, [_cells(one) for one in self._versions[-_MOST:]])

    def _title(self) -> str:
        return f"{len(self._versions)} version{'' if len(self._versions) == 1 else 's'}"


def _row(one: Registered) -> dict[str, object]:
    return {
        "version": one.ref,
        "model": one.model,
        "number": one.number,
        "data": one.dataset,
        "run": one.run,
        "package": one.package,
        "registered": one.registered,
        "by": one.by,
        "live": ", ".join(one.live),
        "aliases": ", ".join(one.aliases),
        "note": one.note,
        "deprecated": one.deprecated is not None,
        **{f"metric.{name}": value for name, value in one.metrics.items()},
        **{f"tag.{name}": value for name, value in one.tags.items()},
    }


def _cells(one: Registered) -> tuple[str, ...]:
    metrics = [f"{name}={value:.6g}" for name, value in list(one.metrics.items())[:4]]
    return (
        one.ref,
        one.dataset,
        f"{one.registered:%Y-%m-%d %H:%M:%S}",
        one.by,
        ", ".join(one.live),
        ", ".join(one.aliases),
        ", ".join(f"{name}={value[:40]}" for name, value in one.tags.items()),
        ", ".join(metrics) + (", ..." if len(one.metrics) > len(metrics) else ""),
        one.deprecated.reason[:80] if one.deprecated else "",
    )
