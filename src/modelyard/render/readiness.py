"""A model's readiness as text, Markdown and one page."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from modelyard.records.readiness import Evidence, Readiness, Section, Tested
from modelyard.render import html, markdown
from modelyard.render.text import harmless, table

TITLES: dict[Section, str] = {
    "data": "Features and data",
    "model": "Model development",
    "infrastructure": "Infrastructure",
    "monitoring": "Monitoring",
}
_MARKS = {"automated": "1  ", "documented": "0.5", "failed": "no ", "missing": "0  "}


def points(value: float) -> str:
    """``3``, ``3.5``."""
    return f"{value:g}"


def in_section(record: Readiness, section: Section) -> list[Tested]:
    return [test for test in record.tests if test.section == section]


def lines(record: Readiness, *, width: int) -> Iterator[str]:
    """For a terminal: every test with what shows it and what to do next, then the score."""
    for section, title in TITLES.items():
        yield f"{title}: {points(record.sections[section])} of 7"
        for test in in_section(record, section):
            yield f"  {test.id}  {_MARKS[test.state]}  {test.title}"
            yield from _wrapped(test.found, width)
            if test.evidence:
                yield from _wrapped(f"see: {'; '.join(map(_told, test.evidence))}", width)
            if test.todo:
                yield from _wrapped(f"next: {test.todo}", width)
        yield ""
    states = ("automated", "documented", "failed", "missing")
    yield table(
        ("section", "of 7", *states),
        [
            (
                TITLES[section],
                points(value),
                *(sum(test.state == state for test in in_section(record, section)) for state in states),
            )
            for section, value in record.sections.items()
        ],
    )
    yield summary(record)


def summary(record: Readiness) -> str:
    """One sentence."""
    least = [TITLES[section] for section, value in record.sections.items() if value == record.score]
    live = f" (live in {', '.join(record.live)})" if record.live else ""
    return (
        f"{record.version}{live} scores {points(record.score)} of 7, the least of its sections "
        f"({', '.join(least)}): {record.meaning}."
    )


def _told(evidence: Evidence) -> str:
    if evidence.path:
        return evidence.path
    return f"'{evidence.command}' ({evidence.text})"


def _wrapped(text: str, width: int) -> Iterator[str]:
    margin = " " * 11
    yield from textwrap.wrap(
        harmless(text),
        max(width, 40),
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def page(record: Readiness, link: Callable[[str], str]) -> str:
    """One self-contained page; ``link`` makes an address of a path of the project."""
    return html.page("readiness.html", record=record, titles=TITLES, points=points, link=_linked(link))


def text(record: Readiness, link: Callable[[str], str]) -> str:
    """GitHub-flavoured Markdown."""
    return markdown.page(
        "readiness.md",
        record=record,
        titles=TITLES,
        points=points,
        summary=summary(record),
        link=lambda evidence: markdown.Verbatim(_marked(evidence, _linked(link))),
    )


def _linked(link: Callable[[str], str]) -> Callable[[Evidence], str]:
    def address(evidence: Evidence) -> str:
        if not evidence.path or evidence.path.startswith(("http://", "https://")):
            return evidence.path
        return link(evidence.path)

    return address


def _marked(evidence: Evidence, address: Callable[[Evidence], str]) -> str:
    words = markdown.escape(evidence.text)
    if evidence.path:
        target = address(evidence).replace(" ", "%20").replace("(", "%28").replace(")", "%29")
        return f"[{words}]({target})"
    return f"{words} (`{evidence.command.replace('`', '')}`)"
