"""The conformance kit of ``ArtifactStore``: subclass it and give it the fixture ``store``.

class TestMyStore(ArtifactStoreKit):
    @pytest.fixture
    def store(self): ...            # empty, fresh for each test

    def damage(self, store, digest): ...   # change a stored byte behind the store's back
"""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelyard.errors import Misuse, Tampered, UnknownName
from modelyard.ports import ArtifactStore
from modelyard.testing.expect import expected

_ABSENT = hashlib.sha256(b"never stored").hexdigest()


class ArtifactStoreKit:
    """What every store promises."""

    def damage(self, store: ArtifactStore, digest: str) -> None:
        """Change the stored content of ``digest`` behind the store's back."""
        raise NotImplementedError

    def test_gives_back_what_was_put(self, store: ArtifactStore) -> None:
        for content in (b"", b"x", bytes(range(256)) * 4096, random.Random(1).randbytes(3_000_001)):
            digest = store.put(content)
            assert digest == hashlib.sha256(content).hexdigest()
            assert store.get(digest) == content
            assert store.has(digest)

    def test_a_file_is_stored_as_its_content(self, store: ArtifactStore, tmp_path: Path) -> None:
        for size in (0, 1, 12_000_000):
            content = random.Random(size).randbytes(size)
            (tmp_path / "in").write_bytes(content)
            assert store.put_file(tmp_path / "in") == hashlib.sha256(content).hexdigest()
            assert store.put(content) == hashlib.sha256(content).hexdigest()
            store.fetch(hashlib.sha256(content).hexdigest(), tmp_path / "out")
            assert (tmp_path / "out").read_bytes() == content

    def test_putting_again_changes_nothing(self, store: ArtifactStore) -> None:
        assert store.put(b"twice") == store.put(b"twice")
        assert list(store.digests()) == [hashlib.sha256(b"twice").hexdigest()]

    def test_lists_what_is_stored(self, store: ArtifactStore) -> None:
        assert list(store.digests()) == []
        digests = {store.put(str(n).encode()) for n in range(40)}
        assert set(store.digests()) == digests
        assert len(list(store.digests())) == 40

    def test_what_is_absent_has_no_content(self, store: ArtifactStore, tmp_path: Path) -> None:
        assert not store.has(_ABSENT)
        with expected(UnknownName, naming=_ABSENT):
            store.get(_ABSENT)
        with expected(UnknownName, naming=_ABSENT):
            store.fetch(_ABSENT, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_only_digests_are_keys(self, store: ArtifactStore) -> None:
        for key in ("", "../../etc/passwd", "A" * 64, "a" * 63):
            with expected(Misuse):
                store.get(key)

    def test_delete_removes_and_may_be_repeated(self, store: ArtifactStore) -> None:
        digest, other = store.put(b"goes"), store.put(b"stays")
        store.delete(digest)
        store.delete(digest)
        assert not store.has(digest)
        assert list(store.digests()) == [other]

    def test_changed_content_is_refused_and_named(self, store: ArtifactStore, tmp_path: Path) -> None:
        digest = store.put(b"the truth")
        (tmp_path / "out").write_bytes(b"before")
        self.damage(store, digest)
        with expected(Tampered, naming=digest[2:]):
            store.get(digest)
        with expected(Tampered, naming=digest[2:]):
            store.fetch(digest, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b"before"
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    def test_putting_heals_changed_content(self, store: ArtifactStore) -> None:
        digest = store.put(b"the truth")
        self.damage(store, digest)
        assert store.put(b"the truth") == digest
        assert store.get(digest) == b"the truth"

    def test_fetch_replaces_a_file_and_makes_its_folder(self, store: ArtifactStore, tmp_path: Path) -> None:
        digest = store.put(b"new")
        (tmp_path / "file").write_bytes(b"old and longer")
        store.fetch(digest, tmp_path / "file")
        store.fetch(digest, tmp_path / "a" / "b" / "file")
        assert (tmp_path / "file").read_bytes() == (tmp_path / "a" / "b" / "file").read_bytes() == b"new"

    def test_fetch_leaves_who_reads_the_file_before_alone(self, store: ArtifactStore, tmp_path: Path) -> None:
        digest = store.put(b"new")
        (tmp_path / "file").write_bytes(b"old and longer")
        with (tmp_path / "file").open("rb") as before:
            store.fetch(digest, tmp_path / "file")
            assert before.read() == b"old and longer"

    def test_threads_may_share_it(self, store: ArtifactStore) -> None:
        contents = [str(n % 10).encode() * 1000 for n in range(200)]
        with ThreadPoolExecutor(8) as pool:
            digests = list(pool.map(store.put, contents))
            assert list(pool.map(store.get, digests)) == contents
        assert len(set(store.digests())) == 10
