"""``diff`` as a page and as Markdown with pictures beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from markupsafe import Markup

from modelyard.records.contrast import Contrasts
from modelyard.render import html, markdown
from modelyard.render.contrasted import ContrastView, FileRow, settings, settings_note, views
from modelyard.render.overlaid import Drawing, drawings

_LINES = 300
"""Of code in one Markdown text, which forges cut at 65,536 characters."""


def page(record: Contrasts) -> str:
    """One self-contained page, light and dark, readable offline and on a phone."""
    return html.page(
        "diff.html",
        record=record,
        views=views(record),
        settings=settings(record),
        settings_note=settings_note(record),
        charts=[
            [(one, Markup(_own(one, at))) for one in drawings(model)]
            for at, model in enumerate(record.models)
        ],
    )


def text(
    record: Contrasts,
    place: Callable[[str, bytes], str | None],
    kind: Literal["svg", "png"] = "svg",
    *,
    below: str = "",
) -> str:
    """GitHub-flavoured Markdown. ``place`` is given each picture by name and tells its address, or None to leave it out.

    ``below`` stands before the hashes of headings, so that they are below those of what holds the text.
    """
    from modelyard.render.images import picture, raster

    images: list[list[tuple[str, markdown.Verbatim]]] = []
    for model in record.models:
        images.append([])
        for one in drawings(model):
            content = picture(one.svg) if kind == "svg" else raster(one.svg)
            if address := place(f"{_plain(model.model)}-{one.name}.{kind}", content):
                images[-1].append((one.title, markdown.Verbatim(address)))
    shown = views(record)
    told = {"settings": settings(record), "settings_note": settings_note(record)}
    written = markdown.page(
        "diff.md", record=record, views=shown, images=images, blocks=_blocks(shown), **told
    )
    return re.sub(r"^(#{1,5} )", rf"{below}\1", written, flags=re.MULTILINE) if below else written


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
