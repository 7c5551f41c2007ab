"""Trainings as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from modelyard.records.run import Number, Run
from modelyard.render.cells import grid
from modelyard.render.text import table

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_MOST = 30
"""Runs that are drawn."""
_HEADERS = ("run", "model", "status", "data", "begun (UTC)", "seconds", "parameters", "metrics", "error")


class Runs(Sequence[Run]):
    """Trainings, newest first: ``runs[0]`` is a record; ``polars()`` and ``pandas()`` give all of them as a frame."""

    def __init__(self, found: Sequence[Run]) -> None:
        self._runs = tuple(found)

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> Runs: ...
    def __getitem__(self, at: int | slice) -> Run | Runs:
        return Runs(self._runs[at]) if isinstance(at, slice) else self._runs[at]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def polars(self) -> pl.DataFrame:
        """A row a run; parameters as ``param.NAME``, metrics as ``metric.NAME``, null where a run has none of it."""
        import polars as pl

        rows = [_row(run) for run in self._runs]
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    def pandas(self) -> pd.DataFrame:
        """As ``polars``."""
        import pandas as pd

        return pd.DataFrame([_row(run) for run in self._runs])

    def __repr__(self) -> str:
        if not self._runs:
            return _title(self._runs)
        return f"{_title(self._runs)}\n{table(_HEADERS, [_cells(run) for run in self._runs[:_MOST]])}"

    def _repr_html_(self) -> str:
        more = len(self._runs) - _MOST
        note = f"the newest {_MOST} are shown" if more > 0 else ""
        shown = [_cells(run) for run in self._runs[:_MOST]]
        return grid(_title(self._runs), note, _HEADERS, shown, right=(5,))


def _title(runs: Sequence[Run]) -> str:
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'}"


def _row(run: Run) -> dict[str, object]:
    return {
        "run": run.id,
        "model": run.model,
        "status": run.status,
        "data": run.dataset,
        "started": run.started,
        "seconds": run.seconds,
        "commit": run.code.commit,
        "dirty": run.code.dirty,
        "package": run.candidate,
        "error": run.error,
        **{f"param.{name}": value for name, value in {**run.params, **run.logged}.items()},
        **{f"metric.{name}": float(value) for name, value in run.metrics.items()},
    }


def _cells(run: Run) -> tuple[str, ...]:
    return (
        run.id,
        run.model,
        run.status,
        run.dataset,
        f"{run.started:%Y-%m-%d %H:%M:%S}",
        f"{run.seconds:.1f}",
        _few({name: str(value) for name, value in run.params.items()}),
        _few({name: _figure(value) for name, value in run.metrics.items()}),
        (run.error or "")[:160],
    )


def _few(told: dict[str, str], most: int = 4) -> str:
    shown = [f"{name}={value[:40]}" for name, value in list(told.items())[:most]]
    return ", ".join(shown) + (", ..." if len(told) > most else "")


def _figure(value: Number) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
