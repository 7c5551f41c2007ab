"""Small files that are typed as one give what they give one by one, refusals included."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.data import extraction
from modelyard.data.extraction import read_through
from modelyard.data.sources.staged import Staged
from modelyard.errors import DataRefused
from modelyard.records.schema import Column, Schema

FIELDS = {
    "numbers": st.integers(-99, 99).map(str) | st.sampled_from(["", "1.5", "2.0", "NA", "007", " 3", "1e3"]),
    "texts": st.sampled_from(["ward", "x", "", "north wing", "5", "NA", "true", "ä"]),
    "days": st.sampled_from(["2026-01-31", "2025-12-01", "", "2026-01-31T12:00:00", "2026-02-30"]),
    "flags": st.sampled_from(["true", "false", "", "True", "1"]),
    "odd": st.sampled_from(['"a"', '"b\n,c"', "a\rb", "1,2", "x", "1"]),
    "ids": st.integers(10**19, 10**19 + 9).map(str) | st.sampled_from(["0.5", "8"]),
}
ENDS = st.sampled_from(["\n", "\r\n"])
HINTS = st.sampled_from([None, *(Schema(columns=(Column(name="a", kind=k),)) for k in ("integer", "string"))])  # type: ignore[arg-type]


def told(folder: Path, files: list[str], schema: Schema | None) -> object:
    staged = []
    for at, content in enumerate(files):
        path = folder / f"{at}.csv"
        path.write_bytes(content.encode())
        staged.append(Staged(path=path, form="csv", origin=f"{at}.csv"))
    try:
        reading = read_through(staged, lambda frame: frame.rows(), schema=schema)
    except DataRefused as error:
        return str(error)
    heard = {path: (told.size, told.sha256) for path, told in reading.told.items()}
    return reading.kinds, [row for piece in reading.done for row in piece], reading.place, heard


@given(
    data=st.data(),
    kinds=st.tuples(st.sampled_from(sorted(FIELDS)), st.sampled_from(["numbers", "texts"])),
    mostly=st.booleans(),
    schema=HINTS,
)
@settings(deadline=None, max_examples=80)
def test_together_is_one_by_one(
    data: st.DataObject, kinds: tuple[str, str], mostly: bool, schema: Schema | None
) -> None:
    usual = {"numbers": "4", "texts": "ward", "days": "2026-01-01", "flags": "true", "odd": "x", "ids": "0.5"}
    files = []
    for _ in range(data.draw(st.integers(2, 5))):
        end = data.draw(ENDS)
        records = [["a", "b"]]
        for _ in range(data.draw(st.integers(0, 4))):
            records.append(
                [usual[k] if mostly and data.draw(st.booleans()) else data.draw(FIELDS[k]) for k in kinds]
            )
        content = end.join(map(",".join, records)) + data.draw(st.sampled_from(["", end, end * 2]))
        files.append(data.draw(st.sampled_from(["", "", "\ufeff"])) + content)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        together = told(Path(folder), files, schema)
        patch.setattr(extraction, "_together", lambda *_: None)
        assert together == told(Path(folder), files, schema)


def test_plain_files_are_typed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(*_: object) -> None:
        raise AssertionError("a file was typed by itself")

    monkeypatch.setattr(extraction, "_typed", alone)
    files = [f"n,x,w\n{n},{n / 2},north\n{n + 9},,south\n" for n in range(9)]
    found = told(tmp_path, files, None)
    assert isinstance(found, tuple)
    kinds, rows, place, _ = found
    assert kinds == {"n": "integer", "x": "float", "w": "string"}
    assert rows[3] == (10, None, "south")
    assert place.of(4) == "1.csv, row 2"
