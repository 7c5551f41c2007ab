"""Estimated against realised quality on NannyML's labelled sets, beside NannyML's own estimates.

    python benchmarks/monitoring/estimated.py --peer /path/to/python [--write docs/estimated-quality.md]

``--peer`` is a Python that has nannyml 0.13.1, pandas below 3 and statsmodels. The sets come with it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from modelyard import metrics
from modelyard.monitoring.expected import by_confidence, by_loss
from modelyard.monitoring.terms import Judged
from modelyard.monitoring.weighted import LEAST, by_importance, weights, worth

NAMES = {"multiclass": {"roc_auc": "roc_auc_ovr", "f1": "f1_macro"}}
PEER = Path(__file__).with_name("nannyml_peer.py")


def part(arrays: Any, which: str, task: Any) -> Judged:
    truth, said = arrays[f"{which}_truth"], arrays[f"{which}_said"]
    nothing = np.zeros(len(truth), dtype=np.intp)
    if task == "regression":
        return Judged(task, 0, truth, said, None, nothing)
    chance = arrays[f"{which}_chance"]
    if task == "binary":
        chance = np.column_stack([1 - chance[:, 0], chance[:, 0]])
    return Judged(task, chance.shape[1], truth.astype(int), said.astype(int), chance, nothing)


def compared(name: str, told: dict[str, Any], arrays: Any) -> list[str]:
    """A row of the table for each metric."""
    task, size = told["task"], told["size"]
    reference, analysis = part(arrays, "reference", task), part(arrays, "analysis", task)
    renamed = NAMES.get(task, {})
    wanted = [renamed.get(m, m) for m in told["estimates"][0]]
    errors: dict[str, list[list[float]]] = {m: [[], [], []] for m in wanted}
    for at, theirs in enumerate(told["estimates"]):
        here = np.arange(at * size, (at + 1) * size)
        rows = analysis.take(here)
        labels = () if task == "regression" else tuple(range(rows.classes))
        true = metrics.score(task, rows.truth, rows.prediction, rows.probability, labels)
        weighted = {}
        if task == "regression":
            before, after = arrays["reference_features"], arrays["analysis_features"][here]
            ours = by_loss(before, reference, after, rows)
            weight = weights(before, after)
            weighted = by_importance(reference, weight, size) if worth(weight) >= LEAST else {}
        else:
            ours = by_confidence(reference, rows)
        for metric, (value, _) in theirs.items():
            known = renamed.get(metric, metric)
            errors[known][0].append(abs(ours[known].value - true[known]))
            errors[known][1].append(abs(value - true[known]))
            if known in weighted:
                errors[known][2].append(abs(weighted[known].value - true[known]))
    lines = []
    for metric, found in errors.items():
        cells = [f"{np.mean(e):.5g}" if e else "" for e in found]
        lines.append(f"| {name} | {metric} | {size:,} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="a Python with nannyml 0.13.1")
    parser.add_argument("--write", type=Path, help="also write the page here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.peer, PEER, "sets", folder], check=True)
        told = json.loads((Path(folder) / "told.json").read_text())
        lines = []
        for name, found in told.items():
            with np.load(Path(folder) / f"{name}.npz") as arrays:
                lines += compared(name, found, dict(arrays))
    page = _PAGE.format(rows="\n".join(lines))
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


_PAGE = """# Estimated quality, held against what was true

Measured, not promised: made by `python benchmarks/monitoring/estimated.py --peer PYTHON --write docs/estimated-quality.md`, where PYTHON has NannyML
0.13.1. Each of its labelled sets is cut into ten windows; a figure is the mean distance between the metric as it was estimated without
outcomes and as it was, over the ten.

| set | metric | rows a window | Modelyard | NannyML | by importance |
|---|---|---:|---:|---:|---:|
{rows}

Of classes both estimate by the same rules (see [quality](quality.md#estimated-quality)), so the figures agree; of numbers the errors are learned by
scikit-learn's gradient boosting here and by LightGBM there. Weighting by importance needs features, which this comparison has for the
regression alone.
"""


if __name__ == "__main__":
    main()
