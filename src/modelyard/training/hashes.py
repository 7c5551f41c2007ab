"""The sha256 of the files of distributions, as locks and the package index tell them; never of what is merely installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from modelyard.errors import AuthorError, ExtraMissing
from modelyard.training.environment import listed
from modelyard.training.lockfile import key, read, told, written

_LOCKS = ("uv.lock", "pylock*.toml", "poetry.lock", "pdm.lock", "requirements*.lock", "requirements*.txt")
"""Where a project's own may be, first come first served."""
_HEADING = "# Every library that the model was sealed with, and the sha256 of its files.\n"


class Hashed(NamedTuple):
    """``name==version`` to the sha256 of each of its files, sorted."""

    hashes: dict[str, tuple[str, ...]]
    reason: str = ""
    """Why some have none; empty when each has."""

    def lock(self) -> str | None:
        """What ``pip install --require-hashes`` takes; None while some have none, since it takes all or nothing."""
        return None if self.reason else _HEADING + written(self.hashes)


def hashed(requirements: Iterable[str], *, given: str, root: Path, home: Path, index: bool) -> Hashed:
    """Of these exact versions: as the lock ``given`` tells them, else a lock in ``root``, else, with ``index``, uv.

    What is missing is no error, since a model may be sealed where no index is.
    """
    wanted = {key(*one.split("==", 1)): one for one in requirements}
    found = told(given)
    unread: list[str] = []
    for path in _locks(root) if wanted.keys() - found.keys() else ():
        try:
            found = read(path) | found
        except AuthorError as error:
            unread.append(str(error).rstrip("."))
    reason = "; ".join(unread)
    missing = sorted(wanted.keys() - found.keys())
    if missing and index:
        try:
            found |= told(listed(missing, home))
        except (AuthorError, ExtraMissing) as error:
            reason = "; ".join([*unread, str(error).rstrip(".")])
    missing = sorted(wanted.keys() - found.keys())
    held = {wanted[pin]: found[pin] for pin in sorted(wanted) if pin in found}
    if not missing:
        return Hashed(held)
    names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return Hashed(
        held, f"no lock of the project has hashes of {names}" + (f", and {reason}" if reason else "")
    )


def _locks(root: Path) -> Iterator[Path]:
    for pattern in _LOCKS:
        yield from sorted(path for path in root.glob(pattern) if path.is_file())
