"""Addresses with credentials in them: filled in for use, hidden from everything that is shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from modelyard.errors import SettingsError

_SLOT = re.compile(r"\$\{(file:[^}]+|[A-Za-z_][A-Za-z0-9_]*)\}")
_SLOTS = re.compile(r"(?:\$\{[^}]*\})+")
_LOGIN = re.compile(r"://(.*)@")
_SECRET = re.compile(r"(?i)(pass|pwd|secret|token|sig|key|auth|cred)")
_PARAMETER = re.compile(r"([?&;])([^=&;#]+)=([^&;#]*)")


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


def public(url: str) -> str:
    """The address as it may be shown: slots stay slots, any other password becomes ``***``."""
    shown = _LOGIN.sub(_public_login, url, count=1)
    return _PARAMETER.sub(_public_parameter, shown)


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
    login = _LOGIN.search(url)
    found = [] if login is None else [login[1].partition(":")[2] or login[1]]
    if login is not None and not url.startswith("http") and ":" not in login[1]:
        found = []  # a database's user alone is no secret
    try:
        query = urlsplit(url).query
    except ValueError:
        query = url.partition("?")[2]
    return found + [value for name, value in parse_qsl(query) if _SECRET.search(name)]


def _public_login(match: re.Match[str]) -> str:
    user, colon, password = match[1].partition(":")
    if not colon:
        named = _SLOTS.fullmatch(user) or not match.string.startswith("http")
        return f"://{user}@" if named else "://***@"
    return f"://{user}:{password if _SLOTS.fullmatch(password) else '***'}@"


def _public_parameter(match: re.Match[str]) -> str:
    keep = not _SECRET.search(match[2]) or _SLOTS.fullmatch(match[3])
    return f"{match[1]}{match[2]}={match[3] if keep else '***'}"
