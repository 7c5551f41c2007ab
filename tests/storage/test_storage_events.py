"""The audit chain: every way to tamper with it is found and the first record is named."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modelyard.errors import AuditBroken
from modelyard.ports import Yard
from modelyard.records.event import Event
from modelyard.storage.checkpoint import read
from modelyard.storage.database import SqlYard, open_yard
from modelyard.storage.events import verify, verify_chain
from modelyard.testing.yard import change

SIZE = 9
COLUMNS = ("seq", "ts", "actor", "action", "object", "payload", "payload_sha256", "prev")
Tamper = Callable[[sqlite3.Connection], object]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """Nine events in seven transactions: there is no checkpoint of the fourth and the fifth."""
    return filled(tmp_path)


def filled(folder: Path, marker: str = "true") -> SqlYard:
    yard = open_yard("sqlite:///yard.db", folder)
    sizes = (1, 1, 1, 3, 1, 1, 1)
    done = 0
    for size in sizes:
        numbers = range(done + 1, done + size + 1)
        change(
            yard,
            *(lambda f, n=n: f.events.append("x.y", f"model@{n}", number=n, text=marker) for n in numbers),
        )
        done += size
    assert isinstance(yard, SqlYard)
    return yard


def tampered(yard: Yard, tamper: Tamper) -> str:
    """What ``verify`` says after the change."""
    assert isinstance(yard, SqlYard)
    connection = sqlite3.connect(yard.database.path)
    with connection:
        tamper(connection)
    connection.close()
    with pytest.raises(AuditBroken) as caught:
        verify(yard)
    return str(caught.value)


def named(sentence: str) -> int:
    found = re.search(r"record (\d+)", sentence)
    assert found, sentence
    return int(found[1])


def test_an_untouched_chain_verifies(yard: Yard) -> None:
    assert verify(yard) == SIZE
    with yard.read() as facts:
        assert verify_chain(facts.events.list()) == SIZE


def test_an_empty_chain_verifies(tmp_path: Path) -> None:
    assert verify(open_yard("sqlite:///yard.db", tmp_path)) == 0


def test_the_links_are_those_of_the_contract(yard: Yard) -> None:
    """Computed here from nothing but the contract's words."""
    with yard.read() as facts:
        events = facts.events.list()
    before = "0" * 64
    for event in events:
        payload = json.dumps(event.payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        record = {
            "seq": event.seq,
            "ts": event.ts.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "actor": event.actor,
            "action": event.action,
            "object": event.object,
            "payload_sha256": hashlib.sha256(payload.encode()).hexdigest(),
            "prev": before,
        }
        assert (event.payload_sha256, event.prev) == (record["payload_sha256"], before)
        before = hashlib.sha256(
            json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
    assert isinstance(yard, SqlYard)
    assert [(c.size, c.root) for c in read(yard.checkpoint) or []][-1] == (SIZE, before)


@pytest.mark.parametrize("column", COLUMNS[1:])
@pytest.mark.parametrize("seq", range(1, SIZE + 1))
def test_one_edited_byte_is_found_and_named(yard: Yard, seq: int, column: str) -> None:
    def edit(connection: sqlite3.Connection) -> None:
        query = f"SELECT {column} FROM events WHERE seq = ?"
        (text,) = connection.execute(query, (seq,)).fetchone()
        last = len(text.rstrip('}Z"')) - 1
        other = text[:last] + ("0" if text[last] != "0" else "1") + text[last + 1 :]
        connection.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (other, seq))

    assert named(tampered(yard, edit)) == seq


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET ts = replace(ts, 'Z', '+00:00') WHERE seq = 4",
        "UPDATE events SET payload = replace(payload, ':', ': ') WHERE seq = 4",
        "UPDATE events SET payload = x'00ff' WHERE seq = 4",
        "UPDATE events SET payload = '[]' WHERE seq = 4",
        "UPDATE events SET ts = 'yesterday' WHERE seq = 4",
        "UPDATE events SET actor = 7 WHERE seq = 4",
    ],
)
def test_an_edit_that_means_the_same_or_nothing_is_found(yard: Yard, statement: str) -> None:
    assert named(tampered(yard, lambda c: c.execute(statement))) == 4


@pytest.mark.parametrize("seq", range(1, SIZE + 1))
def test_an_edit_with_its_own_digest_mended_is_found(yard: Yard, seq: int) -> None:
    payload = '{"number":0,"text":"false"}'
    digest = hashlib.sha256(payload.encode()).hexdigest()

    def edit(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE events SET payload = ?, payload_sha256 = ? WHERE seq = ?", (payload, digest, seq)
        )

    assert named(tampered(yard, edit)) == seq


@pytest.mark.parametrize("seq", range(1, SIZE))
@pytest.mark.parametrize("close", [False, True])
def test_a_deleted_record_is_found(yard: Yard, seq: int, close: bool) -> None:
    def delete(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM events WHERE seq = ?", (seq,))
        if close:
            for later in range(seq + 1, SIZE + 1):
                connection.execute("UPDATE events SET seq = ? WHERE seq = ?", (later - 1, later))

    assert named(tampered(yard, delete)) == seq


@pytest.mark.parametrize("seq", range(1, SIZE + 1))
def test_an_inserted_record_is_found(yard: Yard, seq: int) -> None:
    """Chained to the one before as it should be; those after it make room."""

    def insert(connection: sqlite3.Connection) -> None:
        row = connection.execute("SELECT * FROM events WHERE seq = ?", (seq,)).fetchone()
        for later in range(SIZE, seq - 1, -1):
            connection.execute("UPDATE events SET seq = ? WHERE seq = ?", (later + 1, later))
        forged = (seq, row[1], "mallory", *row[3:])
        connection.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(COLUMNS))})", forged)

    assert named(tampered(yard, insert)) == seq


@pytest.mark.parametrize("seq", range(1, SIZE))
def test_reordered_records_are_found(yard: Yard, seq: int) -> None:
    def swap(connection: sqlite3.Connection) -> None:
        for one, other in ((seq, 1000), (seq + 1, seq), (1000, seq + 1)):
            connection.execute("UPDATE events SET seq = ? WHERE seq = ?", (other, one))

    assert named(tampered(yard, swap)) == seq


@pytest.mark.parametrize("kept", range(SIZE))
def test_truncation_is_found(yard: Yard, kept: int) -> None:
    sentence = tampered(yard, lambda c: c.execute("DELETE FROM events WHERE seq > ?", (kept,)))
    assert named(sentence) == kept + 1
    assert "cut" in sentence


def test_truncation_is_found_after_the_chain_grew_again(yard: Yard) -> None:
    tampered(yard, lambda c: c.execute("DELETE FROM events WHERE seq > 7"))
    for n in range(5):
        change(yard, lambda f, n=n: f.events.append("x.y", f"other@{n}"))
    with pytest.raises(AuditBroken, match="record 8"):
        verify(yard)


def test_a_whole_rewrite_is_found(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "forged").mkdir()
    forged = filled(tmp_path / "forged", marker="forged")
    assert verify(forged) == SIZE

    def rewrite(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM events")
        with forged.read() as facts:
            for e in facts.events.list():
                payload = json.dumps(e.payload, separators=(",", ":"))
                ts = e.ts.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                row = (e.seq, ts, e.actor, e.action, e.object, payload, e.payload_sha256, e.prev)
                connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    sentence = tampered(yard, rewrite)
    assert named(sentence) == 1
    assert "rewritten" in sentence


def test_a_copy_of_the_checkpoints_elsewhere_can_be_asked(yard: Yard, tmp_path: Path) -> None:
    assert isinstance(yard, SqlYard)
    copy = shutil.copy(yard.checkpoint, tmp_path / "elsewhere")
    yard.checkpoint.write_bytes(b"")
    connection = sqlite3.connect(yard.database.path)
    with connection:
        connection.execute("DELETE FROM events WHERE seq > 5")
    connection.close()
    assert verify(yard) == 5
    with pytest.raises(AuditBroken, match="record 6"):
        verify(yard, Path(copy))


def test_checkpoints_that_are_gone_or_edited_are_said(yard: Yard) -> None:
    assert isinstance(yard, SqlYard)
    lines = yard.checkpoint.read_bytes()
    yard.checkpoint.unlink()
    with pytest.raises(AuditBroken, match="are gone"):
        verify(yard)
    change(yard, lambda f: f.events.append("x.y", "z"))
    with pytest.raises(AuditBroken, match="are gone"):
        verify(open_yard("sqlite:///yard.db", yard.database.path.parent))
    yard.checkpoint.write_bytes(lines.replace(b"size", b"sise", 1))
    with pytest.raises(AuditBroken, match="Line 1"):
        verify(yard)
    yard.checkpoint.write_bytes(b"garbage\n" + lines)
    with pytest.raises(AuditBroken, match="Line 1"):
        verify(yard)


def test_a_checkpoint_that_a_crash_cut_short_does_no_harm(yard: Yard) -> None:
    assert isinstance(yard, SqlYard)
    yard.checkpoint.write_bytes(yard.checkpoint.read_bytes()[:-20])
    assert verify(yard) == SIZE
    change(yard, lambda f: f.events.append("x.y", "z"))
    assert verify(yard) == SIZE + 1


def test_a_checkpoint_that_was_never_written_does_no_harm(yard: Yard) -> None:
    assert isinstance(yard, SqlYard)
    lines = yard.checkpoint.read_bytes().splitlines(keepends=True)
    yard.checkpoint.write_bytes(b"".join(lines[:3]))
    assert verify(yard) == SIZE


@given(st.data())
def test_without_checkpoints_any_single_edit_before_the_last_is_found(data: st.DataObject) -> None:
    chain = _chain(6)
    at = data.draw(st.integers(0, 4))
    field = data.draw(st.sampled_from(["actor", "action", "object"]))
    text = data.draw(st.text(st.characters(exclude_categories=["Cs"])))
    edited = replace(chain[at], **{field: text})
    if edited == chain[at]:
        return
    with pytest.raises(AuditBroken) as caught:
        verify_chain([*chain[:at], edited, *chain[at + 1 :]])
    assert named(str(caught.value)) == at + 1


def _chain(size: int) -> list[Event]:
    chain: list[Event] = []
    before = "0" * 64
    for seq in range(1, size + 1):
        empty = hashlib.sha256(b"{}").hexdigest()
        moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        record = {
            "seq": seq,
            "ts": "2026-01-01T00:00:00.000000Z",
            "actor": "ann",
            "action": "x.y",
            "object": str(seq),
            "payload_sha256": empty,
            "prev": before,
        }
        chain.append(
            Event(
                seq=seq,
                ts=moment,
                actor="ann",
                action="x.y",
                object=str(seq),
                payload={},
                payload_sha256=empty,
                prev=before,
            )
        )
        before = hashlib.sha256(
            json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
    return chain
