"""Small pieces of HTML for a notebook's cells: no script, no style sheet, no request; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from modelyard.render.text import harmless

_HEAD = Markup('<div style="margin:.3em 0"><b>{}</b> {}</div>')


def sheet(title: str, note: str, facts: Iterable[tuple[str, object]]) -> str:
    """A heading over lines of a name and what it is; a line without anything to say is left out."""
    lines = Markup().join(
        Markup('<tr><th style="text-align:left">{}</th><td style="text-align:left">{}</td></tr>').format(
            _text(name), _text(value)
        )
        for name, value in facts
        if value not in (None, "")
    )
    return str(Markup("<div>{}<table>{}</table></div>").format(_head(title, note), lines))


def grid(
    title: str,
    note: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[int] = (),
) -> str:
    """A heading over a table; the columns at ``right`` hold numbers."""

    def line(cells: Sequence[object], tag: str) -> Markup:
        return Markup().join(
            Markup('<{} style="text-align:{}">{}</{}>').format(
                tag, "right" if at in right else "left", _text(cell), tag
            )
            for at, cell in enumerate(cells)
        )

    lines = Markup().join(Markup("<tr>{}</tr>").format(line(row, "td")) for row in rows)
    table = Markup(
        '<div style="overflow-x:auto"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    )
    return str(Markup("<div>{}{}</div>").format(_head(title, note), table.format(line(headers, "th"), lines)))


def _head(title: str, note: str) -> Markup:
    return _HEAD.format(_text(title), _text(note))


def _text(value: object) -> Markup:
    return escape(harmless(str("" if value is None else value)))
