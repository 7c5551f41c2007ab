"""Addresses with credentials in them, as they may be shown."""

from __future__ import annotations

import re

LOGIN = re.compile(r"://(.*)@")
_SLOTS = re.compile(r"(?:\$\{[^}]*\})+")
_SECRET = re.compile(r"(?i)(pass|pwd|secret|token|sig|key|auth|cred)")
_PARAMETER = re.compile(r"([?&;])([^=&;#]+)=([^&;#]*)")


def is_secret(name: str) -> bool:
    """Whether a parameter or header of this name is one that nobody else may see."""
    return _SECRET.search(name) is not None


def public(url: str) -> str:
    """The address as it may be shown: slots stay slots, any other password becomes ``***``."""
    shown = LOGIN.sub(_public_login, url, count=1)
    return _PARAMETER.sub(_public_parameter, shown)


def hidden(value: str) -> str:
    """A secret as it may be shown: slots stay slots."""
    return value if _SLOTS.fullmatch(value) else "***"


def _public_login(match: re.Match[str]) -> str:
    user, colon, password = match[1].partition(":")
    if not colon:
        named = _SLOTS.fullmatch(user) or not match.string.startswith("http")
        return f"://{user}@" if named else "://***@"
    return f"://{user}:{hidden(password)}@"


def _public_parameter(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}={hidden(match[3]) if is_secret(match[2]) else match[3]}"
