"""Tables and trees for terminals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_NUMBER = re.compile(r"^[-+−]?[\d.,]+(e[-+]?\d+)?( ?%)?$")
_EMPTY = frozenset({"", "-", "–"})


@dataclass(frozen=True)
class Branch:
    text: str
    branches: list[Branch] = field(default_factory=list)


def tree(root: Branch) -> str:
    """Lines with their branches below, without a trailing newline; control characters become ``?``."""
    return "\n".join([_cell(root.text), *_below(root, "")])


def _below(branch: Branch, margin: str) -> list[str]:
    lines = []
    for at, inner in enumerate(branch.branches):
        last = at == len(branch.branches) - 1
        lines.append(f"{margin}{'└── ' if last else '├── '}{_cell(inner.text)}")
        lines += _below(inner, f"{margin}{'    ' if last else '│   '}")
    return lines


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns under underlined headers, without a trailing newline.

    Columns of numbers stand right, others left; None is shown as ``-``. Control characters in a
    cell (a column's name may hold any) become ``?``, so that none reaches the terminal.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    for row in cells:
        if len(row) != len(headers):
            raise ValueError(f"a row has {len(row)} cells under {len(headers)} headers")
    columns = [[row[i] for row in cells] for i in range(len(headers))]
    widths = [
        max(_width(text) for text in (header, *column))
        for header, column in zip(headers, columns, strict=True)
    ]
    right = [_numeric(column) for column in columns]
    lines = [list(headers), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(_pad(t, w, r) for t, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return harmless(str(value))


def harmless(text: str, *, keep: str = "") -> str:
    """Text without control characters but those in ``keep``: others' words must not steer a terminal."""
    return "".join("?" if unicodedata.category(c) in ("Cc", "Cs") and c not in keep else c for c in text)


def _numeric(column: Sequence[str]) -> bool:
    told = [text for text in column if text not in _EMPTY]
    return bool(told) and all(_NUMBER.match(text) for text in told)


def _width(text: str) -> int:
    """Cells on a terminal: East Asian wide characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
