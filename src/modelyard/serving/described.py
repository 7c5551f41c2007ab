"""What the Open Inference Protocol tells of a model beside its metadata: Triton's configuration and statistics."""

from __future__ import annotations

from typing import Any

from modelyard.serving.live import Live

_TYPES = {"BYTES": "TYPE_STRING", "FP64": "TYPE_FP64", "INT64": "TYPE_INT64", "BOOL": "TYPE_BOOL"}


def config(live: Live) -> dict[str, Any]:
    """A model's configuration; its inputs and outputs have the batch as their own first dimension."""
    told = live.metadata()

    def tensors(side: str) -> list[dict[str, Any]]:
        return [
            {"name": t["name"], "data_type": _TYPES[t["datatype"]], "dims": t["shape"]} for t in told[side]
        ]

    return {
        "name": live.served.model,
        "platform": told["platform"],
        "backend": live.manifest.form,
        "version_policy": {"specific": {"versions": [live.served.version]}},
        "max_batch_size": 0,
        "input": tensors("inputs"),
        "output": tensors("outputs"),
    }


def statistics(live: Live) -> dict[str, Any]:
    """All workers' counts of a model: rows are inferences, model calls executions."""
    counted = live.tally.read()
    nothing = {"count": 0, "ns": 0}
    return {
        "name": live.served.model,
        "version": live.version,
        "last_inference": 0,
        "inference_count": counted.rows,
        "execution_count": counted.turns,
        "inference_stats": {
            "success": {"count": counted.answered, "ns": counted.nanoseconds},
            "fail": {"count": counted.problems, "ns": 0},
            "queue": nothing,
            "compute_input": nothing,
            "compute_infer": nothing,
            "compute_output": nothing,
        },
        "batch_stats": [],
    }
