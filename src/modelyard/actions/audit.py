"""``audit``: who did what, when; and that nobody changed it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from modelyard.errors import Misuse, StoreDown
from modelyard.ports import Facts
from modelyard.project import Project, now
from modelyard.records.event import Event, Wanted
from modelyard.storage.events import line

CHECKPOINT = "https://github.com/modelyard/modelyard/blob/main/docs/audit.md"
"""The predicate of a signed checkpoint: ``{size, root, taken}``; its subject is ``root``."""
_PAGE = 1000
"""Events in memory at a time."""
_MOST = 64_000
"""Bytes of a checkpoint's file."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that somebody keeps elsewhere."""

    size: int
    """How many events the chain held."""
    root: str
    """The sha256 of the canonical bytes of the last of them."""
    key: str = ""
    """Id of the key that signed."""


def audit(project: Project, *, limit: int | None = None, wanted: Wanted | None = None) -> list[Event]:
    """The chain's events that are ``wanted``, oldest first; with ``limit`` the newest so many."""
    with project.yard.read() as facts:
        events = deque(_pages(facts, wanted), maxlen=limit)
    return list(events)


def export(project: Project, file: BinaryIO, *, wanted: Wanted | None = None) -> int:
    """Write the events that are ``wanted`` as JSON Lines, oldest first, and return how many.

    A line holds the chained record's members as they were hashed, and the payload. The log may be of any length: a page
    is in memory at a time, all pages are of one snapshot.
    """
    count = 0
    with project.yard.read() as facts:
        for event in _pages(facts, wanted):
            file.write(line(event) + b"\n")
            count += 1
    return count


def save(project: Project, path: Path, *, wanted: Wanted | None = None) -> int:
    """The same into a file, which is there whole or not at all. Raises ``Misuse`` for one that is there already."""
    if path.exists():
        raise Misuse(f"{path} is there already; name another file, and keep both.")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("xb") as file:
            count = export(project, file, wanted=wanted)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # which replaces nothing
    except FileExistsError:
        raise Misuse(f"{path} is there already; name another file, and keep both.") from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        draft.unlink(missing_ok=True)
    return count


def _pages(facts: Facts, wanted: Wanted | None) -> Iterator[Event]:
    after = 0
    while page := facts.events.list(after=after, limit=_PAGE, wanted=wanted):
        yield from page
        after = page[-1].seq


def verify(project: Project, *, against: Path | None = None) -> int:
    """How many events the chain holds; ``AuditBroken`` names the first that was tampered with.

    ``against`` is a checkpoint that ``take`` wrote: a chain that was cut or written anew since contradicts it. Raises
    ``Untrusted`` for one that no trusted key signed.
    """
    from modelyard.storage.checkpoint import Checkpoint
    from modelyard.storage.events import verify as verify_chain

    kept = () if against is None else (_kept(project, against),)
    return verify_chain(project.yard, also=[Checkpoint(size=one.size, root=one.root) for one in kept])


def take(project: Project, path: Path) -> Taken:
    """Verify the chain and write its size and root, signed, to be kept where those who can write here cannot.

    Raises ``Misuse`` for a file that is there already, or a chain without events, ``AuditBroken``, ``StoreDown``.
    """
    from modelyard.signing import attest
    from modelyard.storage.events import head

    verify(project)
    size, root = head(project.yard)
    if not size:
        raise Misuse("The audit chain holds no event yet, so there is nothing to keep.")
    signer = project.signer()
    predicate = {"size": size, "root": root, "taken": now()}
    content = attest({"audit": root}, CHECKPOINT, predicate=predicate, signer=signer, bundle=False)
    try:
        with path.open("xb") as file:
            file.write(content + b"\n")
    except FileExistsError:
        raise Misuse(f"{path} is there already; name another file, and keep both.") from None
    except OSError as error:
        raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
    return Taken(size=size, root=root, key=signer.public.id)


def _kept(project: Project, path: Path) -> Taken:
    from modelyard.errors import Untrusted
    from modelyard.signing import attested

    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise Misuse(
            f"{path} cannot be read: {error.strerror}; name a file of 'modelyard audit keep'."
        ) from None
    if len(content) > _MOST:
        raise Untrusted(f"{path} is too large for a checkpoint; name a file of 'modelyard audit keep'.")
    statement, key = attested(content, CHECKPOINT, trust=project.trust(), what=str(path))
    try:
        return msgspec.structs.replace(msgspec.json.decode(statement.predicate, type=Taken), key=key.id)
    except msgspec.MsgspecError as error:
        raise Untrusted(f"{path} signs no checkpoint: {error}.") from None
