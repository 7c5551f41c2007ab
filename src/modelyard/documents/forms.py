"""The documents that come with Modelyard."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from modelyard.errors import Misuse

About = Literal["model", "data"]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    title: str
    about: About
    template: str


def _form(name: str, title: str, about: About = "model") -> Form:
    return Form(name=name, title=title, about=about, template=f"{name}.md")


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        made.name: made
        for made in (
            _form("card", "Model card"),
            _form("annex-iv", "Technical documentation, EU AI Act, Annex IV"),
            _form("atrs", "Algorithmic transparency record, UK ATRS v3"),
            _form("dtac", "Evidence for the NHS Digital Technology Assessment Criteria"),
            _form("datasheet", "Data sheet", "data"),
        )
    }
)


def form(name: str, about: About) -> Form:
    """The document of that name. Raises ``Misuse`` with those that there are."""
    known = [made.name for made in FORMS.values() if made.about == about]
    found = FORMS.get(name)
    if found is not None and found.about == about:
        return found
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    what = "a model" if about == "model" else "a dataset"
    raise Misuse(
        f"There is no document '{name}' about {what}{hint}; known: {', '.join(known)}, or a file of yours that ends in .md."
    )
