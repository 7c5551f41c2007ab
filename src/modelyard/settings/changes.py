"""What differs between two trees of settings, as they take effect."""

from __future__ import annotations

from typing import Any

import msgspec

from modelyard.settings.addresses import hidden, is_secret, public
from modelyard.settings.tree import Settings

_GUARDED = {"headers", "options"}


def changes(before: Settings, after: Settings) -> dict[str, tuple[Any, Any]]:
    """By key (``models.screening.tune.trials``) the values of both, as TOML has them; None where one has none.

    A default that is written down is no change. Secrets in addresses, headers and options are not told.
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
            found[at] = _plain(value, *["", *at.split(".")][-2:])
            if value != default:
                given.add(at)

    walk(settings, "", msgspec.NODEFAULT)
    return found, given


def _plain(value: Any, table: str, key: str) -> Any:
    value = msgspec.to_builtins(value)
    if isinstance(value, str):
        return hidden(value) if table in _GUARDED and is_secret(key) else public(value)
    if isinstance(value, dict):
        return {name: _plain(one, key, name) for name, one in value.items()}
    return [_plain(one, table, key) for one in value] if isinstance(value, tuple | list) else value
