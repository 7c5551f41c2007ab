"""Addresses with credentials in them, filled in for use, and what of them is hidden from messages."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from modelyard.errors import SettingsError
from modelyard.settings.addresses import LOGIN, is_secret, public

_SLOT = re.compile(r"\$\{(file:[^}]+|[A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Filled:
    """A text ready for use, and what of it nobody may see."""

    text: str
    hidden: tuple[str, ...]

    def hide(self, message: object) -> str:
        """``message`` on one line, without any of what is hidden."""
        shown = " ".join(str(message).split())
        for secret in sorted(self.hidden, key=len, reverse=True):
            shown = shown.replace(secret, "***")
        return shown[:300]

    def with_(self, *others: Filled) -> Filled:
        """This text, hiding what the others hide as well."""
        return Filled(self.text, tuple(s for one in (self, *others) for s in one.hidden))


def fill(text: str, root: Path, *, url: bool = True) -> Filled:
    """``text`` with ``${NAME}`` from the environment and ``${file:PATH}`` from a file of the project.

    Within a URL what is filled in is quoted, so that a password may hold any character; a slot that is
    the whole text is taken as it is. Raises ``SettingsError`` for a variable or file that is not there.
    """
    hidden: list[str] = []

    def value(slot: re.Match[str]) -> str:
        found = _look_up(slot[1], root, text)
        hidden.append(found)
        return quote(found, safe="") if url and slot[0] != text else found

    filled = _SLOT.sub(value, text)
    if url and "://" in filled:
        hidden += _credentials(filled)
    every = {form for s in hidden for form in (s, quote(s, safe=""), quote(s), unquote(s)) if form}
    return Filled(filled, tuple(every))


def _look_up(name: str, root: Path, text: str) -> str:
    if name.startswith("file:"):
        path = root / name.removeprefix("file:")
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise SettingsError(f"The setting '{public(text)}' needs the file {path}: {reason}.") from None
    if not (found := os.environ.get(name, "")):
        raise SettingsError(
            f"The setting '{public(text)}' needs the environment variable {name}; set it and run it again."
        )
    return found


def _credentials(url: str) -> list[str]:
    login = LOGIN.search(url)
    found = [] if login is None else [login[1].partition(":")[2] or login[1]]
    if login is not None and not url.startswith("http") and ":" not in login[1]:
        found = []  # a database's user alone is no secret
    try:
        query = urlsplit(url).query
    except ValueError:
        query = url.partition("?")[2]
    return found + [value for name, value in parse_qsl(query) if is_secret(name)]
