"""The artifact store in a folder and in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import obstore
import pytest

from modelyard.errors import SettingsError, StoreDown, Tampered
from modelyard.ports import ArtifactStore
from modelyard.storage.artifacts import Artifacts, open_artifacts
from modelyard.testing.artifact_store import ArtifactStoreKit


class TestFolder(ArtifactStoreKit):
    @pytest.fixture
    def store(self, tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
        self.folder = tmp_path_factory.mktemp("store") / "artifacts"
        return open_artifacts(str(self.folder), Path("/nowhere"))

    def damage(self, store: ArtifactStore, digest: str) -> None:  # noqa: ARG002
        (self.folder / digest[:2] / digest[2:]).write_bytes(b"something else")


class TestMemory(ArtifactStoreKit):
    @pytest.fixture
    def store(self) -> ArtifactStore:
        return Artifacts(None)

    def damage(self, store: ArtifactStore, digest: str) -> None:
        obstore.put(store._store, f"{digest[:2]}/{digest[2:]}", b"something else")


@pytest.mark.parametrize("location", ["s3://", "gs:///x", "az://c?sig=x", "https://host/x", "", "file:///x"])
def test_only_folders_and_buckets_are_places(location: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"yard\.artifacts"):
        open_artifacts(location, tmp_path)


def test_a_relative_folder_starts_at_the_root_and_is_made_by_the_first_put(tmp_path: Path) -> None:
    store = open_artifacts("a/b", tmp_path)
    assert list(store.digests()) == []
    assert not (tmp_path / "a").exists()
    digest = store.put(b"x")
    assert (tmp_path / "a" / "b" / digest[:2] / digest[2:]).read_bytes() == b"x"


def test_opening_imports_no_client() -> None:
    code = (
        "import sys; from pathlib import Path; from modelyard.storage.artifacts import open_artifacts;"
        "open_artifacts('x', Path('.')); sys.exit('obstore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_is_beside_the_blobs_is_not_listed(tmp_path: Path) -> None:
    store = open_artifacts(".", tmp_path)
    digest = store.put(b"x")
    for stray in (f"{digest[:2]}/{digest[2:]}#1", f"{digest[:2]}/short", "tables/t/part.parquet", "ab.txt"):
        (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / stray).write_bytes(b"stray")
    assert list(store.digests()) == [digest]


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file")
    with pytest.raises(StoreDown, match=str(tmp_path / "artifacts")):
        open_artifacts("artifacts", tmp_path).put(b"x")


def test_a_shard_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    store = open_artifacts(".", tmp_path)
    digest = store.put(b"x")
    store.delete(digest)
    (tmp_path / digest[:2]).rmdir()
    (tmp_path / digest[:2]).write_text("in the way")
    with pytest.raises(StoreDown, match=str(tmp_path)):
        store.put(b"x")


def test_a_missing_file_to_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreDown, match="absent"):
        open_artifacts("a", tmp_path).put_file(tmp_path / "absent")


def test_a_file_that_changes_while_it_is_stored_is_refused(tmp_path: Path) -> None:
    restless = Path("/proc/sys/kernel/random/uuid")
    store = open_artifacts("a", tmp_path)
    with pytest.raises(Tampered, match="changed while it was stored"):
        store.put_file(restless)
    assert list(store.digests()) == []


def test_processes_put_the_same_content_at_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", _SAME, str(tmp_path / "s")], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert len(set(outputs)) == 1
    store = open_artifacts("s", tmp_path)
    assert len(list(store.digests())) == 20


_SAME = """
import sys
from pathlib import Path
from modelyard.storage.artifacts import open_artifacts
store = open_artifacts(sys.argv[1], Path("/"))
for n in range(20):
    print(store.put(str(n).encode() * 100_000))
    store.get(store.put(str(n).encode() * 100_000))
"""


def test_a_target_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    store = open_artifacts("a", tmp_path)
    digest = store.put(b"x")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreDown, match="file"):
        store.fetch(digest, tmp_path / "file" / "out")


_FULL = """
import resource, signal, sys
from pathlib import Path
from modelyard.storage.artifacts import open_artifacts
from modelyard.errors import StoreDown
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = open_artifacts(sys.argv[1], Path("/"))
small = store.put(b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for content in (b"x" * 200_000, b"y" * 20_000_000):
    Path(sys.argv[1] + ".in")
    try:
        store.put(content)
    except StoreDown as error:
        assert sys.argv[1] in str(error), error
    else:
        sys.exit("no error")
assert store.get(small) == b"small"
assert list(store.digests()) == [small], list(store.digests())
"""


def test_no_room_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL, str(tmp_path / "s")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


_PUTS = """
import sys
from pathlib import Path
from modelyard.storage.artifacts import open_artifacts
store = open_artifacts(sys.argv[1], Path("/"))
n = 0
while True:
    print(store.put(str(n).encode() * 200_000), flush=True)
    n += 1
"""


def test_kill_leaves_whole_blobs_only(tmp_path: Path) -> None:
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", _PUTS, str(tmp_path / "s")], stdout=subprocess.PIPE)
        assert process.stdout
        acknowledged = [process.stdout.readline().decode().strip() for _ in range(5)]
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [line.decode().strip() for line in process.stdout if line.endswith(b"\n")]
        process.wait()
        process.stdout.close()
        store = open_artifacts(str(tmp_path / "s"), Path("/"))
        listed = set(store.digests())
        assert listed.issuperset(acknowledged)
        for digest in listed:
            store.get(digest)
