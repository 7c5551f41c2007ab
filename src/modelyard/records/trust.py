"""Who signed a package, and whose signatures count."""

from __future__ import annotations

import msgspec


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """A signature of a package in the artifact store."""

    key: str
    """Id of the key: sha256 (hex) of its public half in PEM."""
    digest: str
    """Of the bundle."""


class Trust(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose signatures count in one place."""

    keys: tuple[str, ...] = ()
    """Public keys in PEM."""
    revoked: tuple[str, ...] = ()
    """Ids, or beginnings of ids, of keys that count no more."""
    always: bool = False
    """Whatever is loaded has to be signed; without it, what runs code only."""
    where: str = "here"
    """Of the place, for sentences: ``in prod``."""
