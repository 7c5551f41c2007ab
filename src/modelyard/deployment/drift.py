"""What stands otherwise than it was applied: the cluster's objects beside those that would be applied now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
_OURS = ("labels", "annotations")
"""Of an object's metadata; the rest is the cluster's."""
_MOST = 5


def drifted(held: list[Object], wanted: list[Object]) -> tuple[str, ...]:
    """Sentences; ``wanted`` is what the cluster itself says would be there after applying again."""
    found: list[str] = []
    there = {_identity(one): one for one in held}
    for one in wanted:
        kind, name = _identity(one)
        beside = there.get((kind, name))
        if beside is None:
            found.append(f"{kind} {name} is gone")
            continue
        found += [f"{kind} {name}: {line}" for line in _differences(_part(beside), _part(one), "")]
    more = len(found) - _MOST
    return (*found[:_MOST], *((f"and {more} more",) if more > 0 else ()))


def _identity(one: Object) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


def _part(one: Object) -> Object:
    metadata = {key: one["metadata"][key] for key in _OURS if key in one["metadata"]}
    kept = {
        key: value
        for key, value in metadata.get("annotations", {}).items()
        if not key.startswith("deployment.")
    }
    rest = {key: value for key, value in one.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": {**metadata, "annotations": kept}}


def _differences(held: Any, wanted: Any, path: str) -> Iterator[str]:
    if isinstance(held, dict) and isinstance(wanted, dict):
        for key in sorted({*held, *wanted}):
            yield from _differences(held.get(key), wanted.get(key), f"{path}.{key}" if path else key)
    elif isinstance(held, list) and isinstance(wanted, list) and len(held) == len(wanted):
        for at, (one, other) in enumerate(zip(held, wanted, strict=True)):
            yield from _differences(one, other, f"{path}[{at}]")
    elif held != wanted:
        yield f"{path} is {_short(held)}, applied was {_short(wanted)}"


def _short(value: Any) -> str:
    return "absent" if value is None else str(value)[:80]
