"""What trains, wherever it runs: a ``Worker`` on this machine, or a ``Remote`` on a cluster's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from modelyard.authoring import Space
from modelyard.errors import ClusterDown
from modelyard.records.run import Scalar
from modelyard.training import messages

T = TypeVar("T")
ATTEMPTS = 5


class Trains(Protocol):
    """As ``training.Worker`` says; what is lost with a machine raises ``Lost``, and is to be done again elsewhere."""

    @property
    def alive(self) -> bool: ...
    def __enter__(self) -> Trains: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def renew(self) -> None: ...
    def space(self) -> dict[str, Space]: ...
    def begin(self, job: messages.Begin) -> None: ...
    def fit(self, params: Mapping[str, Scalar], *, record: Path | None = None) -> messages.Fitted: ...
    def score(
        self,
        params: Mapping[str, Scalar],
        *,
        fold: int,
        metric: str,
        forward: bool = False,
        share: float = 1.0,
        record: Path | None = None,
    ) -> messages.Scored: ...
    def seal(self, job: messages.Seal) -> None: ...
    def halt(self) -> None: ...
    def close(self) -> None: ...


class Lost(Exception):
    """The machine that was at work is gone."""


def enduring(work: Callable[[], T], what: str) -> T:
    """Do it again when the machine that it ran on is lost; ``what`` begins the sentence of giving up."""
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            return work()
        except Lost as lost:
            reason = str(lost).rstrip(". ")
    raise ClusterDown(
        f"{what} lost the machine that it ran on {ATTEMPTS} times in a row, the last time: {reason}; look after the "
        "cluster's nodes and run the command again, which goes on with what was finished."
    )
