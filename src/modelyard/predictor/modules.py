"""PyTorch's modules: how one answers, where ``model.py`` does not say it otherwise."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError

if TYPE_CHECKING:  # training in an environment of its own has no msgspec
    from modelyard.records.package import Task


def is_module(model: Any) -> bool:
    """Whether it is a ``torch.nn.Module``; nobody else has imported PyTorch then."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def ask(module: Any, rows: Any, task: Task) -> NDArray[Any]:
    """What the module gives for rows of numbers, as float32 [n, k]: numbers [n], or probabilities [n, c] in
    the order of the sorted classes.

    Two classes may be told by the probability [n] or [n, 1] of the last one; of several labels each has its own. It is asked in its evaluation
    mode, without gradients. Raises ``AuthorError`` for what are no probabilities.
    """
    torch: Any = sys.modules["torch"]
    module.eval()
    with torch.no_grad():
        given = module(torch.from_numpy(np.asarray(rows, dtype=np.float32))).numpy()
    if task == "regression":
        return np.asarray(given)
    if task == "binary" and (given.ndim == 1 or given.shape[1:] == (1,)):
        given = given.reshape(-1)
        given = np.column_stack([1 - given, given])
    whole = task == "multilabel" or np.abs(given.sum(axis=1) - 1).max(initial=0) <= 1e-3
    if bool((given < 0).any() or (given > 1).any()) or not whole:
        raise AuthorError(
            f"{type(module).__name__} gives numbers that are no probabilities; end it with a softmax or a "
            "sigmoid, or write 'predict(model, rows)' in model.py."
        )
    return np.asarray(given)
