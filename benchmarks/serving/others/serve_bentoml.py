"""BentoML with adaptive batching; started by ``python -m bentoml serve``, told CSV and KIND by the environment."""

import os

import bentoml
import numpy as np
from fit import fit


@bentoml.service(workers=1)
class Model:
    def __init__(self) -> None:
        self.model, self.names = fit(os.environ["PEER_CSV"], os.environ["PEER_KIND"])

    @bentoml.api(batchable=True, max_batch_size=1024, max_latency_ms=10_000)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(rows)
