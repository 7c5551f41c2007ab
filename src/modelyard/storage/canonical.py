"""RFC 8785 canonical JSON of flat records of strings and integers: all that the audit chain holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from json.encoder import encode_basestring

LARGEST = 2**53 - 1
"""The largest integer that every JSON reader holds exactly (RFC 7493)."""


def canonical(record: Mapping[str, str | int]) -> bytes:
    """The record's canonical bytes: members ordered by their names' UTF-16 code units, no spaces, UTF-8.

    Raises ``TypeError`` for a value that is no string or integer (a boolean is none) and
    ``ValueError`` for an integer beyond ``LARGEST`` or text that is not Unicode.
    """
    members = sorted(record, key=lambda name: name.encode("utf-16-be"))
    return b"{" + b",".join(_text(name) + b":" + _value(record[name]) for name in members) + b"}"


def sha256(record: Mapping[str, str | int]) -> str:
    """The hex sha256 of the canonical bytes."""
    return hashlib.sha256(canonical(record)).hexdigest()


def _value(value: str | int) -> bytes:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"A canonical record holds strings and integers, not {type(value).__name__}.")
    if abs(value) > LARGEST:
        raise ValueError(f"{value} is beyond 2**53 - 1, the largest integer of a canonical record.")
    return str(value).encode()


def _text(value: str) -> bytes:
    # Python escapes exactly what RFC 8785 wants escaped, in the same form, when not held to ASCII.
    return encode_basestring(value).encode("utf-8")
