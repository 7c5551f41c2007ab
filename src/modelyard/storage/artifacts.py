"""Content-addressed artifacts through obstore: a local folder, a bucket, or memory for tests.

Content lies under ``ab/cdef...``, its sha256.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import Misuse, SettingsError, StoreDown, Tampered, UnknownName
from modelyard.ports import ArtifactStore
from modelyard.storage import bucket, durable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"[0-9a-f]{2}")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_CHUNK = 1 << 20


def open_artifacts(location: str, root: Path) -> ArtifactStore:
    """The store at ``location``: a folder, where a relative one starts at ``root`` and the first put makes it,
    or a bucket as ``bucket.is_bucket`` has them.

    Raises ``SettingsError`` for anything else.
    """
    if bucket.is_bucket(location):
        return Artifacts(None, address=location)
    if not location.strip():
        raise SettingsError("'yard.artifacts' is empty; give a folder.")
    return Artifacts(root / location)


class Artifacts:
    """Blobs under their digest; without ``folder`` and ``address`` they live in memory, as long as this object."""

    def __init__(self, folder: Path | None, *, address: str = "") -> None:
        self._folder = folder
        self._bucket = address

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        if not self._intact(digest):
            self._write(digest, lambda: content)
        self._settle(digest)
        return digest

    def put_file(self, path: Path) -> str:
        digest = _hashed(_chunks(path))
        if not self._intact(digest):
            self._write(
                digest,
                lambda: _checked(
                    _chunks(path), digest, f"{path} changed while it was stored: store it again"
                ),
            )
        self._settle(digest)
        return digest

    def get(self, digest: str) -> bytes:
        return b"".join(self._read(digest))

    def fetch(self, digest: str, path: Path) -> None:
        scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        chunks = self._read(digest)
        try:
            first = next(chunks, b"")
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch.open("xb") as file:
                file.write(first)
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        except OSError as error:
            raise StoreDown(f"{path} cannot be written: {error.strerror or error}.") from None
        finally:
            with contextlib.suppress(OSError):
                scratch.unlink(missing_ok=True)

    def has(self, digest: str) -> bool:
        import obstore

        try:
            with self._explained():
                obstore.head(self._store, _key(digest))
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[str]:
        import obstore

        if self._folder is not None and not self._folder.exists():
            return
        with self._explained():
            shards = [
                p for p in obstore.list_with_delimiter(self._store)["common_prefixes"] if _SHARD.fullmatch(p)
            ]
            for shard in shards:
                for page in obstore.list(self._store, prefix=shard):
                    for blob in page:
                        digest = blob["path"].replace("/", "", 1)
                        if _DIGEST.fullmatch(digest):
                            yield digest

    def delete(self, digest: str) -> None:
        import obstore

        with contextlib.suppress(FileNotFoundError), self._explained():
            obstore.delete(self._store, _key(digest))

    @cached_property
    def _store(self) -> ObjectStore:
        from obstore.store import LocalStore, MemoryStore

        if self._bucket:
            return bucket.opened(self._bucket)
        if self._folder is None:
            return MemoryStore()
        try:
            durable.make(self._folder)
            return LocalStore(self._folder)
        except OSError as error:
            raise StoreDown(f"The artifact store {self._folder} cannot be used: {error.strerror}.") from None

    def _intact(self, digest: str) -> bool:
        """Stored, and as it was: a blob that power loss cut short is written again."""
        try:
            for _ in self._read(digest):
                pass
        except (UnknownName, Tampered):
            return False
        return True

    def _read(self, digest: str) -> Iterator[bytes]:
        import obstore

        key = _key(digest)
        try:
            with self._explained():
                stream = obstore.get(self._store, key).stream(min_chunk_size=_CHUNK)
                chunks = (bytes(chunk) for chunk in stream)
                yield from _checked(
                    chunks, digest, f"{self._place(digest)} was changed: restore it from a copy"
                )
        except FileNotFoundError:
            raise UnknownName(f"{self._where} has no artifact {digest}.") from None

    def _write(self, digest: str, content: Callable[[], bytes | Iterator[bytes]]) -> None:
        import obstore

        with self._explained():
            obstore.put(self._store, _key(digest), content())

    def _settle(self, digest: str) -> None:
        """Onto the disk, the names as well: a local put does not see to it."""
        if self._folder is None:
            return
        blob = self._folder / _key(digest)
        with self._explained():
            for path in (blob, blob.parent, self._folder):
                durable.sync(path)

    @property
    def _where(self) -> str:
        where = self._folder or self._bucket
        return f"The artifact store {where}" if where else "The artifact store in memory"

    def _place(self, digest: str) -> str:
        if self._bucket:
            return f"{self._bucket.rstrip('/')}/{_key(digest)}"
        return str(self._folder / _key(digest)) if self._folder else digest

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        if self._bucket:
            with bucket.explained(self._where):
                yield
            return
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            match = _OS_ERROR.search(str(error))
            reason = os.strerror(int(match[1])) if match else str(error).splitlines()[0]
            raise StoreDown(f"{self._where} failed: {reason}; see to the disk and try again.") from error


def _key(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise Misuse(f"{digest!r} is no sha256 digest.")
    return f"{digest[:2]}/{digest[2:]}"


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise StoreDown(f"{path} cannot be read to store it: {error.strerror}.") from None


def _hashed(chunks: Iterator[bytes]) -> str:
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def _checked(chunks: Iterator[bytes], digest: str, sentence: str) -> Iterator[bytes]:
    """The chunks; ``Tampered`` after the last when they are not the digest's content."""
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
        yield chunk
    if state.hexdigest() != digest:
        raise Tampered(f"{sentence}.")
