"""Object stores: a server that speaks S3, in an environment of its own."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import obstore
import polars as pl
import pytest
from obstore.store import S3Store

from modelyard.data import extract, fingerprint
from modelyard.data.sources import objects
from modelyard.data.sources.listing import like
from modelyard.data.staging import stage
from modelyard.errors import DataRefused, SettingsError, SourceDown, SourceMissing
from modelyard.settings import SourceSettings

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "locks" / "moto.txt"
OPTIONS = {"region": "eu-central-1", "access_key_id": "reader", "secret_access_key": "${PW}"}
pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("moto")]


@pytest.fixture(scope="session")
def moto_python() -> Path:
    """Python of a cached environment made from ``locks/moto.txt``."""
    version = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = ROOT / ".cache" / "envs" / f"moto-{version}"
    python = home / "bin" / "python"
    if (home / "ready").exists():
        return python
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    try:
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
            [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(LOCK)],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        pytest.skip(f"uv cannot install the environment of {LOCK.name}: {said[-1] if said else error}")
    (home / "ready").touch()
    return python


@pytest.fixture(scope="module")
def endpoint(moto_python: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [moto_python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    at = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while True:
        try:
            request = urllib.request.Request(f"{at}/clinic", method="PUT", data=b"")
            urllib.request.urlopen(request, timeout=5).close()
            break
        except OSError:
            assert time.monotonic() < end, "moto did not start"
            assert process.poll() is None
            time.sleep(0.1)
    yield at
    process.terminate()
    process.wait(10)


@pytest.fixture
def put(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, bytes], None]]:
    monkeypatch.setenv("PW", "hunter2/+")
    store = S3Store(
        "clinic", endpoint=endpoint, region="eu-central-1", access_key_id="a", secret_access_key="b",
        client_options={"allow_http": True},
    )  # fmt: skip
    yield lambda key, content: obstore.put(store, key, content) and None
    for page in obstore.list(store):
        for found in page:
            obstore.delete(store, found["path"])


def at(endpoint: str, url: str, **settings: object) -> SourceSettings:
    return SourceSettings(url=url, options={**OPTIONS, "endpoint": endpoint}, **settings)  # type: ignore[arg-type]


def test_objects_prefixes_and_globs(endpoint: str, put: Callable[[str, bytes], None], tmp_path: Path) -> None:
    for key in (
        "rows/2025/a.csv",
        "rows/2026/b.csv",
        "rows/2026/deep/c.csv",
        "rows/_SUCCESS",
        "rows/.x.csv",
        "rowsd.csv",
    ):
        put(key, f"x\n{Path(key).stem}\n".encode())
    pl.DataFrame({"x": ["p"]}).write_parquet(tmp_path / "p.parquet")
    put("rows/2027/p.parquet", (tmp_path / "p.parquet").read_bytes())
    for url, found in {
        "s3://clinic/rows/2025/a.csv": ["a"],
        "s3://clinic/rows/2026/": ["b", "c"],
        "s3://clinic/rows/2026": ["b", "c"],
        "s3://clinic/rows/*/*.csv": ["a", "b"],
        "s3://clinic/rows/**/*.csv": ["a", "b", "c"],
        "s3://clinic/rows/**": ["a", "b", "c", "p"],
        "s3://clinic/row?d.csv": ["rowsd"],
    }.items():
        assert extract(at(endpoint, url), tmp_path)["x"].to_list() == found, url
    told = fingerprint(at(endpoint, "s3://clinic/rows/2026/"), tmp_path)
    assert told is not None
    assert [f.path for f in told] == ["s3://clinic/rows/2026/b.csv", "s3://clinic/rows/2026/deep/c.csv"]
    assert told == fingerprint(at(endpoint, "s3://clinic/rows/2026/"), tmp_path)
    put("rows/2026/b.csv", b"x\nother\n")
    assert told != fingerprint(at(endpoint, "s3://clinic/rows/2026/"), tmp_path)
    for url in ("s3://clinic/none.csv", "s3://clinic/none/", "s3://clinic/none/*.csv", "s3://other/a.csv"):
        with pytest.raises(SourceMissing, match=r"s3://(clinic/none|other)"):
            extract(at(endpoint, url), tmp_path)
    with pytest.raises(DataRefused, match=r"larger than 1e-08 GB"):
        extract(at(endpoint, "s3://clinic/rows/", limit_gb=1e-8), tmp_path)


def test_a_large_object_streams(endpoint: str, put: Callable[[str, bytes], None], tmp_path: Path) -> None:
    content = b"x\n" + b"1234567\n" * 2_500_000
    put("large.csv", content)
    (file,) = stage(at(endpoint, "s3://clinic/large.csv"), tmp_path, tmp_path / "scratch")
    assert file.path.read_bytes() == content
    assert file.origin == "s3://clinic/large.csv"


def test_an_object_that_changes_while_it_is_read(
    endpoint: str, put: Callable[[str, bytes], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.csv", b"x\n1\n")
    find = objects._Bucket.find

    def found_then_changed(bucket: objects._Bucket) -> object:
        found = find(bucket)
        put("a.csv", b"x\n2\n")
        return found

    monkeypatch.setattr(objects._Bucket, "find", found_then_changed)
    with pytest.raises(SourceDown, match=r"^s3://clinic/a\.csv changed while it was read"):
        stage(at(endpoint, "s3://clinic/a.csv"), tmp_path, tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_a_store_that_is_down_and_options_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", "hunter2/+")
    for url in ("s3://clinic/a.csv", "s3://clinic/*.csv"):
        with pytest.raises(SourceDown, match=r"^s3://clinic/.* cannot be read: ") as told:
            extract(at("http://127.0.0.1:9", url, timeout=1.0), tmp_path)
        assert "hunter2" not in str(told.value)
    with pytest.raises(SettingsError, match="'options' of 's3://clinic/a.csv' hold a name"):  # noqa: RUF043
        extract(SourceSettings(url="s3://clinic/a.csv", options={"secret": "${PW}"}), tmp_path)
    with pytest.raises(SettingsError, match="names no bucket"):
        extract("s3:///a.csv", tmp_path)


def test_the_other_stores_are_asked_by_their_own_protocols(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers; that each gets as far as its server shows that its settings are taken."""
    monkeypatch.setenv("KEY", "aHVudGVyMg==")
    azure = {"account_name": "clinic", "account_key": "${KEY}", "endpoint": "http://127.0.0.1:9"}
    google = {
        "service_account_key": '{"gcs_base_url": "http://127.0.0.1:9", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}'
    }
    for url, options in (("az://rows/a.csv", azure), ("gs://rows/a.csv", google)):
        with pytest.raises(SourceDown, match=rf"^{url} cannot be read: ") as told:
            extract(SourceSettings(url=url, options=options, timeout=1.0), tmp_path)
        assert "aHVudGVyMg" not in str(told.value)


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("a/*.csv", "a/b.csv", True), ("a/*.csv", "a/b/c.csv", False), ("a/**/*.csv", "a/b/c.csv", True),
        ("a/**/*.csv", "a/c.csv", True), ("a/**", "a/b/c", True), ("a?.csv", "ab.csv", True),
        ("a?.csv", "a/.csv", False), ("a.csv", "aXcsv", False), ("*.csv", "a.csv\n", False),
    ],
)  # fmt: skip
def test_globs_of_keys(pattern: str, key: str, fits: bool) -> None:
    assert bool(like(pattern).match(key)) is fits
