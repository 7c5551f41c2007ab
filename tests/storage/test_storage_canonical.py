"""Canonical bytes by RFC 8785."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.storage.canonical import LARGEST, canonical

_text = st.text(st.characters(exclude_categories=["Cs"]))
_records = st.dictionaries(_text, _text | st.integers(-LARGEST, LARGEST))


def test_names_are_ordered_by_their_utf_16_code_units() -> None:
    record = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    names = list(json.loads(canonical(record)))
    assert names == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_escapes_are_the_shortest_and_lower_case() -> None:
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/\b\t\f\r\u007f\u2028"
    assert (
        canonical({"s": text})
        == '{"s":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\t\\f\\r\u007f\u2028"}'.encode()
    )


def test_nothing_is_between_the_tokens() -> None:
    assert canonical({"b": -1, "a": "x"}) == b'{"a":"x","b":-1}'
    assert canonical({}) == b"{}"


@given(_records)
def test_it_reads_back_and_is_the_same_again(record: dict[str, str | int]) -> None:
    written = canonical(record)
    assert json.loads(written) == record
    assert canonical(json.loads(written)) == written
    assert canonical(dict(reversed(record.items()))) == written


@given(_records, _records)
def test_different_records_have_different_bytes(one: dict[str, str | int], two: dict[str, str | int]) -> None:
    assert (one == two) == (canonical(one) == canonical(two))


@pytest.mark.parametrize("value", [True, 1.0, None, [], LARGEST + 1, -LARGEST - 1, "\ud800"])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical({"v": value})  # type: ignore[dict-item]
