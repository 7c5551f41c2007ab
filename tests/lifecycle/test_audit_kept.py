"""A signed checkpoint of the audit chain, kept elsewhere, tells what became of the chain."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kept(modelyard: Command, built: Path, tmp_path: Path) -> Path:
    file = tmp_path / "kept.json"
    code, output, complaint = modelyard("-C", built, "audit", "keep", file)
    assert code == 0, complaint
    assert "signed by" in output
    return file


def verified(modelyard: Command, built: Path, file: Path) -> tuple[int, str]:
    code, output, complaint = modelyard("-C", built, "audit", "verify", "--against", file)
    return code, output + complaint


def damage(built: Path, sql: str) -> None:
    """Also of the file beside the database, as by somebody who can write both."""
    yard = built / ".modelyard" / "yard.db"
    with sqlite3.connect(yard) as connection:
        connection.execute(sql)
    yard.with_name("yard.db.checkpoint").write_bytes(b"")


def test_a_chain_that_only_grew_agrees(modelyard: Command, built: Path, kept: Path) -> None:
    assert modelyard("-C", built, "train", "screening", "--set", "C=3")[0] == 0
    code, said = verified(modelyard, built, kept)
    assert code == 0
    assert "every link holds, and" in said


def test_a_chain_that_was_cut_or_written_anew_does_not(modelyard: Command, built: Path, kept: Path) -> None:
    damage(built, "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)")
    assert modelyard("-C", built, "audit", "verify")[0] == 0, "only what is kept elsewhere can tell"
    code, said = verified(modelyard, built, kept)
    assert (code, "was cut" in said) == (1, True)
    assert modelyard("-C", built, "train", "screening", "--set", "C=3")[0] == 0
    code, said = verified(modelyard, built, kept)
    assert (code, "was rewritten" in said) == (1, True)


def test_only_what_a_trusted_key_signed_counts(modelyard: Command, built: Path, kept: Path) -> None:
    envelope = json.loads(kept.read_bytes())
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload["predicate"]["size"] -= 1
    forged = kept.with_name("forged.json")
    changed = {**envelope, "payload": base64.b64encode(json.dumps(payload).encode()).decode()}
    for content in (json.dumps(changed).encode(), b"", b"{}", b"\xff" * 100, b"x" * 100_000):
        forged.write_bytes(content)
        code, said = verified(modelyard, built, forged)
        assert code == 1, said
        assert "forged.json" in said
    (built / ".modelyard" / "keys").rename(built / ".modelyard" / "of another")
    assert verified(modelyard, built, kept)[0] == 1


def test_a_checkpoint_is_never_overwritten(modelyard: Command, built: Path, kept: Path) -> None:
    before = kept.read_bytes()
    code, _, complaint = modelyard("-C", built, "audit", "keep", kept)
    assert (code, "is there already" in complaint) == (2, True)
    assert kept.read_bytes() == before
    assert verified(modelyard, built, kept.with_name("absent.json"))[0] == 2
