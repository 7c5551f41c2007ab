"""Licences of what the project depends on, as the installed distributions declare them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from typing import Any

from modelyard.records.weakness import Weakness
from modelyard.scanning.dependencies import Dependency

_CLASSIFIED = {
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU General Public License (GPL)": "GPL",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL",
    "MIT License": "MIT",
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_CHOICE = re.compile(r"\s+OR\s+", re.IGNORECASE)
_PARTS = re.compile(r"\s+AND\s+|[()\s]+", re.IGNORECASE)


def licences(wanted: Iterable[Dependency], denied: Sequence[str]) -> Iterator[Weakness]:
    """Dependencies of which no offered licence is free of the denied ones; those that declare none are a note."""
    told: set[str] = set()
    for dependency in sorted(set(wanted)):
        if dependency.name in told:
            continue
        told.add(dependency.name)
        try:
            found = declared(metadata.distribution(dependency.name))
        except metadata.PackageNotFoundError:
            continue
        if not found:
            yield _weakness(dependency, "licence-unknown", "declares no licence: look at what it ships.")
        elif all(_refused(choice, denied) for choice in _CHOICE.split(found)):
            yield _weakness(
                dependency, "licence-denied", f"has the licence {found}, which 'licences_denied' names."
            )


def declared(distribution: metadata.Distribution) -> str:
    """An SPDX expression as far as the metadata has one; otherwise the words that stand there."""
    told: Any = distribution.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classified = [
        classifier.rpartition(" :: ")[2]
        for classifier in told.get_all("Classifier") or ()
        if classifier.startswith("License :: ")
    ]
    named = [_CLASSIFIED.get(words, words) for words in classified if words != "OSI Approved"]
    if named:
        return " OR ".join(named)
    words = " ".join(str(told.get("License") or "").split())
    return words if len(words) <= 80 and words.upper() != "UNKNOWN" else ""


def _refused(choice: str, denied: Sequence[str]) -> bool:
    parts = [part for part in _PARTS.split(choice) if part]
    return any(fnmatch.fnmatchcase(part, pattern) for part in parts for pattern in denied)


def _weakness(dependency: Dependency, rule: str, said: str) -> Weakness:
    return Weakness(
        check="licences",
        rule=rule,
        level="note" if rule == "licence-unknown" else "error",
        path=dependency.path,
        line=dependency.line,
        message=f"{dependency.name} {dependency.version} {said}",
        fingerprint=dependency.name,
    )
