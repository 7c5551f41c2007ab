"""Whether the libraries that a native model was sealed with are the ones installed here."""

from __future__ import annotations

import importlib.metadata
import re

from modelyard.errors import ExtraMissing


def require(requirements: tuple[str, ...], who: str) -> None:
    """Hold installed versions to ``name==version`` requirements; ``who`` begins the sentence.

    Raises ``ExtraMissing`` naming the first that is absent or of another version. A local part
    (``+cpu``) counts only when the requirement has one.
    """
    for requirement in requirements:
        name, _, wanted = requirement.partition("==")
        if not wanted:
            continue
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = ""
        if _same(found, wanted):
            continue
        state = f"{name} {found} is installed" if found else f"{name} is not installed"
        raise ExtraMissing(
            f"A native model runs in the versions it was sealed with: {who} needs {requirement}, but {state} "
            "here; install the package's requirements.txt in an environment of its own."
        )


def _same(found: str, wanted: str) -> bool:
    if "+" not in wanted:
        found = found.partition("+")[0]
    return re.sub(r"[-_]", ".", found.lower()) == re.sub(r"[-_]", ".", wanted.lower())
