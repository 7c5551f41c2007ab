"""The points of a run's metrics: as one file, and each metric in a line."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from modelyard.records.run import Number

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a run; least and most are of its finite values."""

    name: str
    points: int
    step: int
    """Of the last point."""
    last: Number
    least: Number
    most: Number
    shape: str
    """Its course in a line of bars, ``·`` where nothing is finite."""


def parquet(points: NDArray[Any], names: Mapping[int, str]) -> bytes:
    """``metric``, ``step``, ``time`` (UTC) and ``value`` of each point, in the order they were logged."""
    known = pl.Series([names.get(at, "") for at in range(max(names, default=0) + 1)], dtype=pl.String)
    frame = pl.DataFrame(
        {
            "metric": known.gather(pl.Series(points["metric"].astype(np.uint32))),
            "step": points["step"],
            "time": (points["time"] * 1e6).astype(np.int64),
            "value": points["value"],
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    file = io.BytesIO()
    frame.write_parquet(file, compression="zstd")
    return file.getvalue()


def of_parquet(content: bytes) -> list[Summary]:
    """A line for each metric of what ``parquet`` wrote."""
    frame = pl.read_parquet(io.BytesIO(content))
    return [
        _summary(str(name), part["step"].to_numpy(), part["value"].to_numpy())
        for (name,), part in frame.group_by("metric", maintain_order=True)
    ]


def summaries(points: NDArray[Any], names: Mapping[int, str]) -> list[Summary]:
    """A line for each metric, in the order of their first points."""
    if not len(points):
        return []
    found = []
    order = np.argsort(points["metric"], kind="stable")
    numbers, starts = np.unique(points["metric"][order], return_index=True)
    for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        found.append(_summary(names.get(number, ""), points["step"][rows], points["value"][rows]))
    return found


def number(value: float) -> Number:
    """The value as JSON can hold it."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _summary(name: str, steps: NDArray[Any], values: NDArray[Any]) -> Summary:
    finite = values[np.isfinite(values)]
    return Summary(
        name=name,
        points=len(values),
        step=int(steps[-1]),
        last=number(float(values[-1])),
        least=number(float(finite.min()) if len(finite) else math.nan),
        most=number(float(finite.max()) if len(finite) else math.nan),
        shape=_shape(values),
    )


def _shape(values: NDArray[Any]) -> str:
    parts = [part[np.isfinite(part)] for part in np.array_split(values, min(_WIDTH, len(values)))]
    means = [float((part / len(part)).sum()) if len(part) else math.nan for part in parts]
    known = [mean for mean in means if math.isfinite(mean)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    size = (high / 2 - low / 2) or 1.0
    return "".join(
        _BARS[int((mean / 2 - low / 2) / size * (len(_BARS) - 1))] if math.isfinite(mean) else "·"
        for mean in means
    )


def drawn(content: bytes, most: int) -> dict[str, tuple[tuple[int, float], ...]]:
    """Step and value of each metric's finite points of what ``parquet`` wrote; of more than ``most`` so many, evenly."""
    frame = pl.read_parquet(io.BytesIO(content)).filter(pl.col("value").is_finite())
    found = {}
    for (name,), part in frame.group_by("metric", maintain_order=True):
        at = np.unique(np.linspace(0, part.height - 1, min(most, part.height)).astype(np.intp))
        chosen = part[at.tolist()]
        found[str(name)] = tuple(zip(chosen["step"].to_list(), chosen["value"].to_list(), strict=True))
    return found
