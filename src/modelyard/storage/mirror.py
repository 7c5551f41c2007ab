"""Delta tables in an object store, with a folder of this machine in front.

The store holds the tables as other readers expect them: parts under names that say what is in them, and the log. Both
are written once, so a file that is there is never written again. What a machine
commits counts once its log entry is in the store; of two that commit the same version one was first, and the other's
entry goes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import StoreDown, Tampered
from modelyard.storage import bucket, durable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_LOG = "_delta_log"
_AGREED = ".agreed"
"""Names the last entry that the store and this machine have alike."""
_CHUNK = 1 << 20


class Overtaken(Exception):
    """Another machine committed to the table meanwhile; this machine's entries of the log are gone."""


class Mirror:
    """The tables below ``address`` and their copies below ``folder``."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address = f"{address.rstrip('/')}/tables"
        self._folder = folder

    def pull(self, table: str, parts: Sequence[str] = ()) -> None:
        """Bring the table's log up to the store's, and these of its parts where they are not here.

        Raises ``Tampered`` for a part that is not what its name says, ``StoreDown``.
        """
        log = self._log(table)
        here = self._folder / table / _LOG
        if not self._agrees(table, log):  # committed here, and another machine was first
            shutil.rmtree(here)
        for name in log:
            if not (here / name).exists():
                self._fetch(f"{table}/{_LOG}/{name}", here / name)
        if log:
            _agree(here, log[-1])
        for name in parts:
            if not (self._folder / table / name).exists():
                self._fetch(f"{table}/{name}", self._folder / table / name, ends=name)

    def push(self, table: str, parts: Sequence[str]) -> None:
        """What this machine committed: the parts, then the log. Raises ``Overtaken``, ``StoreDown``."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        here = self._folder / table
        new = _new(here / _LOG)
        if not new:
            return
        log = self._log(table)
        for name in parts:
            self._put(f"{table}/{name}", here / name)
        try:
            if not self._agrees(table, log):
                raise FileExistsError
            for entry in new:
                if entry.name not in log:
                    with bucket.explained(self._address):
                        key = f"{table}/{_LOG}/{entry.name}"
                        obstore.put(self._store, key, entry.read_bytes(), mode="create")
        except (AlreadyExistsError, FileExistsError):
            shutil.rmtree(here / _LOG)
            raise Overtaken(table) from None
        _agree(here / _LOG, new[-1].name)

    def remove(self, name: str) -> None:
        """A part, ``TABLE/FILE``; no error when it is not there."""
        import obstore

        with contextlib.suppress(FileNotFoundError), bucket.explained(self._address):
            obstore.delete(self._store, name)

    @cached_property
    def _store(self) -> ObjectStore:
        return bucket.opened(self._address)

    def _log(self, table: str) -> list[str]:
        import obstore

        with bucket.explained(self._address):
            pages = obstore.list(self._store, prefix=f"{table}/{_LOG}")
            names = [found["path"].rpartition("/")[2] for page in pages for found in page]
        return sorted(name for name in names if name.endswith(".json"))

    def _agrees(self, table: str, log: Sequence[str]) -> bool:
        """Whether what was committed here since is the store's as well, as far as that goes."""
        new = _new(self._folder / table / _LOG)
        both = [entry for entry in new if entry.name in log]
        return all(self._read(f"{table}/{_LOG}/{entry.name}") == entry.read_bytes() for entry in both)

    def _read(self, key: str) -> bytes:
        import obstore

        with bucket.explained(self._address):
            return bytes(obstore.get(self._store, key).bytes())

    def _put(self, key: str, file: Path) -> None:
        """A part has its content's name: one of that name and size is that part."""
        import obstore

        with contextlib.suppress(FileNotFoundError), bucket.explained(self._address):
            if obstore.head(self._store, key)["size"] == file.stat().st_size:
                return
        with bucket.explained(self._address):
            obstore.put(self._store, key, file)

    def _fetch(self, key: str, path: Path, *, ends: str = "") -> None:
        """``ends`` is the name whose last part is the content's sha256."""
        import obstore

        draft = path.with_name(f".{uuid.uuid4().hex}.tmp")
        heard = hashlib.sha256()
        try:
            durable.make(path.parent)
            with bucket.explained(self._address), draft.open("xb") as file:
                for chunk in obstore.get(self._store, key).stream(min_chunk_size=_CHUNK):
                    file.write(chunk)
                    heard.update(chunk)
                file.flush()
                os.fsync(file.fileno())
            if ends and not ends.removesuffix(".parquet").endswith(heard.hexdigest()):
                raise Tampered(f"{self._address}/{key} was changed or damaged; restore it from a copy.")
            draft.replace(path)
        except FileNotFoundError:
            raise Tampered(f"{self._address}/{key} is gone; restore it from a copy.") from None
        except OSError as error:
            raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
        finally:
            draft.unlink(missing_ok=True)


def _new(log: Path) -> list[Path]:
    """Entries of which it is not known that the store has the same."""
    try:
        agreed = (log / _AGREED).read_text()
    except FileNotFoundError:
        agreed = ""
    return sorted(entry for entry in log.glob("*.json") if entry.name > agreed)


def _agree(log: Path, name: str) -> None:
    draft = log / f".{uuid.uuid4().hex}.tmp"
    draft.write_text(name)
    draft.replace(log / _AGREED)
