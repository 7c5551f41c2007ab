"""Counts that workers share, and the text that Prometheus reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from modelyard.records.minute import Minute
from modelyard.serving.counters import BUCKETS, Board, exposition

LABELS = 'model="m",version="1"'


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(0, 20_000_000_000)), max_size=20))
def test_sums_over_slots_are_what_was_counted(turns: list[tuple[int, int, int]]) -> None:
    board = Board(3)
    for slot, answered, nanoseconds in turns:
        tally = board.tally(slot, 5)
        tally.add(answered=answered, rows=2 * answered, nanoseconds=nanoseconds)
        tally.refused((422, 429, 503)[slot])
    text = exposition(board, [("m", 1, 5), ("other", 2, 6)]).decode()
    total = sum(answered for _, answered, _ in turns)
    assert f"model_infer_request_success_total{{{LABELS}}} {total}\n" in text
    assert f"model_infer_request_failure_total{{{LABELS}}} {len(turns)}\n" in text
    for slot, cause in enumerate(("client", "overload", "service")):
        own = sum(at == slot for at, _, _ in turns)
        assert f'model_infer_request_problems_total{{{LABELS},cause="{cause}"}} {own}\n' in text
    assert f"model_infer_rows_total{{{LABELS}}} {2 * total}\n" in text
    for bound in BUCKETS:
        within = sum(a for _, a, ns in turns if ns <= bound * 1e9)
        assert f'model_infer_request_duration_bucket{{{LABELS},le="{bound}"}} {within}\n' in text
    assert 'model_infer_request_success_total{model="other",version="2"} 0\n' in text


def test_the_text_is_what_prometheus_reads() -> None:
    board = Board(1)
    board.tally(0, 0).add(answered=2, rows=2, nanoseconds=1_500_000)
    text = exposition(board, [('a"b\\c\nd', 1, 0)]).decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    duration = families["model_infer_request_duration"]
    assert duration.type == "histogram"
    samples = {s.name: s.value for s in duration.samples if "le" not in s.labels}
    assert samples == {"model_infer_request_duration_sum": 0.003, "model_infer_request_duration_count": 2}
    assert duration.samples[0].labels["model"] == 'a"b\\c\nd'
    assert all(f.documentation for f in families.values())


def test_a_cleared_series_starts_anew_and_leaves_its_neighbours() -> None:
    board = Board(2)
    for series in (0, 1):
        board.tally(1, series).add(answered=1, rows=1, nanoseconds=1)
    board.clear(0)
    assert sum(board.sums(0)) == 0
    assert sum(board.sums(1)) > 0


def test_a_minute_is_what_came_since_the_last_one_was_noted_whichever_worker_notes_it() -> None:
    board = Board(2)
    first, other = board.tally(0, 0), board.tally(1, 0)
    assert first.minute("m", 1) is None
    first.add(answered=3, rows=9, nanoseconds=2_000_000, busy=1_500_000_000, waiting=4)
    first.refused(422)
    first.refused(429, 2)
    first.refused(503, 5)
    other.add(answered=1, rows=1, nanoseconds=1)
    told = Minute("m", 1, 2, 3, 1, 2, 5, 1.5, 4)
    assert first.minute("m", 1) == told == first.minute("m", 1)
    first.noted()
    assert first.minute("m", 1) is None
    successor = board.tally(0, 0)
    assert successor.minute("m", 1) is None
    successor.add(answered=1, rows=1, nanoseconds=1, busy=1, waiting=1)
    assert successor.minute("m", 1) == Minute("m", 1, 2, answered=1, busy=1e-9, waiting=1)
    assert other.minute("m", 1) == Minute("m", 1, 2, answered=1)
    assert board.sums(0)[0] == 5
    board.clear(0)
    assert successor.minute("m", 1) is None
