"""What a ``model.py`` imports; standard library only (floor 0).

A package carries this very file as a fallback ``modelyard`` module, so it imports nothing of
Modelyard, and pandas, Polars or NumPy only when an author asks for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from os import PathLike

    import numpy as np
    import pandas as pd
    import polars as pl

__all__ = [
    "Params",
    "Space",
    "TrainingData",
    "choice",
    "integer",
    "log_artifact",
    "log_chart",
    "log_metric",
    "log_param",
    "log_uniform",
    "uniform",
    "used",
]

FrameKind = Literal["pandas", "polars", "numpy"]
Scalar = bool | int | float | str


@dataclass(frozen=True)
class Uniform:
    """A number from ``low`` to ``high``, both included; on a logarithmic scale with ``log``."""

    low: float
    high: float
    default: float
    log: bool = False

    def __post_init__(self) -> None:
        name = "log_uniform" if self.log else "uniform"
        _ordered(name, self.low, self.high, _is_number, "finite numbers")
        if self.log and self.low <= 0:
            raise ValueError(f"log_uniform needs a low bound above 0, got {self.low!r}")
        _default_inside(name, self)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a finite number within the bounds."""
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]

    def __str__(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int
    default: int

    def __post_init__(self) -> None:
        _ordered("integer", self.low, self.high, _is_whole, "whole numbers")
        _default_inside("integer", self)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a whole number within the bounds."""
        return _is_whole(value) and self.low <= value <= self.high  # type: ignore[operator]

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True)
class Choice:
    """One of ``options``; 1, 1.0 and True are three different options."""

    options: tuple[Scalar, ...]
    default: Scalar

    def __post_init__(self) -> None:
        for option in self.options:
            if not isinstance(option, bool | int | float | str):
                raise ValueError(f"choice takes booleans, numbers and strings, got {option!r}")
        if len({(type(option), option) for option in self.options}) != len(self.options):
            raise ValueError(f"choice has an option twice: {list(self.options)!r}")
        _default_inside("choice", self)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is one of the options, of the same type."""
        return any(type(value) is type(option) and value == option for option in self.options)

    def __str__(self) -> str:
        return "one of " + ", ".join(repr(option) for option in self.options)


Space = Uniform | Integer | Choice
"""What a name in ``SPACE`` may be."""


def uniform(low: float, high: float, *, default: float) -> Uniform:
    """A number from ``low`` to ``high``. ``ValueError`` when the bounds or the default make no sense."""
    return Uniform(low, high, default)


def log_uniform(low: float, high: float, *, default: float) -> Uniform:
    """A number from ``low`` to ``high`` on a logarithmic scale; ``low`` is above 0."""
    return Uniform(low, high, default, log=True)


def integer(low: int, high: int, *, default: int) -> Integer:
    """A whole number from ``low`` to ``high``, both included."""
    return Integer(low, high, default)


def choice(options: Sequence[Scalar], *, default: Scalar) -> Choice:
    """One of ``options``: ``choice(["l1", "l2"], default="l2")``."""
    if isinstance(options, str):
        raise ValueError(f"choice takes a list of options, got the string {options!r}")
    return Choice(tuple(options), default)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _ordered(name: str, low: object, high: object, valid: Callable[[object], bool], what: str) -> None:
    if not (valid(low) and valid(high)):
        raise ValueError(f"{name} needs {what} as bounds, got {low!r} and {high!r}")
    if low >= high:  # type: ignore[operator]
        raise ValueError(f"{name} needs its low bound below its high one, got {low!r} and {high!r}")


def _default_inside(name: str, space: Space) -> None:
    if not space.contains(space.default):
        raise ValueError(f"{name}: the default {space.default!r} is not {space}")


class Params(Mapping[str, Any]):
    """The parameters of one training, read-only; an unknown name says which there are."""

    def __init__(self, values: Mapping[str, Scalar]) -> None:
        self._values = dict(values)

    @classmethod
    def defaults(cls, space: Mapping[str, Space], **others: Scalar) -> Params:
        """The defaults of ``space`` with ``others`` over them, for a model's own tests."""
        return cls({name: entry.default for name, entry in space.items()} | others)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(self._values) or "none"
            raise KeyError(f"there is no parameter {name!r} in SPACE; known: {known}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Params({self._values!r})"


class TrainingData:
    """The rows to learn from: features without target and key, typed from the schema.

    A model's own tests make one of a pandas frame and series; training makes it lazily, by
    ``of``. Null is None for strings and NaN for numbers.
    """

    def __init__(
        self,
        features: pd.DataFrame,
        target: pd.Series[Any] | pd.DataFrame,
        *,
        seed: int = 0,
        folds: Sequence[int] | None = None,
        quantiles: tuple[float, ...] = (),
    ) -> None:
        if len(features) != len(target):
            raise ValueError(f"{len(features)} rows of features, but {len(target)} of the target")
        self._build: Callable[[FrameKind], tuple[Any, Any]] = lambda kind: _convert(features, target, kind)
        self._made: dict[FrameKind, tuple[Any, Any]] = {}
        self._asked: list[FrameKind] = []
        self.seed = seed
        """The seed that every generator was given; for ``random_state``."""
        self.folds = folds
        """[n] the fold of each row, from 0, where ``split`` asks for ``folds``; else None."""
        self.quantiles = quantiles
        """The levels that the settings ask for, rising; the model answers a number for each."""

    @classmethod
    def of(
        cls,
        build: Callable[[FrameKind], tuple[Any, Any]],
        *,
        seed: int = 0,
        folds: Sequence[int] | None = None,
        quantiles: tuple[float, ...] = (),
    ) -> TrainingData:
        """Rows that ``build(kind)`` gives as (features, target) when they are first asked for."""
        data = cls.__new__(cls)
        data._build, data._made, data._asked, data.seed, data.folds = build, {}, [], seed, folds
        data.quantiles = quantiles
        return data

    @property
    def features(self) -> pd.DataFrame:
        """A pandas frame, one column a feature, in the schema's order."""
        return self._get("pandas")[0]  # type: ignore[no-any-return]

    @property
    def target(self) -> Any:
        """A pandas series, of several labels a frame of 0 and 1, one column a label; with ``polars()`` or ``numpy()`` take
        the target from there."""
        return self._peek("pandas")[1]

    def polars(self) -> tuple[pl.DataFrame, Any]:
        """(features, target) as Polars: a frame and a series, or of several labels a frame."""
        return self._get("polars")

    def numpy(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """(features [n, k], target [n], of several labels [n, labels]): float64 when every feature is a number, else objects."""
        return self._get("numpy")

    @property
    def asked(self) -> tuple[FrameKind, ...]:
        """The kinds of frame that features were asked in, the latest last; training reads it."""
        return tuple(self._asked)

    def _get(self, kind: FrameKind) -> tuple[Any, Any]:
        made = self._peek(kind)
        self._asked = [*(k for k in self._asked if k != kind), kind]
        return made

    def _peek(self, kind: FrameKind) -> tuple[Any, Any]:
        if kind not in self._made:
            self._made[kind] = self._build(kind)
        return self._made[kind]


def _convert(
    features: pd.DataFrame, target: pd.Series[Any] | pd.DataFrame, kind: FrameKind
) -> tuple[Any, Any]:
    if kind == "numpy":
        return features.to_numpy(), target.to_numpy()
    if kind == "polars":
        import polars as pl

        return pl.from_pandas(features), pl.from_pandas(target)
    return features, target


class Recorder(Protocol):
    """What a training logs to."""

    def metric(self, name: str, value: float, step: int | None) -> None: ...
    def param(self, name: str, value: object) -> None: ...
    def artifact(self, path: str | PathLike[str], name: str | None) -> None: ...
    def chart(self, name: str, chart: object) -> None: ...


_recorder: Recorder | None = None
"""Of the process: a training's threads log to it as well."""


def record(recorder: Recorder | None) -> None:
    """Log to ``recorder`` from now on; training calls it. Until then, logging does nothing."""
    global _recorder
    _recorder = recorder


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """A point of the metric ``name``; without ``step`` they are counted from 0. NaN and infinity are allowed.

    As the other ``log_`` functions it does nothing outside of a run, as in a model's own tests or in a service.
    """
    if _recorder is not None:
        _recorder.metric(name, value, step)


def log_param(name: str, value: object) -> None:
    """Something that the training settled on; the last value of a name counts."""
    if _recorder is not None:
        _recorder.param(name, value)


def log_artifact(path: str | PathLike[str], name: str | None = None) -> None:
    """Keep a file, or every file of a folder, with the run; it is copied now. ``name`` is by default the file's."""
    if _recorder is not None:
        _recorder.artifact(path, name)


def log_chart(name: str, chart: object) -> None:
    """Keep a chart with the run: a Vega-Lite specification, an Altair chart or a Matplotlib figure."""
    if _recorder is not None:
        _recorder.chart(name, chart)


class Used(Protocol):
    """A registered version of another model, which answers as a service of it would."""

    @property
    def classes(self) -> tuple[bool | int | str, ...]:
        """In the order of the probabilities; empty for a regression."""
        ...

    def predict(self, rows: Any) -> np.ndarray[Any, Any]:
        """Labels or numbers [n] for a pandas or Polars frame that has its features by name, or an array of them."""
        ...

    def predict_proba(self, rows: Any) -> np.ndarray[Any, Any]:
        """Probabilities [n, c]."""
        ...


Opener = Callable[[str], Used]
_opener: ContextVar[Opener | None] = ContextVar("modelyard_used", default=None)
_process_opener: Opener | None = None


def used(name: str) -> Used:
    """The version of the model ``name`` that ``uses`` under ``[models.NAME]`` in the settings names.

    In training and in a service alike; a package carries the version that it was trained with.
    """
    opener = _opener.get() or _process_opener
    if opener is None:
        raise LookupError(
            f"my.used({name!r}) answers where a model's code is trained, tested by 'modelyard check' or served, and the "
            "model has 'uses' in modelyard.toml"
        )
    return opener(name)


def use(opener: Opener) -> None:
    """Answer ``used`` by ``opener`` in all of this process, as a training does."""
    global _process_opener
    _process_opener = opener


@contextmanager
def using(opener: Opener) -> Iterator[None]:
    """Answer ``used`` by ``opener`` within, as a service does that answers for several models."""
    token = _opener.set(opener)
    try:
        yield
    finally:
        _opener.reset(token)
