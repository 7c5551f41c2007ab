"""Locks: each distribution's exact version with the sha256 of its files, in the forms that others write them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelyard.errors import AuthorError

_LARGEST = 32 << 20
"""Bytes."""
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash[= ]sha256:([0-9a-f]{64})(?![0-9a-f])")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def key(name: str, version: str) -> str:
    """``name==version``, whichever way the name is written."""
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


def told(content: str) -> dict[str, tuple[str, ...]]:
    """What a file of requirements tells of exact versions; anything else in it is passed over."""
    found = {}
    for line in re.sub(r"\\\r?\n", " ", content).splitlines():
        pin = _PIN.match(line.strip())
        if pin and (hashes := _HASH.findall(line.partition(" #")[0])):
            found[key(*pin.groups())] = tuple(sorted(set(hashes)))
    return found


def read(path: Path) -> dict[str, tuple[str, ...]]:
    """What a lock of a project tells: of uv, poetry, pdm, ``pylock.toml``, or pip's form. Raises ``AuthorError``."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST >> 20} MiB")
        content = path.read_text(encoding="utf-8-sig")
        if path.name not in ("uv.lock", "poetry.lock", "pdm.lock") and path.suffix != ".toml":
            return told(content)
        document = tomllib.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        raise AuthorError(f"{path.name} cannot be read: {str(error)[:200]}.") from None
    packages = document.get("package", document.get("packages", ()))
    found = {}
    for one in packages if isinstance(packages, list) else ():
        match one:
            case {"name": str(name), "version": str(version)} if hashes := sorted(set(_digests(one))):
                found[key(name, version)] = tuple(hashes)
    return found


def written(hashes: Mapping[str, tuple[str, ...]]) -> str:
    """As a lock that pip and uv install from."""
    return "".join(
        " \\\n".join([name, *(f"    --hash=sha256:{one}" for one in hashes[name])]) + "\n"
        for name in sorted(hashes)
    )


def _digests(value: Any) -> Iterator[str]:
    """Of the files that an entry lists, wherever its format puts them."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("hash", "sha256") and isinstance(inner, str):
                yield from _SHA256.findall(inner) if _SHA256.fullmatch(inner) else ()
            else:
                yield from _digests(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _digests(inner)
