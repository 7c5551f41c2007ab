"""Counts that workers share, and the text that Prometheus reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from modelyard.serving.counters import BUCKETS, Board, exposition

LABELS = 'model="m",version="1"'


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(0, 20_000_000_000)), max_size=20))
def test_sums_over_slots_are_what_was_counted(turns: list[tuple[int, int, int]]) -> None:
    board = Board(3)
    for slot, answered, nanoseconds in turns:
        board.tally(slot, 5).add(answered=answered, failed=1, rows=2 * answered, nanoseconds=nanoseconds)
    text = exposition(board, [("m", 1, 5), ("other", 2, 6)]).decode()
    total = sum(answered for _, answered, _ in turns)
    assert f"model_infer_request_success_total{{{LABELS}}} {total}\n" in text
    assert f"model_infer_request_failure_total{{{LABELS}}} {len(turns)}\n" in text
    assert f"model_infer_rows_total{{{LABELS}}} {2 * total}\n" in text
    for bound in BUCKETS:
        within = sum(a for _, a, ns in turns if ns <= bound * 1e9)
        assert f'model_infer_request_duration_bucket{{{LABELS},le="{bound}"}} {within}\n' in text
    assert 'model_infer_request_success_total{model="other",version="2"} 0\n' in text


def test_the_text_is_what_prometheus_reads() -> None:
    board = Board(1)
    board.tally(0, 0).add(answered=2, failed=0, rows=2, nanoseconds=1_500_000)
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
        board.tally(1, series).add(answered=1, failed=0, rows=1, nanoseconds=1)
    board.clear(0)
    assert sum(board.sums(0)) == 0
    assert sum(board.sums(1)) > 0
