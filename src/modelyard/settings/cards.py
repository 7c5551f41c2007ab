"""``cards/NAME.toml``: what people answer in the documents about a model or a dataset."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from modelyard.errors import SettingsError

FOLDER = "cards"
Words = Annotated[str, Meta(min_length=1, max_length=20_000)]
QuestionId = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Answers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. Answers are Markdown."""

    license: Words | None = None
    """An identifier, such as ``mit`` or ``apache-2.0``."""
    language: tuple[Words, ...] = ()
    """Of texts in the data, such as ``en``."""
    tags: tuple[Words, ...] = ()
    answers: dict[QuestionId, Words] = {}
    questions: dict[QuestionId, Words] = {}
    """Questions of the project's own, that a template of its own asks."""


def path(folder: Path, name: str) -> Path:
    """The file of a model or a dataset."""
    return folder / FOLDER / f"{name}.toml"


def read(folder: Path, name: str, known: Collection[str]) -> Answers:
    """What the file answers; nothing when there is none.

    ``known`` are ids of questions. Raises ``SettingsError`` with file and key for what is unknown or ill-typed.
    """
    file = path(folder, name)
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Answers()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; give read permission on it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}.") from None
    try:
        found = msgspec.convert(tree, Answers, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{file}: {_told(str(error))}") from None
    if twice := sorted(found.questions.keys() & set(known)):
        raise SettingsError(
            f"{file}: 'questions.{twice[0]}' is a question of Modelyard's already; name it otherwise."
        )
    asked = {*known, *found.questions}
    for key in found.answers:
        if key not in asked:
            near = difflib.get_close_matches(key, asked, n=1)
            hint = f" (did you mean '{near[0]}'?)" if near else ""
            raise SettingsError(
                f"{file}: 'answers.{key}': there is no question '{key}'{hint}; 'modelyard card {name} --open' lists them."
            )
    return found


def _told(message: str) -> str:
    place = re.search(r" - at (?:`?key`? in )?`\$\.?(?P<path>.*?)`$", message)
    where = (place["path"] if place else "").replace("[...]", "")
    if unknown := re.search(r"unknown field `(?P<field>[^`]*)`", message):
        fields = [field.name for field in msgspec.structs.fields(Answers)]
        return f"unknown key '{unknown['field']}'; known here: {', '.join(fields)}."
    what = message.split(" - at ")[0]
    return f"'{where or 'the file'}': {what[:1].lower()}{what[1:]}."
