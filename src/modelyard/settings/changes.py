"""What differs between two trees of settings, as they take effect."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from modelyard.settings.tree import Settings

_LOGIN = re.compile(r"://[^/@\s]*@")


def changes(before: Settings, after: Settings) -> dict[str, tuple[Any, Any]]:
    """By key (``models.screening.tune.trials``) the values of both, as TOML has them; None where one has none.

    A default that is written down is no change. Logins in addresses are not told.
    """
    (old, here), (new, there) = (_leaves(settings) for settings in (before, after))
    keys = [key for key in (*old, *new) if key in here or key in there]
    return {key: (old.get(key), new.get(key)) for key in dict.fromkeys(keys) if old.get(key) != new.get(key)}


def _leaves(settings: Settings) -> tuple[dict[str, Any], set[str]]:
    """Every value by its key, and the keys of those that are not the default."""
    found: dict[str, Any] = {}
    given: set[str] = set()

    def walk(value: Any, at: str, default: Any) -> None:
        if isinstance(value, msgspec.Struct):
            for field in msgspec.structs.fields(value):
                usual = field.default
                if field.default_factory is not msgspec.NODEFAULT:
                    usual = field.default_factory()
                walk(getattr(value, field.name), f"{at}.{field.encode_name}".lstrip("."), usual)
        elif isinstance(value, dict) and value:
            for name, one in value.items():
                walk(one, f"{at}.{name}", msgspec.NODEFAULT)
        else:
            found[at] = _plain(value)
            if value != default:
                given.add(at)

    walk(settings, "", msgspec.NODEFAULT)
    return found, given


def _plain(value: Any) -> Any:
    value = msgspec.to_builtins(value)
    if isinstance(value, str):
        return _LOGIN.sub("://***@", value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
