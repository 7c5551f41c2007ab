"""The compiled form: one ONNX session, one call a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError, Tampered
from modelyard.predictor.answers import Answers, decide, label_array, of_labels, of_quantiles
from modelyard.predictor.runtime import onnxruntime
from modelyard.records.package import Label, Task
from modelyard.tables.batch import Batch

NULL = "\ue000null"
"""How a null text reaches a graph: a private character, so that no text of a table is it."""


def session(
    content: bytes,
    task: Task,
    classes: tuple[Label, ...],
    quantiles: tuple[float, ...] = (),
    thresholds: tuple[float, ...] = (),
) -> Callable[[Batch], Answers]:
    """What asks a compiled graph: inputs ``numbers`` [n, k] double and ``texts`` [n, s] string (either
    may be absent), output ``probability`` [n, c] double, or ``number`` [n, 1] double for a regression, of
    ``quantiles`` [n, levels].

    A null text reaches the graph as ``NULL``. Labels follow from the probabilities by
    ``decide``, several by ``thresholds``. One thread: services scale by processes. Raises ``Tampered`` for a graph that does not load.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # batches differ in size: patterns planned for one shape and an arena that only grows are of no use
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        opened = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Tampered(f"model/model.onnx does not load: {str(error).splitlines()[0]}") from None
    run: Callable[..., list[NDArray[Any]]] = opened.run
    inputs = {entry.name for entry in opened.get_inputs()}
    with_numbers, with_texts = "numbers" in inputs, "texts" in inputs
    outputs = ["number" if task == "regression" else "probability"]
    labels = label_array(classes)

    def ask(batch: Batch) -> Answers:
        feed: dict[str, NDArray[Any]] = {}
        if with_numbers:
            feed["numbers"] = batch.numbers
        if with_texts:
            feed["texts"] = _filled(batch.texts)
        try:
            given = run(outputs, feed)[0]
        except Exception as error:
            raise AuthorError(f"The compiled model raised {_line(error)}") from error
        if not math.isfinite(given.sum()):
            raise AuthorError("The model gave an answer that is not finite; every answer must be.")
        if quantiles:
            if given.shape != (len(batch), len(quantiles)):
                raise AuthorError(
                    f"The compiled model gave the shape {list(given.shape)} for {len(quantiles)} quantiles."
                )
            return of_quantiles(given, quantiles)
        if task == "regression":
            return Answers(given.reshape(-1))
        if task == "multilabel":
            if given.shape != (len(batch), len(classes)):
                raise AuthorError(
                    f"The compiled model gave the shape {list(given.shape)} for {len(classes)} labels."
                )
            return of_labels(given, classes, thresholds)
        return Answers(decide(given, labels), given)

    return ask


def _filled(texts: NDArray[np.object_]) -> NDArray[np.object_]:
    null = texts == None  # noqa: E711
    if not null.any():
        return texts
    filled = texts.copy()
    filled[null] = NULL
    return filled


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
