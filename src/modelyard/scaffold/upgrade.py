"""A project's generated files, brought to the form that they would be written in today."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from modelyard.errors import Misuse, StoreDown
from modelyard.scaffold.create import RECORD, Written, record, recorded
from modelyard.scaffold.files import upkeep

State = Literal["same", "missing", "outdated", "changed"]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A generated file beside its current form."""

    path: str
    state: State
    """``outdated`` is as it was generated, ``changed`` was edited since; both differ from the current form."""
    difference: str = ""
    """A unified diff from what is there to the current form."""
    written: bool = False


def upgrade(folder: Path, *, write: bool = False, take: Sequence[str] = ()) -> list[Kept]:
    """Compare the files that Modelyard keeps up to date with their current form.

    With ``write`` those that are missing or as they were generated are written anew; a file that was edited stays,
    unless ``take`` names it. Raises ``Misuse`` where no project was made by ``init``, ``StoreDown``.
    """
    then = recorded(folder)
    wanted = upkeep(then.choices)
    if unknown := sorted(set(take) - wanted.keys()):
        raise Misuse(
            f"'{unknown[0]}' is no file that is kept up to date; known: {', '.join(sorted(wanted))}."
        )
    found = [_compared(folder, path, content, then) for path, content in sorted(wanted.items())]
    if not write:
        return found
    done = [_written(folder, one, wanted[one.path], taken=one.path in take) for one in found]
    current = {one.path: wanted[one.path] for one in done if one.written or one.state == "same"}
    kept = {path: digest for path, digest in then.files.items() if path in wanted and path not in current}
    _put(folder / RECORD, record(then.choices, current, kept))
    return done


def _compared(folder: Path, path: str, content: bytes, then: Written) -> Kept:
    try:
        held = (folder / path).read_bytes()
    except FileNotFoundError:
        return Kept(path=path, state="missing", difference=_difference(path, b"", content))
    except OSError as error:
        raise StoreDown(f"{folder / path} cannot be read: {error.strerror}.") from None
    if held == content:
        return Kept(path=path, state="same")
    ours = then.files.get(path) == hashlib.sha256(held).hexdigest()
    return Kept(
        path=path, state="outdated" if ours else "changed", difference=_difference(path, held, content)
    )


def _difference(path: str, held: bytes, wanted: bytes) -> str:
    old, new = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (held, wanted))
    return "".join(difflib.unified_diff(old, new, path, f"{path} (now)"))


def _written(folder: Path, one: Kept, content: bytes, *, taken: bool) -> Kept:
    if one.state == "same" or (one.state == "changed" and not taken):
        return one
    _put(folder / one.path, content)
    return msgspec.structs.replace(one, written=True)


def _put(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise StoreDown(f"{path} cannot be written: {error.strerror}; it is as it was.") from None
