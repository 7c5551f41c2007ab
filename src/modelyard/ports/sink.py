"""The seam between a service and the log of its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.records.package import Manifest
from modelyard.records.service import ServedModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Rows(Protocol):
    """Features of n rows as ``tables.batch.Batch`` has them."""

    @property
    def numbers(self) -> NDArray[np.float64]: ...
    @property
    def texts(self) -> NDArray[np.object_]: ...


class Answered(Protocol):
    """A model's answers for n rows as ``predictor.answers.Answers`` has them."""

    @property
    def prediction(self) -> NDArray[Any]: ...
    @property
    def probability(self) -> NDArray[np.float64] | None: ...
    @property
    def quantiles(self) -> NDArray[np.float64] | None: ...


class PredictionSink(Protocol):
    """Where a worker logs what it answered. One thread, one process; a fork opens its own.

    ``write`` only gathers; what ``flush`` returned from is logged and survives ``kill -9`` of the
    process. So a loop turn is: ``write`` for each model's batch, one ``flush``, then the replies. When
    ``flush`` raises ``StoreDown`` everything gathered since the last one is dropped and must not be
    answered; a later turn may succeed again. Predictions are never lost between two that are logged.
    """

    def begin(self, model: ServedModel, manifest: Manifest) -> int:
        """Announce a model; the key is what ``write`` takes. No I/O."""
        ...

    def write(
        self,
        key: int,
        batch: Rows,
        answers: Answered,
        *,
        ids: Sequence[bytes],
        at: float,
        latency: float,
        counts: Sequence[int] | None = None,
        client_ids: Sequence[str | None] | None = None,
    ) -> None:
        """Gather one batch of that model: request i has ``ids[i]`` and the next ``counts[i]`` rows.

        Without ``counts`` each request is one row. ``at`` is seconds since 1970, ``latency`` seconds.
        ``client_ids`` are what clients called their requests.
        """
        ...

    def outcomes(self, model: str, outcomes: Sequence[Outcome], *, at: float) -> None:
        """Gather what was told at ``at`` (seconds since 1970) of answers of that model, whoever gave them."""
        ...

    def minutes(self, minutes: Sequence[Minute], *, at: float) -> None:
        """Gather what was counted up to ``at`` (seconds since 1970) since the last time."""
        ...

    def flush(self, *, fsync: bool = False) -> None:
        """Log what was gathered, in one write. ``fsync`` waits for the disk too. Raises ``StoreDown``.

        Without anything gathered it only does what is due by the clock.
        """
        ...

    def close(self) -> None:
        """``flush``, and let go of what was written. A closed sink takes nothing more."""
        ...
