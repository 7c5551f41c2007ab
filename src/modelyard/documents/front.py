"""The YAML at the head of a model card, in Hugging Face's form."""

from __future__ import annotations

import re
from typing import Any

from modelyard.documents.facts import ModelFacts

_LIBRARIES = {"torch": "pytorch", "xgboost": "xgboost", "lightgbm": "lightgbm", "scikit-learn": "sklearn"}
_TAGS = ("modelyard", "tabular")


def front(facts: ModelFacts) -> dict[str, Any]:
    """What the head holds. Metrics are of all test rows, each with its 95 % interval among its ``args``."""
    from modelyard.render.wording import words

    regression = facts.manifest.task == "regression"
    task = "tabular-regression" if regression else "tabular-classification"
    report, answers = facts.report, facts.answers
    made: dict[str, Any] = {
        "license": answers.license,
        "language": list(answers.language) or None,
        "tags": [*dict.fromkeys((*_TAGS, *answers.tags))],
        "library_name": _library(facts),
        "pipeline_tag": task,
        "metrics": [metric.name for metric in report.metrics],
        "model-index": [
            {
                "name": facts.manifest.model,
                "results": [
                    {
                        "task": {"type": task, "name": task.replace("-", " ").capitalize()},
                        "dataset": {
                            "type": report.dataset.partition("@")[0],
                            "name": report.dataset,
                            "split": "test",
                            "revision": report.dataset_digest,
                        },
                        "metrics": [
                            {
                                "type": metric.name,
                                "value": metric.value,
                                "name": words(metric.name)[0],
                                "args": {"rows": report.rows, "low": metric.low, "high": metric.high},
                            }
                            for metric in report.metrics
                        ],
                    }
                ],
            }
        ],
    }
    return {key: value for key, value in made.items() if value is not None}


def _library(facts: ModelFacts) -> str | None:
    if facts.manifest.form == "onnx":
        return "onnx"
    names = {re.split(r"[^A-Za-z0-9_.-]", one)[0].lower() for one in facts.manifest.requirements}
    return next((library for name, library in _LIBRARIES.items() if name in names), None)


def yaml(head: dict[str, Any]) -> str:
    """Between its two lines of dashes."""
    import yaml as pyyaml

    text = pyyaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n"
