"""Tables for terminals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.render.text import table


def test_columns_align_and_numbers_stand_right():
    shown = table(["model", "version", "score"], [["screening", 7, 0.98765], ["a", 12, None]])
    assert shown.splitlines() == [
        "model      version   score",
        "---------  -------  ------",
        "screening        7  0.9877",
        "a               12       -",
    ]


def test_no_rows_is_a_head_alone():
    assert table(["a", "b"], []).splitlines() == ["a  b", "-  -"]


def test_wide_characters_keep_the_columns():
    lines = table(["name", "x"], [["患者", "y"], ["ab", "y"]]).splitlines()
    assert lines[2] == "患者  y"
    assert lines[3] == "ab    y"


def test_control_characters_never_reach_the_terminal():
    shown = table(["a"], [["\x1b[2Jgone\nnew line"]])
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 3


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="1 cells under 2 headers"):
        table(["a", "b"], [["x"]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=9), st.integers() | st.none()), max_size=8))
def test_one_line_a_row_whatever_is_in_it(rows):
    lines = table(["left", "right"], rows).split("\n")
    assert len(lines) == 2 + len(rows)
    assert all(line == line.rstrip() for line in lines)
