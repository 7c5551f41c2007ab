"""Weak Python code, by bandit."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from modelyard.records.weakness import Level, Weakness
from modelyard.scanning.files import Files

_LEVELS: dict[str, Level] = {"HIGH": "error", "MEDIUM": "warning", "LOW": "note"}


def code(files: Files) -> Iterator[Weakness]:
    """What bandit says, its severity as the level; ``# nosec B602`` on a line says that it was looked at."""
    logging.getLogger("bandit").setLevel(logging.CRITICAL)
    named = {str(file): path for path, file in files.of("*.py")}
    with warnings.catch_warnings():  # of what it calls in libraries of its own
        warnings.simplefilter("ignore")
        docs: Any = importlib.import_module("bandit.core.docs_utils")
        bandit = _bandit()
        bandit.files_list = sorted(named)
        bandit.run_tests()
    for issue in bandit.get_issue_list():
        yield Weakness(
            check="code",
            rule=issue.test_id,
            level=_LEVELS.get(str(issue.severity), "note"),
            path=named[issue.fname],
            line=max(1, issue.lineno),
            message=" ".join(issue.text.split()),
            help=docs.get_url(issue.test_id),
            fingerprint=issue.get_code(max_lines=1).strip().partition(" ")[2],
        )
    for file, reason in bandit.get_skipped():
        yield Weakness(
            check="code",
            rule="not-python",
            level="warning",
            path=named.get(file, file),
            message=f"It could not be looked at: {reason}.",
        )


def _bandit() -> Any:
    config: Any = importlib.import_module("bandit.core.config")
    manager: Any = importlib.import_module("bandit.core.manager")
    chosen = config.BanditConfig()
    chosen.config["assert_used"] = {
        "skips": ["*/test_*.py", "*_test.py", "*/conftest.py"]
    }  # what tests are made of
    return manager.BanditManager(chosen, "file", quiet=True)
