"""A template, with facts in it and answers or open questions."""

from __future__ import annotations

from pathlib import Path

import msgspec

from modelyard.documents.facts import DataFacts, ModelFacts
from modelyard.documents.forms import Form
from modelyard.documents.front import front, yaml
from modelyard.documents.questions import DATA, MODEL
from modelyard.errors import SettingsError

LARGEST = 1_000_000
"""Bytes of a project's own template."""


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A question that nobody answered yet."""

    id: str
    question: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    ref: str
    about: str
    text: str
    """Markdown, a model card's with its YAML head."""
    answered: tuple[str, ...]
    """Ids."""
    open: tuple[Open, ...]

    @property
    def body(self) -> str:
        """Without the head."""
        return self.text.split("\n---\n", 1)[1] if self.text.startswith("---\n") else self.text


def fill(facts: ModelFacts | DataFacts, form: Form | Path) -> Document:
    """The document about these facts; ``form`` may be a file of the project.

    Raises ``SettingsError`` with file, line and reason for a template that is wrong.
    """
    from modelyard.render.documents import Asked, from_template
    from modelyard.render.view import view

    known = MODEL if isinstance(facts, ModelFacts) else DATA
    asked = Asked({**known, **facts.answers.questions}, facts.answers.answers)
    names: dict[str, object] = {name: getattr(facts, name) for name in facts.__struct_fields__}
    if isinstance(facts, ModelFacts):
        names["view"] = view(facts.report)
    if isinstance(form, Path):
        title, source, where = form.stem, _source(form), str(form)
    else:
        title, source, where = form.title, None, form.template
    text = from_template(where, source=source, names={**names, "title": title}, asked=asked)
    if isinstance(facts, ModelFacts) and isinstance(form, Form) and form.name == "card":
        text = yaml(front(facts)) + "\n" + text
    return Document(
        title=title,
        ref=facts.ref,
        about=facts.about,
        text=text,
        answered=tuple(asked.answered),
        open=tuple(Open(id=name, question=question) for name, question in asked.open.items()),
    )


def _source(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise SettingsError(f"{path} has more than {LARGEST:,} bytes; a template is text for people.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text; save it so.") from None
    except OSError as error:
        raise SettingsError(f"The template {path} cannot be read: {error.strerror}.") from None
