"""``readiness.toml``: what people did by hand and wrote down, and the bounds that readiness holds a model to."""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from modelyard.errors import SettingsError
from modelyard.settings.spans import Span, span

FILE = "readiness.toml"
TestId = Literal[
    "D1", "D2", "D3", "D4", "D5", "D6", "D7", "M1", "M2", "M3", "M4", "M5", "M6", "M7",
    "I1", "I2", "I3", "I4", "I5", "I6", "I7", "O1", "O2", "O3", "O4", "O5", "O6", "O7",
]  # fmt: skip
Words = Annotated[str, Meta(min_length=1, max_length=2000)]


class Documented(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[MODEL.tests.D5]``: a test that was made by hand."""

    who: Words
    when: dt.date
    where: Words
    """Where it is written down: a file of the project, or an ``http(s)`` address."""
    until: dt.date | None = None
    """From then on it counts no more."""
    note: str = ""


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[MODEL.costs]``: what features cost, and what they may."""

    unit: Words
    """``EUR a month``, ``ms a request``."""
    budget: Annotated[float, Meta(ge=0)]
    """The most that all features together may cost."""
    default: Annotated[float, Meta(ge=0)] | None = None
    """Of a feature that ``features`` does not name; without it each has to be named."""
    features: dict[str, Annotated[float, Meta(ge=0)]] = {}


class ModelReadiness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[MODEL]``."""

    max_age: Span | None = None
    """How old the data of the live version may be."""
    costs: Costs | None = None
    tests: dict[TestId, Documented] = {}

    @property
    def oldest(self) -> dt.timedelta | None:
        return None if self.max_age is None else span(self.max_age)


def read(folder: Path, models: Collection[str], today: dt.date) -> dict[str, ModelReadiness]:
    """What the project's file says of each model; nothing when there is no file.

    Raises ``SettingsError`` with file and key for what is unknown, ill-typed, not yet done, or written down where
    nothing is.
    """
    path = folder / FILE
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; give read permission on it.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from None
    for name in tree:
        if name not in models:
            raise SettingsError(f"{path}: there is no model '{name}'{_near(name, models)}.")
    found = {}
    for name, value in tree.items():
        found[name] = _converted(path, name, value)
        for test, done in found[name].tests.items():
            _check(path, f"{name}.tests.{test}", done, folder=folder, today=today)
    return found


def _converted(path: Path, name: str, value: Any) -> ModelReadiness:
    tests = value.get("tests", {}) if isinstance(value, dict) else {}
    for test, done in tests.items() if isinstance(tests, dict) else ():
        known = TestId.__args__  # type: ignore[attr-defined]
        if test not in known:
            raise SettingsError(f"{path}: '{name}.tests.{test}': there is no test '{test}'; D1 to D7, M1 to M7, "
                                "I1 to I7 and O1 to O7 are the tests.")  # fmt: skip
        _convert(path, f"{name}.tests.{test}", done, Documented)
    made: ModelReadiness = _convert(path, name, value, ModelReadiness)
    return made


def _convert(path: Path, key: str, value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message = str(error)
    place = re.search(r" - at `\$\.?(?P<path>.*?)`$", message)
    where = ".".join(part for part in (key, (place["path"] if place else "").replace("[...]", "")) if part)
    if unknown := re.search(r"unknown field `(?P<field>[^`]*)`", message):
        inner = Costs if where.endswith(".costs") else kind
        fields = [field.name for field in msgspec.structs.fields(inner)]
        raise SettingsError(
            f"{path}: unknown key '{where}.{unknown['field']}'{_near(unknown['field'], fields)}; "
            f"known here: {', '.join(fields)}."
        )
    what = message.split(" - at ")[0]
    raise SettingsError(f"{path}: '{where}': {what[:1].lower()}{what[1:]}.")


def _check(path: Path, key: str, done: Documented, *, folder: Path, today: dt.date) -> None:
    if done.when > today:
        raise SettingsError(
            f"{path}: '{key}.when' is {done.when}, which is not yet; write the day it was done."
        )
    if done.until is not None and done.until <= done.when:
        raise SettingsError(f"{path}: '{key}.until' is not after 'when'.")
    if re.match(r"https?://[^\s/]+", done.where):
        return
    file = (folder / done.where).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise SettingsError(
            f"{path}: '{key}.where': there is no file {done.where} in the project; write it down there, or name an "
            "http(s) address."
        )


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
