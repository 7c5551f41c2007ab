"""A report as files."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from modelyard.errors import StoreDown
from modelyard.evaluation import publish
from modelyard.records.gate import GateOutcome
from modelyard.records.report import Metric, Report


def report(value: float = 0.98765) -> Report:
    return Report(
        model="screening",
        package="9f" * 32,
        dataset="patients@3",
        dataset_digest="77" * 32,
        task="multiclass",
        classes=("a", "b"),
        rows=10,
        metrics=(Metric(name="accuracy", value=value, low=0.9, high=1.0),),
        gates=(GateOutcome(metric="accuracy", rule="min", passed=True, sentence="accuracy is fine."),),
        passed=True,
        created=dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
    )


def test_three_files_of_one_record(tmp_path):
    record, text, page = publish(report(), tmp_path / "new" / "folder")
    assert [p.name for p in (record, text, page)] == ["report.json", "report.md", "report.html"]
    assert msgspec.json.decode(record.read_bytes(), type=Report) == report()
    assert "0.9877" in text.read_text()
    assert "0.9877" in page.read_text()
    assert sorted(p.name for p in record.parent.iterdir()) == ["report.html", "report.json", "report.md"]


def test_publishing_again_replaces_and_is_the_same_bytes(tmp_path):
    first = [p.read_bytes() for p in publish(report(), tmp_path)]
    publish(report(0.5), tmp_path)
    assert [p.read_bytes() for p in publish(report(), tmp_path)] == first
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_that_cannot_be_is_an_outage_with_its_name(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("here first")
    with pytest.raises(StoreDown, match="file"):
        publish(report(), blocked)
    assert blocked.read_text() == "here first"
