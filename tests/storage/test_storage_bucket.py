"""Artifacts and tables in a bucket, on a server that speaks S3 in an environment of its own."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import obstore
import polars as pl
import pytest
from obstore.store import from_url

from modelyard.errors import SettingsError, StoreDown, Tampered
from modelyard.ports import ArtifactStore
from modelyard.records.schema import Column, Schema
from modelyard.storage.artifacts import open_artifacts
from modelyard.storage.mirror import Mirror, Overtaken
from modelyard.tables import delta
from modelyard.testing.artifact_store import ArtifactStoreKit

pytestmark = [pytest.mark.peer]
SCHEMA = Schema(columns=(Column(name="n", kind="integer"),))


class TestBucket(ArtifactStoreKit):
    @pytest.fixture
    def store(self, bucket_address: str) -> ArtifactStore:
        self.address = bucket_address
        return open_artifacts(bucket_address, Path("/nowhere"))

    def damage(self, store: ArtifactStore, digest: str) -> None:  # noqa: ARG002
        behind = from_url(self.address, client_options={"allow_http": True})
        obstore.put(behind, f"{digest[:2]}/{digest[2:]}", b"something else")


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("ftp://x/y", "ftp:// is not known"),
        ("s3://", "names no bucket"),
        ("s3://key:secret@bucket/x", "without credentials"),
    ],
)
def test_what_is_no_bucket_is_refused(location: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        open_artifacts(location, Path("/nowhere"))
    assert "secret" not in str(caught.value)


def test_a_bucket_that_is_not_there_and_a_server_that_is_not(
    bucket_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreDown, match=r"s3://absent/x"):
        open_artifacts(bucket_address.replace("yards", "absent").rpartition("/")[0] + "/x", Path()).put(b"x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("modelyard.storage.bucket._TIMEOUT", dt.timedelta(seconds=1))
    with pytest.raises(StoreDown, match="s3://yards") as caught:
        open_artifacts(bucket_address, Path()).put(b"x")
    assert "s3cret" not in str(caught.value)


def commit(folder: Path, number: int) -> tuple[str, ...]:
    """That number as the table's only row; the names of its parts."""
    version = delta.write(folder / "visits", pl.DataFrame({"n": [number]}), SCHEMA, digest=f"{number:064}")
    return delta.names(folder / "visits", version)


def rows(folder: Path, version: int) -> list[int]:
    return delta.read(folder / "visits", version, SCHEMA)["n"].to_list()


def test_what_one_machine_commits_another_reads(bucket_address: str, tmp_path: Path) -> None:
    one, other = Mirror(bucket_address, tmp_path / "one"), Mirror(bucket_address, tmp_path / "other")
    first = commit(tmp_path / "one", 1)
    one.push("visits", first)
    second = commit(tmp_path / "one", 2)
    one.push("visits", second)
    one.push("visits", second)
    other.pull("visits", first)
    assert rows(tmp_path / "other", 0) == [1]
    other.pull("visits", second)
    assert rows(tmp_path / "other", 1) == [2]


def test_of_two_that_commit_at_once_one_begins_again(bucket_address: str, tmp_path: Path) -> None:
    one, other = Mirror(bucket_address, tmp_path / "one"), Mirror(bucket_address, tmp_path / "other")
    one.push("visits", commit(tmp_path / "one", 1))
    other.pull("visits")
    one.push("visits", commit(tmp_path / "one", 2))
    mine = commit(tmp_path / "other", 3)
    with pytest.raises(Overtaken):
        other.push("visits", mine)
    other.pull("visits")
    other.push("visits", commit(tmp_path / "other", 3))
    one.pull("visits", mine)
    assert rows(tmp_path / "one", 2) == [3]


def test_a_commit_that_was_killed_before_it_was_pushed_is_forgotten(
    bucket_address: str, tmp_path: Path
) -> None:
    one, other = Mirror(bucket_address, tmp_path / "one"), Mirror(bucket_address, tmp_path / "other")
    one.push("visits", commit(tmp_path / "one", 1))
    commit(tmp_path / "one", 2)  # and no push
    other.pull("visits")
    three = commit(tmp_path / "other", 3)
    other.push("visits", three)
    one.pull("visits", three)
    assert rows(tmp_path / "one", 1) == [3]


def test_a_damaged_or_missing_part_is_named(bucket_address: str, tmp_path: Path) -> None:
    one, other = Mirror(bucket_address, tmp_path / "one"), Mirror(bucket_address, tmp_path / "other")
    (part,) = commit(tmp_path / "one", 1)
    one.push("visits", (part,))
    behind = from_url(f"{bucket_address}/tables", client_options={"allow_http": True})
    obstore.put(behind, f"visits/{part}", b"something else")
    with pytest.raises(Tampered, match=part):
        other.pull("visits", (part,))
    one.remove(f"visits/{part}")
    one.remove(f"visits/{part}")
    with pytest.raises(Tampered, match=f"{part} is gone"):
        other.pull("visits", (part,))
    assert not list((tmp_path / "other").rglob("*.tmp"))


def test_another_machine_goes_on_with_the_same_yard(
    bucket_address: str, postgres_url: Callable[[], str], tmp_path: Path, built_once: Path
) -> None:
    """A build on one machine, and on another with nothing but the project's files and the same settings."""
    environ = {
        **os.environ,
        "MODELYARD_YARD__DATABASE": postgres_url(),
        "MODELYARD_YARD__ARTIFACTS": bucket_address,
    }
    machines = [tmp_path / "one" / "screening", tmp_path / "other" / "screening"]
    for folder in machines:
        shutil.copytree(built_once, folder, ignore=shutil.ignore_patterns(".modelyard"))

    def run(folder: Path, *words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "modelyard", "-C", str(folder), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environ)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout

    run(machines[0], "build")
    assert run(machines[1], "build").count("unchanged") == 5
    assert json.loads(run(machines[1], "data", "show", "patients@1", "--json"))
    run(machines[1], "data", "checkout", "patients@1", str(tmp_path / "rows.parquet"))
    assert pl.read_parquet(tmp_path / "rows.parquet").height == 569
    assert "screening@1" in run(machines[1], "versions")
    run(machines[1], "evaluate", "screening@1")
    for folder in machines:
        assert "Nothing is wrong" in run(folder, "doctor")
    again = machines[1] / "data" / "patients.csv"
    again.write_text("".join(again.read_text().splitlines(keepends=True)[:500]))
    assert "patients@2" in run(machines[1], "ingest", "patients")
    run(machines[0], "data", "checkout", "patients@2", str(tmp_path / "fewer.parquet"))
    assert pl.read_parquet(tmp_path / "fewer.parquet").height == 499
