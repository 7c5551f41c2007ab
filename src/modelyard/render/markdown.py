"""Records as Markdown, for pull requests and repositories."""

from __future__ import annotations

import re

import jinja2

from modelyard.records.report import Report
from modelyard.render.view import view

_SPECIAL = re.compile(r"([\\`*\[\]|~]|(?<!\w)_|_(?!\w)|^[#+>-])")
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def report(record: Report) -> str:
    """The report as GitHub-flavoured Markdown: verdict, gates, metrics, confusion matrix."""
    text = _PAGES.get_template("report.md").render(view=view(record), report=record)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def escape(value: object) -> str:
    """Text that stays text in a paragraph, heading or table cell: no markup, mention or line break."""
    text = _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))
    text = "".join(_ENTITIES.get(c, c) for c in text)
    return _MENTION.sub("@\u2060", text)


def _finalize(value: object) -> object:
    return escape(value)


# Not autoescape, which is for HTML: every expression passes through Markdown's own escaping.
_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("modelyard.render"),
    autoescape=False,
    finalize=_finalize,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
