"""Make the golden values of ``tests/monitoring/golden``: what Evidently and NannyML themselves say of the cases there.

Run it by a Python that has the tool: ``python golden.py evidently FILE`` or ``python golden.py nannyml FILE``. It
reads the file's cases and writes them back with ``said``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def main() -> None:
    tool, file = sys.argv[1], Path(sys.argv[2])
    cases = json.loads(file.read_text())["cases"]
    for case in cases:
        random = np.random.default_rng(case["seed"])
        reference, window = drawn(random, case["reference"]), drawn(random, case["window"])
        case["said"] = {"evidently": evidently, "nannyml": nannyml}[tool](case, reference, window)
    version = __import__(tool).__version__
    text = ",\n".join("  " + json.dumps(case) for case in cases)
    file.write_text(f'{{"tool": "{tool} {version}", "cases": [\n{text}\n]}}\n')


def drawn(random: np.random.Generator, given: dict[str, Any]) -> Any:
    """``{"draw": method of the generator, "with": its arguments}``, with the first values replaced by ``put``."""
    values = getattr(random, given["draw"])(*given["with"])
    values = values.astype(object) if values.dtype.kind == "U" else values.astype(float)
    for at, value in enumerate(given.get("put", [])):
        values[at] = float(value) if values.dtype == float else value
    return values


def evidently(case: dict[str, Any], reference: Any, window: Any) -> dict[str, Any]:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    numeric = reference.dtype == float
    columns = (
        DataDefinition(numerical_columns=["x"]) if numeric else DataDefinition(categorical_columns=["x"])
    )
    made = [Dataset.from_pandas(pd.DataFrame({"x": v}), data_definition=columns) for v in (window, reference)]
    report = Report([ValueDrift(column="x", method=case.get("test"))])
    (metric,) = json.loads(report.run(*made).json())["metrics"]
    config = metric["config"]
    return {"value": metric["value"], "by": config["method"], "threshold": config["threshold"]}


def nannyml(_: dict[str, Any], reference: Any, window: Any) -> dict[str, Any]:
    import nannyml as nml

    calculator = nml.UnivariateDriftCalculator(column_names=["x"])
    calculator.fit(pd.DataFrame({"x": reference}))
    calculator.chunker = nml.chunk.CountBasedChunker(1)  # the window is one chunk
    found = calculator.calculate(pd.DataFrame({"x": window})).filter(period="analysis").to_df()
    row = found["x"]["jensen_shannon"].iloc[0]
    return {"value": float(row["value"]), "upper": float(row["upper_threshold"]), "alert": bool(row["alert"])}


if __name__ == "__main__":
    main()
