"""How a file of the code was rewritten, as lines that a person reads."""

from __future__ import annotations

import difflib
from itertools import islice
from typing import Literal

from modelyard.records.contrast import Rewritten

LINES = 400
"""Of a file's difference that are told."""
_LONG, _LARGE = 400, 1 << 20
"""Characters of a line, and bytes of a file that is compared line by line."""


def rewritten(path: str, before: bytes | None, after: bytes | None) -> Rewritten:
    """The difference; None is a file that is not there. What is no text, or too large to read, has no lines."""
    change: Literal["new", "gone", "changed"] = (
        "new" if before is None else "gone" if after is None else "changed"
    )
    old, new = _lines(before), _lines(after)
    if old is None or new is None:
        return Rewritten(path=path, change=change, added=0, removed=0)
    left, right = ("/dev/null" if one is None else path for one in (before, after))
    found = list(difflib.unified_diff(old, new, left, right, lineterm=""))
    body = found[2:]
    return Rewritten(
        path=path,
        change=change,
        added=sum(line.startswith("+") for line in body),
        removed=sum(line.startswith("-") for line in body),
        diff="\n".join(islice((line[:_LONG] for line in found), LINES)),
        cut=max(0, len(found) - LINES),
    )


def _lines(content: bytes | None) -> list[str] | None:
    if content is None:
        return []
    if len(content) > _LARGE or b"\0" in content:
        return None
    try:
        return content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None
