"""Object stores: servers that speak S3 and Azure's protocol, in environments of their own."""

from __future__ import annotations

import base64
import hmac
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from obstore.store import AzureStore, S3Store

from modelyard.data import extract, fingerprint
from modelyard.data.sources import objects
from modelyard.data.sources.listing import like
from modelyard.data.staging import stage
from modelyard.errors import DataRefused, SettingsError, SourceDown, SourceMissing
from modelyard.settings import SourceSettings

ROOT = Path(__file__).parents[3]
OPTIONS = {"region": "eu-central-1", "access_key_id": "reader", "secret_access_key": "${PW}"}
AZURITE = "3.37.0"
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Of the account that the emulator has for everybody; it is in its documentation."""
pytestmark = [pytest.mark.peer]


@pytest.fixture(scope="session")
def azurite() -> Path:
    """Azure's own emulator of its blobs, installed by npm into a cached folder."""
    home = ROOT / ".cache" / "envs" / f"azurite-{AZURITE}"
    program = home / "node_modules" / ".bin" / "azurite-blob"
    if (home / "ready").exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, which Azure's emulator comes by")
    home.mkdir(parents=True, exist_ok=True)
    words = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", f"azurite@{AZURITE}"]
    try:
        subprocess.run(
            [npm, "install", *words], cwd=home, check=True, capture_output=True, text=True, timeout=280
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        pytest.skip(f"npm cannot install azurite {AZURITE}: {said[-1] if said else error}")
    (home / "ready").touch()
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str | Path], bucket: Callable[[], urllib.request.Request]) -> Iterator[None]:
    """The server, from when it has taken the request that makes the bucket."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(bucket(), timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end, "the store did not start"
                assert process.poll() is None
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def endpoint(moto_python: Path) -> Iterator[str]:
    port = free_port()
    at = f"http://127.0.0.1:{port}"
    with serving(
        [moto_python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        lambda: urllib.request.Request(f"{at}/clinic", method="PUT", data=b""),
    ):
        yield at


@pytest.fixture(scope="module")
def azure(azurite: Path) -> Iterator[str]:
    port = free_port()
    at = f"http://127.0.0.1:{port}/{ACCOUNT}"
    quiet = ["--inMemoryPersistence", "--disableTelemetry", "--silent", "--skipApiVersionCheck"]
    with serving(
        [azurite, "--blobHost", "127.0.0.1", "--blobPort", str(port), *quiet], lambda: container(at, "clinic")
    ):
        yield at


def container(at: str, name: str) -> urllib.request.Request:
    """A signed request that makes a container, which the library that reads has no word for."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    signed = "\n".join(
        [
            "PUT",
            *[""] * 11,
            *(f"{k}:{v}" for k, v in headers.items()),
            f"/{ACCOUNT}/{ACCOUNT}/{name}",
            "restype:container",
        ]
    )
    key = hmac.digest(base64.b64decode(ACCOUNT_KEY), signed.encode(), "sha256")
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(key).decode()}"
    return urllib.request.Request(f"{at}/{name}?restype=container", method="PUT", headers=headers)


@dataclass
class Store:
    """A store, its address and how to write to it."""

    scheme: str
    options: dict[str, str]
    _writes: Any

    def url(self, key: str) -> str:
        return f"{self.scheme}://clinic/{key}"

    def at(self, key: str, **settings: Any) -> SourceSettings:
        return SourceSettings(url=self.url(key), options=self.options, **settings)

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self._writes, key, content)


@pytest.fixture(params=["s3", "gs", "az"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A bucket of each kind. Google's is asked in the protocol that it shares with S3."""
    plain = {"client_options": {"allow_http": True}}
    if request.param == "az":
        at = request.getfixturevalue("azure")
        monkeypatch.setenv("PW", ACCOUNT_KEY)
        options = {"account_name": ACCOUNT, "account_key": "${PW}", "endpoint": at}
        found = Store(
            "az", options, AzureStore("clinic", config={**options, "account_key": ACCOUNT_KEY}, **plain)
        )
    else:
        at = request.getfixturevalue("endpoint")
        monkeypatch.setenv("PW", "hunter2/+")
        writes = S3Store(
            "clinic", endpoint=at, region="eu-central-1", access_key_id="a", secret_access_key="b", **plain
        )
        s3 = {**OPTIONS, "endpoint": at}
        google = {"base_url": at, "bearer_token": "${PW}"}
        found = Store(request.param, s3 if request.param == "s3" else google, writes)
    yield found
    for page in obstore.list(found._writes):
        for one in page:
            obstore.delete(found._writes, one["path"])


def test_objects_prefixes_and_globs(store: Store, tmp_path: Path) -> None:
    for key in (
        "rows/2025/a.csv",
        "rows/2026/b.csv",
        "rows/2026/deep/c.csv",
        "rows/_SUCCESS",
        "rows/.x.csv",
        "rowsd.csv",
    ):
        store.put(key, f"x\n{Path(key).stem}\n".encode())
    pl.DataFrame({"x": ["p"]}).write_parquet(tmp_path / "p.parquet")
    store.put("rows/2027/p.parquet", (tmp_path / "p.parquet").read_bytes())
    for key, found in {
        "rows/2025/a.csv": ["a"],
        "rows/2026/": ["b", "c"],
        "rows/2026": ["b", "c"],
        "rows/*/*.csv": ["a", "b"],
        "rows/**/*.csv": ["a", "b", "c"],
        "rows/**": ["a", "b", "c", "p"],
        "row?d.csv": ["rowsd"],
    }.items():
        assert extract(store.at(key), tmp_path)["x"].to_list() == found, key
    told = fingerprint(store.at("rows/2026/"), tmp_path)
    assert told is not None
    assert [f.path for f in told] == [store.url("rows/2026/b.csv"), store.url("rows/2026/deep/c.csv")]
    assert told == fingerprint(store.at("rows/2026/"), tmp_path)
    store.put("rows/2026/b.csv", b"x\nother\n")
    assert told != fingerprint(store.at("rows/2026/"), tmp_path)
    for key in ("none.csv", "none/", "none/*.csv"):
        with pytest.raises(SourceMissing, match=store.url("none")):
            extract(store.at(key), tmp_path)
    with pytest.raises(SourceMissing, match=f"{store.scheme}://other"):
        extract(SourceSettings(url=f"{store.scheme}://other/a.csv", options=store.options), tmp_path)
    with pytest.raises(DataRefused, match=r"larger than 1e-08 GB"):
        extract(store.at("rows/", limit_gb=1e-8), tmp_path)


def test_a_large_object_streams(store: Store, tmp_path: Path) -> None:
    content = b"x\n" + b"1234567\n" * 2_500_000
    store.put("large.csv", content)
    (file,) = stage(store.at("large.csv"), tmp_path, tmp_path / "scratch")
    assert file.path.read_bytes() == content
    assert file.origin == store.url("large.csv")


def test_an_object_that_changes_while_it_is_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a.csv", b"x\n1\n")
    find = objects._Bucket.find

    def found_then_changed(bucket: objects._Bucket) -> object:
        found = find(bucket)
        store.put("a.csv", b"x\n2\n")
        return found

    monkeypatch.setattr(objects._Bucket, "find", found_then_changed)
    with pytest.raises(SourceDown, match=rf"^{store.url('a.csv')} changed while it was read"):
        stage(store.at("a.csv"), tmp_path, tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_azure_refuses_a_wrong_key(azure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "aHVudGVyMg==")
    options = {"account_name": ACCOUNT, "account_key": "${PW}", "endpoint": azure}
    for key in ("a.csv", "*.csv"):
        with pytest.raises(DataRefused, match=r"^az://clinic/.* may not be read; give credentials") as told:
            extract(SourceSettings(url=f"az://clinic/{key}", options=options), tmp_path)
        assert "aHVudGVyMg" not in str(told.value)


def test_a_store_that_is_down_and_options_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", "hunter2/+")
    nowhere = {**OPTIONS, "endpoint": "http://127.0.0.1:9"}
    for url in ("s3://clinic/a.csv", "s3://clinic/*.csv"):
        with pytest.raises(SourceDown, match=r"^s3://clinic/.* cannot be read: ") as told:
            extract(SourceSettings(url=url, options=nowhere, timeout=1.0), tmp_path)
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


def test_a_file_is_put_in_a_store(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for content in (b"first", b"second" * 2_000_000):  # the second in several pieces
        (tmp_path / "file").write_bytes(content)
        objects.put("s3://clinic/out/file.csv", tmp_path / "file", tmp_path)
        store = S3Store("clinic", client_options={"allow_http": True})
        assert bytes(obstore.get(store, "out/file.csv").bytes()) == content
    with pytest.raises((SourceMissing, SourceDown)):
        objects.put("s3://nowhere/file.csv", tmp_path / "file", tmp_path)
