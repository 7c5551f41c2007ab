"""Documents from templates of Markdown, and Markdown as a page.

A template is somebody's file: it runs in Jinja2's sandbox, sees the names it is given and the templates that come with
Modelyard, and no file, module or setting.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import jinja2
import markdown_it
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from modelyard.errors import SettingsError
from modelyard.render import html
from modelyard.render.markdown import Verbatim, escape
from modelyard.render.wording import number


@dataclass
class Asked:
    """The questions that a document asks, as it asks them."""

    questions: Mapping[str, str]
    answers: Mapping[str, str]
    answered: dict[str, None] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)

    def ask(self, name: str) -> Verbatim:
        """The answer, or the question with its id, marked as open."""
        if name not in self.questions:
            raise jinja2.TemplateRuntimeError(
                f"there is no question '{name}'; declare it under [questions] in the file of answers"
            )
        if name in self.answers:
            self.answered[name] = None
            return Verbatim(self.answers[name].strip())
        self.open[name] = self.questions[name]
        return Verbatim(f"> **Open question** `{name}`: {escape(self.questions[name])}")

    def brief(self, name: str) -> Verbatim:
        """The same within a line."""
        return Verbatim(" ".join(self.ask(name).removeprefix("> ").split()))


def from_template(where: str, *, source: str | None, names: Mapping[str, object], asked: Asked) -> str:
    """The Markdown of the template: ``where`` names one of ours, or a file whose ``source`` is given.

    Every text that is not an answer is escaped. Raises ``SettingsError`` with file, line and reason.
    """
    try:
        template = _SANDBOX.get_template(where) if source is None else _SANDBOX.from_string(source)
        text = template.render(**names, ask=asked.ask, brief=asked.brief)
    except jinja2.TemplateSyntaxError as error:
        raise SettingsError(f"{where}, line {error.lineno}: {_bare(error.message or '')}.") from None
    except (
        jinja2.TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        OverflowError,
    ) as error:
        raise SettingsError(f"{where}{_line(error)}: {_bare(str(error))}.") from None
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def page(markdown: str, *, title: str, ref: str, note: str) -> str:
    """One self-contained page of Markdown; HTML in it is shown as text."""
    body = _MARKDOWN.render(markdown)
    body = body.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )
    return html.page("document.html", body=Markup(body), title=title, ref=ref, note=note)


def _bare(message: str) -> str:
    return " ".join(message.split()).rstrip(".")


def _line(error: BaseException) -> str:
    """The template's line, from the frame that Jinja2 gave its name to."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return f", line {found}" if found else ""


def _code(value: object) -> Verbatim:
    text = " ".join(str(value).split()).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    gap = " " if "`" in text else ""
    return Verbatim(f"{fence}{gap}{text}{gap}{fence}") if text else Verbatim("")


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _finalize(value: object) -> object:
    if isinstance(value, Verbatim | jinja2.Undefined):
        return value
    return escape("" if value is None else value)


_SANDBOX = ImmutableSandboxedEnvironment(
    loader=jinja2.PackageLoader("modelyard.render", "templates/documents"),
    autoescape=False,
    finalize=_finalize,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_SANDBOX.filters |= {
    "code": _code,
    "number": number,
    "span": _span,
    "day": lambda time: f"{time:%Y-%m-%d}",
    "moment": lambda time: f"{time.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC",
    "count": lambda value: f"{value:,}",
}
_MARKDOWN = markdown_it.MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
