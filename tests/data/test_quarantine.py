"""Refused rows are kept: bounded, private, without what is personal."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from modelyard.data import quarantine
from modelyard.errors import StoreDown
from modelyard.records.schema import Column, Schema
from modelyard.tables.check import check

SCHEMA = Schema(
    columns=(
        Column(name="name", kind="string", personal=True),
        Column(name="age", kind="integer", maximum=120, declared=("range",)),
    )
)
NOW = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)


def test_rows_with_their_place_and_reasons(tmp_path: Path) -> None:
    frame = pl.DataFrame({"name": ["Ann", "Bob"], "age": [200, 300]})
    reasons = quarantine.by_row(check(frame, SCHEMA).faults, {2: ["and more"]})
    path = quarantine.keep(
        frame,
        SCHEMA,
        folder=tmp_path / "q" / "people",
        places=[("a.csv", 1), ("b.csv", 7)],
        reasons=list(reasons.values()),
    )
    found = pl.read_parquet(path)
    assert found.columns == ["__file__", "__row__", "__reasons__", "age"], "what is personal is left out"
    assert found["__row__"].to_list() == [1, 7]
    assert found["__reasons__"].to_list() == [
        ["'age' is 200, outside of the declared range to 120."],
        ["'age' is 300, outside of the declared range to 120.", "and more"],
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_size_and_number_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST_ROWS", 50)
    monkeypatch.setattr(quarantine, "MOST_BYTES", 20_000)
    frame = pl.DataFrame({"name": ["x"] * 100, "age": range(100), "long": ["y" * 1000] * 100})
    for second in range(quarantine.MOST_FILES + 3):
        path = quarantine.keep(
            frame,
            SCHEMA,
            folder=tmp_path,
            places=[("a.csv", n) for n in range(100)],
            reasons=[["r"]] * 100,
            now=lambda second=second: NOW + dt.timedelta(seconds=second),  # type: ignore[misc]
        )
    assert 1 <= pl.read_parquet(path).height < 20
    names = sorted(p.name for p in tmp_path.iterdir())
    assert len(names) == quarantine.MOST_FILES
    assert names[-1] == path.name
    huge = quarantine.keep(
        pl.DataFrame({"long": ["z" * 10**6]}), SCHEMA, folder=tmp_path, places=[("a.csv", 1)], reasons=[["r"]]
    )
    assert pl.read_parquet(huge).columns == ["__file__", "__row__", "__reasons__"]


def test_a_disk_that_refuses_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown, match="make room"):
        quarantine.keep(
            pl.DataFrame({"age": [1]}), SCHEMA, folder=tmp_path / "file", places=[("a", 1)], reasons=[[]]
        )
