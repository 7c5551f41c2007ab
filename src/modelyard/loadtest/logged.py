"""What a request leaves in the prediction log."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelyard.predictions import Ids, frame
from modelyard.records.package import Manifest
from modelyard.records.tested import Golden
from modelyard.tables import decode


class _Answers(NamedTuple):
    prediction: NDArray[Any]
    probability: NDArray[np.float64] | None
    quantiles: NDArray[np.float64] | None


def log_bytes(manifest: Manifest, golden: Golden, *, rows: int) -> float | None:
    """Bytes of a request of so many rows, as the log has it; the mean over the package's golden rows, None without any.

    Each request counts with a frame of its own. Under load several share one, so that it is at most this.
    """
    if not golden.rows:
        return None
    decoder, ids = decode.compile(manifest.schema), Ids()
    regression = manifest.task == "regression"
    sizes = []
    for first in range(len(golden.rows)):
        at = [(first + i) % len(golden.rows) for i in range(rows)]
        batch = decoder.records([golden.rows[i] for i in at], max_rows=rows).batch
        labels = None if regression else [golden.prediction[i] for i in at]
        meta = frame.Meta(
            [ids.next()], [rows] if rows > 1 else None, None, batch.texts.ravel().tolist(), labels
        )
        answers = _Answers(
            np.asarray([golden.prediction[i] for i in at]) if regression else np.zeros(rows),
            _taken(golden.probability, at),
            _taken(golden.quantiles, at),
        )
        sizes.append(len(frame.rows(0, batch, answers, meta=meta, sequence=0, at=time.time(), latency=0.0)))
        if rows >= len(golden.rows):
            break
    return sum(sizes) / len(sizes)


def _taken(values: list[list[float]] | None, at: list[int]) -> NDArray[np.float64] | None:
    return None if values is None else np.asarray([values[i] for i in at], np.float64)
