"""Patterns match what Python's engine matches, in time that no text can blow up."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.tables.patterns import MOST_PLACES, BadPattern, Pattern, pattern

LEAVES = st.sampled_from(
    [
        "a",
        "b",
        "ä",
        "0",
        ".",
        r"\d",
        r"\w",
        r"\s",
        "[ab]",
        "[^a]",
        r"[\w-]",
        "[0-9a-c]",
        r"\.",
        "(?i:A)",
        "ab",
        "",
    ]
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,3}", "{0,2}", "{2,}"])).map(
            lambda two: f"({two[0]}){two[1]}"
        ),
    )


PATTERNS = st.recursive(LEAVES, grown, max_leaves=6)
TEXTS = st.text(st.sampled_from("abAä0 .\n-٣"), max_size=7)


@given(PATTERNS, st.lists(TEXTS, max_size=8), st.sampled_from(["", "(?i)", "(?s)", "(?a)"]))
def test_it_matches_what_python_does(text: str, values: list[str], flags: str) -> None:
    wanted, found, match = re.compile(flags + text), Pattern(flags + text), pattern(flags + text)
    for value in values:
        assert found(value) is bool(match(value)) is (wanted.fullmatch(value) is not None), (
            flags + text,
            value,
        )


@pytest.mark.parametrize(
    "text",
    [
        "^ab$",
        r"\Aab\Z",
        "^a|b$",
        "(^a)(b$)",
        "^(?:a|ab)$",
        "^^a$$",
        "(?m)^a$",
        "^$",
        "$",
        "(?i)ÄB",
        "()",
    ],
)
def test_anchors_at_the_ends_and_flags(text: str) -> None:
    for value in ("", "a", "ab", "b", "a\n", "\n", "äb", "aab", "ab\n"):
        assert (
            bool(pattern(text)(value)) is Pattern(text)(value) is (re.fullmatch(text, value) is not None)
        ), value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(?=a)a", "looks ahead"),
        ("(?<!b)a", "looks ahead or behind"),
        (r"(a)\1", "refers back"),
        ("(a)?(?(1)b|c)", "asks whether a group matched"),
        (r"a\bb", "amid its text"),
        ("a^b", "amid its text"),
        ("(a$)+", "amid its text"),
        ("(" * 5000 + "a" + ")" * 5000, "nested too deeply|no regular expression"),
        ("(", "is no regular expression"),
        ("a{2,1}", "is no regular expression"),
        ("(a{100}){100}", f"longer than {MOST_PLACES} characters"),
        ("a{9999999}", f"longer than {MOST_PLACES} characters"),
    ],
)
def test_what_has_no_bound_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadPattern, match=says):
        pattern(text)


@pytest.mark.parametrize("text", ["(a+)+", "(a|a)*", "(a|aa)+", "(.*a){20}", r"(\w+\s?)*", "(x+x+)+y"])
def test_no_text_takes_long(text: str) -> None:
    """Python's own engine would not end in this test's lifetime."""
    for value in ("a" * 100_000 + "!", "x" * 100_000, "ab" * 50_000):
        assert pattern(text)(value) in (True, False)
    assert pattern("(a+)+")("a" * 100_000)


def test_nothing_a_billion_times_is_nothing() -> None:
    """Python's own engine counts it."""
    for text in ("(){1000000000}a", "(){0,1000000000}a"):
        assert pattern(text)("a")
        assert not pattern(text)("b")


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing() -> None:
    found = Pattern("(a|b)*a(a|b){12}[^z]*")
    texts = [
        f"{n:017b}".replace("0", "a").replace("1", "b") + chr(0x4E00 + n % 20_000) for n in range(30_000)
    ]
    wanted = re.compile("(a|b)*a(a|b){12}[^z]*")
    assert [found(text) for text in texts] == [wanted.fullmatch(text) is not None for text in texts]
    assert len(found._states) <= 20_001
    assert len(found._fitting) <= 20_001


def test_threads_share_one() -> None:
    found, wrong = pattern("([a-z]+[0-9]?)*"), []

    def ask(start: int) -> None:
        for n in range(start, start + 3000):
            if not found(f"abc{n % 10}x{chr(97 + n % 26)}") or found(f"abc{n}!"):
                wrong.append(n)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
