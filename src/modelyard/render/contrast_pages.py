"""``diff`` as a page and as Markdown with pictures beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup

from modelyard.records.contrast import Contrasts
from modelyard.render import html, markdown
from modelyard.render.contrasted import ContrastView, FileRow, views
from modelyard.render.overlaid import Drawing, drawings

_LINES = 300
"""Of code in one Markdown text, which forges cut at 65,536 characters."""


def page(record: Contrasts) -> str:
    """One self-contained page, light and dark, readable offline and on a phone."""
    return html.page(
        "diff.html",
        record=record,
        views=views(record),
        charts=[
            [(one, Markup(_own(one, at))) for one in drawings(model)]
            for at, model in enumerate(record.models)
        ],
    )


def text(record: Contrasts, folder: str, kind: Literal["svg", "png"] = "svg") -> tuple[str, dict[str, bytes]]:
    """GitHub-flavoured Markdown, and the pictures by the name that it links below ``folder``."""
    from modelyard.render.images import picture, raster

    pictures: dict[str, bytes] = {}
    images: list[list[tuple[str, markdown.Verbatim]]] = []
    for model in record.models:
        images.append([])
        for one in drawings(model):
            name = f"{_plain(model.model)}-{one.name}.{kind}"
            pictures[name] = picture(one.svg) if kind == "svg" else raster(one.svg)
            images[-1].append((one.title, markdown.Verbatim(f"{folder}/{name}")))
    shown = views(record)
    written = markdown.page("diff.md", record=record, views=shown, images=images, blocks=_blocks(shown))
    return written, pictures


def _own(one: Drawing, at: int) -> str:
    """Ids that no other model's drawing has."""
    return re.sub(rf"\b{re.escape(one.name)}-", f"m{at}-{one.name}-", one.svg) if at else one.svg


def _blocks(shown: Sequence[ContrastView]) -> list[list[tuple[FileRow, markdown.Verbatim]]]:
    left = _LINES
    found: list[list[tuple[FileRow, markdown.Verbatim]]] = []
    for view in shown:
        found.append([])
        for file in view.code:
            lines = file.diff.splitlines()
            taken = lines[:left]
            left -= len(taken)
            more = len(lines) - len(taken)
            cut = "\n".join([*taken, *([f"... and {more:,} more lines"] if more else [])])
            found[-1].append((file, markdown.fenced(cut, "diff") if lines else markdown.Verbatim("")))
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)
