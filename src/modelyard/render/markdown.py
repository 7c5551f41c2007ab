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
    return page("report.md", view=view(record), report=record)


def escape(value: object) -> str:
    """Text that stays text in a paragraph, heading or table cell: no markup, mention or line break."""
    text = _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))
    text = "".join(_ENTITIES.get(c, c) for c in text)
    return _MENTION.sub("@\u2060", text)


class Verbatim(str):
    """Text that is Markdown already."""

    __slots__ = ()


def fenced(text: str, language: str) -> Verbatim:
    """A block of code whose text cannot end it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Verbatim(f"{fence}{language}\n{text}\n{fence}")


def page(template: str, /, **facts: object) -> str:
    """One of the templates; every text in ``facts`` that is not ``Verbatim`` is escaped there."""
    text = _PAGES.get_template(template).render(**facts)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _finalize(value: object) -> object:
    return value if isinstance(value, Verbatim) else escape(value)


# Not autoescape, which is for HTML: every expression passes through Markdown's own escaping.
_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("modelyard.render"),
    autoescape=False,
    finalize=_finalize,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
