"""The log on a disk: the kit, torn and damaged frames, rotation, full disks, kill -9."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import StoreDown
from modelyard.ports import PredictionSink, Rows
from modelyard.predictions import (
    Ids,
    LoggedFrame,
    Writer,
    load,
    open_writer,
    read,
    read_minutes,
    read_outcomes,
    segments,
)
from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.testing.prediction_sink import Answer, PredictionSinkKit, manifest, served


class TestLog(PredictionSinkKit):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "log"

    def open(self) -> PredictionSink:
        return open_writer(self.folder, 0)

    def logged(self) -> list[Answer]:
        return [answer for frame in read(self.folder) for answer in answers(frame)]

    def told(self) -> list[tuple[str, float, Outcome]]:
        frames = read_outcomes(self.folder)
        return [(frame.model, frame.at, outcome) for frame in frames for outcome in frame.outcomes]

    def counted(self) -> list[tuple[float, Minute]]:
        return [(frame.at, minute) for frame in read_minutes(self.folder) for minute in frame.minutes]


def answers(frame: LoggedFrame) -> list[Answer]:
    places = [(i, row) for i, count in enumerate(frame.counts) for row in range(count)]
    found = []
    for at, (request, row) in enumerate(places):
        number = frame.numbers[at, 0].item()
        chance, numbers = frame.probability, frame.quantiles
        found.append(
            Answer(
                frame.model.model_id,
                bytes(frame.ids[request]),
                frame.client_ids[request],
                row,
                frame.at,
                (None if number != number else number, frame.texts[at, 0]),
                np.asarray(frame.prediction, dtype=object)[at],
                None if chance is None else tuple(chance[at].tolist()),
                None if numbers is None else tuple(numbers[at].tolist()),
            )
        )
    return found


def turn(writer: Writer, key: int, *ids: bytes, flush: bool = True) -> None:
    n = len(ids)
    batch = SimpleNamespace(numbers=np.ones((n, 1)), texts=np.full((n, 1), "red", dtype=object))
    answered: Any = SimpleNamespace(
        prediction=np.array(["no"] * n, dtype=object), probability=np.ones((n, 2)), quantiles=None
    )
    writer.write(key, batch, answered, ids=ids, at=1.0, latency=0.1)
    if flush:
        writer.flush()


def begun(folder: Path, **more: Any) -> tuple[Writer, int]:
    writer = Writer(folder, 3, **more)
    return writer, writer.begin(served("m"), manifest("m"))


def ids(folder: Path) -> list[bytes]:
    return [bytes(i) for frame in read(folder) for i in frame.ids]


def test_an_open_segment_is_read_and_is_not_complete(tmp_path: Path) -> None:
    writer, key = begun(tmp_path)
    turn(writer, key, b"a")
    (segment,) = segments(tmp_path)
    assert segment.slot == 3
    assert not segment.is_complete()
    assert ids(tmp_path) == [b"a"]
    writer.close()
    assert segment.is_complete()
    assert segment.path.stat().st_size < 4096
    assert ids(tmp_path) == [b"a"]


def test_a_writer_without_predictions_leaves_nothing(tmp_path: Path) -> None:
    writer, _ = begun(tmp_path)
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_segments_rotate_by_size_and_each_can_be_read_alone(tmp_path: Path) -> None:
    writer, key = begun(tmp_path, size=2000)
    wanted = [b"%d" % i for i in range(100)]
    for each in wanted:
        turn(writer, key, each)
    writer.close()
    assert len(segments(tmp_path)) > 3
    assert ids(tmp_path) == wanted
    assert {frame.gap for frame in read(tmp_path)} == {0}
    segments(tmp_path)[0].path.unlink()
    assert {frame.gap for frame in read(tmp_path)} == {0}
    segments(tmp_path)[1].path.unlink()
    assert [frame.sequence for frame in read(tmp_path)][-1] == 99


def test_a_turn_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    writer, key = begun(tmp_path, size=500)
    wanted = [b"%d" % i for i in range(1000)]
    turn(writer, key, b"first")
    turn(writer, key, *wanted)
    turn(writer, key, b"last")
    assert ids(tmp_path) == [b"first", *wanted, b"last"]


def test_segments_rotate_by_age_even_when_idle(tmp_path: Path) -> None:
    writer, key = begun(tmp_path, age=-1.0)
    turn(writer, key, b"a")
    writer.flush()
    assert [segment.is_complete() for segment in segments(tmp_path)] == [True]
    turn(writer, key, b"b")
    assert [frame.gap for frame in read(tmp_path)] == [0, 0]


def test_several_generations_share_a_slot(tmp_path: Path) -> None:
    pairs = [begun(tmp_path) for _ in range(3)]
    for number, (writer, key) in enumerate(pairs):
        turn(writer, key, b"%d" % number)
    assert sorted(ids(tmp_path)) == [b"0", b"1", b"2"]


def test_redaction_is_what_the_log_sees(tmp_path: Path) -> None:
    def redact(batch: Rows) -> Rows:
        hidden: Any = SimpleNamespace(numbers=batch.numbers * np.nan, texts=batch.texts)
        return hidden

    writer = open_writer(tmp_path, 0, redact=redact)
    turn(writer, writer.begin(served("m"), manifest("m")), b"a")
    (frame,) = read(tmp_path)
    assert np.isnan(frame.numbers).all()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_log_cut_anywhere_gives_its_intact_beginning(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    writer, key = begun(folder)
    wanted = [b"%d" % i for i in range(10)]
    for each in wanted:
        turn(writer, key, each)
    writer.close()
    (segment,) = segments(folder)
    size = segment.path.stat().st_size
    cut = data.draw(st.integers(0, size))
    os.truncate(segment.path, cut)
    if data.draw(st.booleans()):
        os.truncate(segment.path, size)  # zeros instead of an end
    found = ids(folder)
    assert found == wanted[: len(found)]
    assert cut < size or found == wanted


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_byte_is_never_believed_and_shows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("log")
    writer, key = begun(folder)
    for i in range(10):
        turn(writer, key, b"%d" % i)
    writer.close()
    (segment,) = segments(folder)
    assert load(segment).intact
    before = [answer for frame in read(folder) for answer in answers(frame)]
    content = bytearray(segment.path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    segment.path.write_bytes(content)
    assert not load(segment).intact
    for frame in read(folder):
        assert answers(frame) == [before[frame.sequence]]


def test_a_damaged_frame_in_the_middle_is_a_gap_of_its_rows(tmp_path: Path) -> None:
    writer, key = begun(tmp_path)
    for each in (b"one", b"two", b"three"):
        turn(writer, key, each, each)
    writer.close()
    (segment,) = segments(tmp_path)
    segment.path.write_bytes(segment.path.read_bytes().replace(b"two", b"TWO"))
    assert [(frame.sequence, frame.gap) for frame in read(tmp_path)] == [(0, 0), (4, 2)]


class FullDisk:
    """A disk that is full from one moment on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def fill(self) -> None:
        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, "full")

        self._monkeypatch.setattr(os, "pwrite", refuse)
        self._monkeypatch.setattr(os, "posix_fallocate", refuse)

    def empty(self) -> None:
        self._monkeypatch.undo()


def test_a_full_disk_refuses_and_a_later_turn_succeeds_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    writer, key = begun(tmp_path)
    turn(writer, key, b"a")
    disk.fill()
    for refused in (b"b", b"c"):
        with pytest.raises(StoreDown, match="make room"):
            turn(writer, key, refused)
    disk.empty()
    turn(writer, key, b"d")
    assert ids(tmp_path) == [b"a", b"d"]
    assert {frame.gap for frame in read(tmp_path)} == {0}


def test_a_full_disk_is_really_full(tmp_path: Path) -> None:
    """A limit of the process on file sizes stands for the disk: the kernel itself refuses."""
    done = subprocess.run([sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
    assert ids(tmp_path) == []


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from modelyard.errors import StoreDown
from modelyard.predictions import open_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    open_writer(Path(sys.argv[1]), 0)
except StoreDown:
    print("refused")
"""


def test_a_log_that_is_deleted_under_its_writer_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    writer, key = begun(folder)
    turn(writer, key, b"a" * 24)
    shutil.rmtree(folder)
    turn(writer, key, b"b" * 24)
    folder.rename(tmp_path / "aside")
    folder = tmp_path / "aside"
    turn(writer, key, b"c" * 24)
    assert ids(folder) == [b"b" * 24, b"c" * 24]
    writer.close()


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown, match="takes no writes"):
        open_writer(tmp_path / "file" / "log", 0)


def test_ids_never_repeat() -> None:
    here, there = Ids(), Ids()
    issued = [each.next() for _ in range(1000) for each in (here, there)]
    assert len(set(issued)) == 2000
    assert {len(each) for each in issued} == {26}


_LOADED = """
import os, sys
import numpy as np
from pathlib import Path
from types import SimpleNamespace as N
from modelyard.predictions import Ids, Writer
from modelyard.testing.prediction_sink import manifest, served
writer, issue = Writer(Path(sys.argv[1]), 0, size=200_000), Ids()
key = writer.begin(served("m"), manifest("m"))
while True:
    batch = N(numbers=np.random.rand(16, 1), texts=np.full((16, 1), "red", dtype=object))
    ids = [issue.next() for _ in range(16)]
    writer.write(key, batch, N(prediction=np.array(["no"] * 16), probability=None, quantiles=None), ids=ids, at=1.0, latency=0.1)
    writer.flush()
    os.write(1, b"".join(ids))
"""


def test_ten_writers_killed_under_load_have_logged_whatever_they_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[bytes] = set()
    for number in range(10):
        process = subprocess.Popen([sys.executable, "-c", _LOADED, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        content = process.stdout.read(26 * 16 * (40 + 61 * number))
        process.send_signal(signal.SIGKILL)
        content += process.stdout.read()
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        acknowledged |= {content[i : i + 26] for i in range(0, len(content) - 25, 26)}
    found = ids(tmp_path)
    assert len(found) == len(set(found))
    assert acknowledged - set(found) == set()
    assert len(acknowledged) > 10_000
    assert {frame.gap for frame in read(tmp_path)} == {0}
    assert all(segment.is_complete() for segment in segments(tmp_path))
