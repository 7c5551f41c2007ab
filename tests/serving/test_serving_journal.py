"""The journal of a service stays within bounds."""

from __future__ import annotations

from pathlib import Path

from modelyard.serving.journal import trim


def test_the_later_half_is_kept_from_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.write_text("".join(f"line {n}\n" for n in range(1000)))
    with path.open("ab") as appending:
        trim(path, most=1000)
        lines = path.read_text().splitlines()
        assert 0 < path.stat().st_size <= 500
        assert lines[0].startswith("line ")
        assert lines[-1] == "line 999"
        appending.write(b"later\n")
    assert path.read_text().splitlines() == [*lines, "later"]


def test_a_short_one_and_a_missing_one_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    trim(path)
    assert not path.exists()
    path.write_text("one\n")
    trim(path, most=1000)
    assert path.read_text() == "one\n"
