"""A yard moved to another database and store holds what it held; one that was not is as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from modelyard.errors import StoreDown
from modelyard.storage.artifacts import Artifacts

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.peer
def test_to_a_server_and_a_bucket_and_back(
    modelyard: Command,
    built: Path,
    bucket_address: str,
    postgres_url: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*words: object) -> str:
        code, output, complaint = modelyard("-C", built, *words)
        assert code == 0, complaint + output
        return output

    before = [run(*words) for words in (("versions", "--json"), ("runs", "--json"), ("data", "--json"))]
    events = run("audit", "--json")
    url = postgres_url()
    monkeypatch.setenv("THE_YARD", url)
    moved = run("yard", "move", "--database", "$THE_YARD", "--artifacts", bucket_address)
    assert "audit events verified there" in moved
    assert url not in moved
    with monkeypatch.context() as there:
        there.setenv("MODELYARD_YARD__DATABASE", url)
        there.setenv("MODELYARD_YARD__ARTIFACTS", bucket_address)
        assert [
            run(*words) for words in (("versions", "--json"), ("runs", "--json"), ("data", "--json"))
        ] == before
        assert run("audit", "--json").startswith(events.rstrip().rstrip("]").rstrip())
        assert "Nothing is wrong" in run("doctor")
        assert run("build").count("unchanged") == 5
        run("train", "screening", "--set", "C=2")
        run("yard", "move", "--database", "sqlite:///back/yard.db", "--artifacts", "back/artifacts")
    monkeypatch.setenv("MODELYARD_YARD__DATABASE", "sqlite:///back/yard.db")
    monkeypatch.setenv("MODELYARD_YARD__ARTIFACTS", "back/artifacts")
    assert "Nothing is wrong" in run("doctor")
    run("data", "checkout", "patients@1", built / "rows.parquet")
    assert pl.read_parquet(built / "rows.parquet").height == 569
    assert run("audit").count("yard.moved") == 2


def test_a_move_that_fails_in_the_middle_is_begun_again(
    modelyard: Command, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (
        "-C",
        built,
        "yard",
        "move",
        "--database",
        "sqlite:///new/yard.db",
        "--artifacts",
        "new/artifacts",
    )
    put_file, calls = Artifacts.put_file, []

    def full(self: Artifacts, path: Path) -> str:
        calls.append(path)
        if len(calls) == 3:
            raise StoreDown(
                "The artifact store failed: no space left on device; see to the disk and try again."
            )
        return put_file(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(Artifacts, "put_file", full)
        code, _, complaint = modelyard(*words)
        assert (code, "no space left" in complaint) == (3, True)
    assert "every link holds" in modelyard("-C", built, "audit", "verify")[1]
    assert modelyard(*words)[0] == 0
    code, _, complaint = modelyard(*words)
    assert code == 2
    assert "holds facts of a yard already" in complaint


def test_a_damaged_artifact_is_not_carried_over(modelyard: Command, built: Path) -> None:
    blob = max((built / ".modelyard" / "artifacts").glob("??/*"), key=lambda path: path.stat().st_size)
    blob.write_bytes(b"something else")
    code, _, complaint = modelyard("-C", built, "yard", "move", "--artifacts", "new/artifacts")
    assert code == 1
    assert blob.name in complaint


def test_words_that_move_nothing(modelyard: Command, built: Path) -> None:
    assert modelyard("-C", built, "yard", "move")[0] == 2
    code, _, complaint = modelyard("-C", built, "yard", "move", "--database", "$NO_SUCH_VARIABLE")
    assert (code, "NO_SUCH_VARIABLE is not set" in complaint) == (2, True)
