"""A package beside the one that it was to become: in which files, answers and figures they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.records.package import Manifest
from modelyard.records.reproduction import Again, Answers, Figure, Thing
from modelyard.records.run import Number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from modelyard.training import Worker

_ALSO = (
    "requirements",
    "python",
    "form",
    "frame",
    "classes",
    "quantiles",
    "thresholds",
    "task",
    "schema",
    "layout",
    "custom_predict",
    "uses",
)
_NAMES = ("then", "now")


class Held(NamedTuple):
    """What two packages gave for the same rows; without ``answers`` the reason why."""

    answers: Answers | None
    metrics: tuple[Figure, ...]
    reason: str = ""


def files(then: Manifest, now: Manifest) -> tuple[str, ...]:
    """Paths of the files that differ, that came or that went; then what the manifests themselves say otherwise."""
    old, new = ({file.path: file.sha256 for file in one.files} for one in (then, now))
    found = [path for path in sorted(old | new) if old.get(path) != new.get(path)]
    return (*found, *(f"manifest.json: {n}" for n in _ALSO if getattr(then, n) != getattr(now, n)))


def answers(worker: Worker, packages: tuple[Path, Path], rows: Path, place: Path, manifest: Manifest) -> Held:
    """Let the process answer the rows with the package as it was and as it is now, and hold the two together."""
    from modelyard import metrics
    from modelyard.training.rows import read

    given = []
    try:
        for name, package in zip(_NAMES, packages, strict=True):
            worker.answer(package, rows, place / f"{name}.npz")
            given.append(_read(place / f"{name}.npz"))
        truth = read(rows).target
        told = [None if one[2] is None else metrics.Quantiles(manifest.quantiles, one[2]) for one in given]
        scores = [
            metrics.score(manifest.task, truth, *one[:2], manifest.classes, quantiles=quantiles)
            for one, quantiles in zip(given, told, strict=True)
        ]
    except ModelyardError as error:
        return Held(None, (), str(error))
    (was, wanted, low), (now, found, other) = given
    numbers = was.dtype.kind == "f"
    worst = max(_apart(was, now) if numbers else _apart(wanted, found), _apart(low, other))
    flips = 0 if numbers else int((was != now).reshape(len(was), -1).any(axis=1).sum())
    return Held(Answers(rows=len(truth), worst=worst, flips=flips), figures(*scores))


def figures(then: Mapping[str, Number], now: Mapping[str, Number]) -> tuple[Figure, ...]:
    """Both figures of each name."""
    from modelyard.training.points import number

    known = [
        {name: value if isinstance(value, str) else number(value) for name, value in one.items()}
        for one in (then, now)
    ]
    return tuple(Figure(name=n, then=known[0].get(n), now=known[1].get(n)) for n in known[0] | known[1])


def outcomes(
    differ: tuple[str, ...], held: Held, reach: float, logged: tuple[Figure, ...]
) -> Iterator[Again]:
    """What came of it, thing by thing, where it is not the same to the bit."""
    model = [path for path in differ if path.startswith("model/")]
    others = [path for path in differ if path not in model]
    yield Again(thing="model", same=not model, sentence=_some(model) or "the same bytes")
    yield Again(thing="package", same=not others, sentence=_some(others) or "the same bytes")
    if held.answers is None:
        yield Again(thing="predictions", same=False, sentence=held.reason)
        return
    given = held.answers
    far = f"{given.flips:,} of {given.rows:,} labels differ, " if given.flips else ""
    within = "within" if given.worst <= reach else "beyond"
    yield Again(
        thing="predictions",
        same=not given.flips and given.worst == 0,
        sentence=f"{far}by at most {given.worst:.3g} on {given.rows:,} test rows, {within} {reach:g}"
        if given.worst or given.flips
        else f"the same on {given.rows:,} test rows",
    )
    figures_of: tuple[tuple[Thing, tuple[Figure, ...]], ...] = (("metrics", held.metrics), ("logged", logged))
    for thing, named in figures_of:
        moved = [f"{f.name} {_figure(f.then)} → {_figure(f.now)}" for f in named if f.then != f.now]
        if named:
            yield Again(thing=thing, same=not moved, sentence="; ".join(moved) or "the same")


def _read(path: Path) -> tuple[NDArray[np.generic], NDArray[np.float64] | None, NDArray[np.float64] | None]:
    with np.load(path, allow_pickle=False) as found:
        return found["prediction"], found.get("probability"), found.get("quantiles")


def _apart(then: NDArray[np.generic] | None, now: NDArray[np.generic] | None) -> float:
    if then is None or now is None:
        return 0.0
    old, new = then.astype(np.float64), now.astype(np.float64)
    if old.shape != new.shape:
        return float("inf")
    return float((np.abs(old - new) / np.maximum(1.0, np.abs(old))).max(initial=0.0))


def _some(paths: list[str], most: int = 4) -> str:
    return ", ".join(paths[:most]) + (f" and {len(paths) - most} more" if len(paths) > most else "")


def _figure(value: Number | None) -> str:
    return "none" if value is None else value if isinstance(value, str) else f"{value:.6g}"
