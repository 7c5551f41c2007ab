"""Patterns matched in time linear in the text, since a service matches what strangers send.

Python's own engine backtracks: ``(a+)+`` on forty letters takes hours. Here a pattern is read by Python's
parser, and each of its characters asked of Python's engine, so that classes, escapes and flags mean what
they always do; what follows what is walked as an automaton of Glushkov's (1961), whose states are made
as texts need them. What no automaton can do (look-around, back references) is refused.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from re import _compiler, _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

MOST_PLACES = 500
"""Characters of a pattern, with counted repetitions written out."""
_MOST_KEPT = 20_000
"""States, and characters, that are remembered."""
_REFUSED = {
    "ASSERT": "looks ahead or behind",
    "ASSERT_NOT": "looks ahead or behind",
    "GROUPREF": "refers back to a group",
    "GROUPREF_EXISTS": "asks whether a group matched",
    "ATOMIC_GROUP": "has an atomic group",
    "POSSESSIVE_REPEAT": "has a possessive repetition",
    "AT": r"has '^', '$' or '\b' amid its text",
}


class BadPattern(ValueError):
    """What is wrong with a pattern, as the end of a sentence."""


@functools.lru_cache(maxsize=1000)
def pattern(text: str) -> Callable[[str], object]:
    """Truthy for a text that the pattern matches as a whole. Raises ``BadPattern``."""
    found = Pattern(text)
    return re.compile(text).fullmatch if found.fixed else found  # with no choice to make, nothing backtracks


class Pattern:
    """Called with a text, it says whether the whole of it matches, as ``re.fullmatch`` does."""

    def __init__(self, text: str) -> None:
        try:
            re.compile(text)
            tree = _parser.parse(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise BadPattern(f"is no regular expression: {error}") from None
        self._leaves: list[tuple[re.Pattern[str], int]] = []
        """One character's test, and the places in the pattern that ask it."""
        self._known: dict[tuple[str, int], int] = {}
        self._follow: list[int] = []
        self.fixed = True
        """Nothing in the pattern is of more than one length or form."""
        try:
            whole = self._read(tree, tree.state.flags, True, True)
        except RecursionError:
            raise BadPattern("is nested too deeply") from None
        self._accepting = whole.last | (_START if whole.empty else 0)
        self._first = whole.first
        self._forget()

    def __call__(self, text: str) -> bool:
        state = self._begin
        for character in text:
            following = state.following.get(character)
            if following is None:
                following = self._step(state, character)
            if not following.places:
                return False
            state = following
        return state.accepts

    def _step(self, state: _State, character: str) -> _State:
        fitting = self._fitting.get(character)
        if fitting is None:
            fitting = 0
            for test, places in self._leaves:
                if test.fullmatch(character):
                    fitting |= places
            self._fitting[character] = fitting
        places = state.reach & fitting
        following = self._states.get(places)
        if following is None:
            following = self._states[places] = self._state(places)
        state.following[character] = following
        self._kept += 1
        if self._kept > _MOST_KEPT:
            self._forget()
        return following

    def _state(self, places: int) -> _State:
        reach, left = (self._first if places & _START else 0), places >> 1
        while left:
            low = left & -left
            reach |= self._follow[low.bit_length() - 1]
            left ^= low
        return _State(places, reach, bool(places & self._accepting))

    def _forget(self) -> None:
        """States that were made are made again when they are needed: a stranger's texts take no more room."""
        self._kept = 0
        self._fitting: dict[str, int] = {}
        self._states: dict[int, _State] = {}
        self._begin = self._state(_START)

    def _read(self, sequence: Any, flags: int, begins: bool, ends: bool) -> _Fragment:
        """``begins`` and ``ends`` say that nothing of the text can stand before, or after."""
        items = list(sequence)
        parts = []
        for at, (op, value) in enumerate(items):
            first = begins and all(str(o) == "AT" for o, _ in items[:at])
            last = ends and all(str(o) == "AT" for o, _ in items[at + 1 :])
            parts.append(self._item(op, value, flags, first, last))
        return functools.reduce(self._then, parts, _EMPTY)

    def _item(self, op: Any, value: Any, flags: int, begins: bool, ends: bool) -> _Fragment:
        name = str(op)
        if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return self._character(op, value, flags)
        if name == "SUBPATTERN":
            _, added, taken, inner = value
            return self._read(inner, (flags | added) & ~taken, begins, ends)
        if name == "BRANCH":
            self.fixed = False
            found = [self._read(one, flags, begins, ends) for one in value[1]]
            return functools.reduce(_or, found)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            self.fixed &= least == most
            return self._repeated(least, most, inner, flags)
        if name == "AT":
            where = str(value)
            if (begins and where.startswith("AT_BEGINNING")) or (ends and where.startswith("AT_END")):
                return _EMPTY
        what = _REFUSED.get(name, "has a part")
        raise BadPattern(f"{what}, which cannot be matched in bounded time; write it without")

    def _character(self, op: Any, value: Any, flags: int) -> _Fragment:
        if len(self._follow) == MOST_PLACES:
            raise BadPattern(f"is longer than {MOST_PLACES} characters with its repetitions written out")
        place = 2 << len(self._follow)
        self._follow.append(0)
        key = (f"{op} {value}", flags)
        if key not in self._known:
            state = _parser.State()
            state.flags = flags
            self._known[key] = len(self._leaves)
            self._leaves.append((_compiler.compile(_parser.SubPattern(state, [(op, value)]), flags), 0))
        at = self._known[key]
        self._leaves[at] = (self._leaves[at][0], self._leaves[at][1] | place)
        return _Fragment(False, place, place)

    def _repeated(self, least: int, most: int, inner: Any, flags: int) -> _Fragment:
        endless = most == _parser.MAXREPEAT
        found = _EMPTY
        for _ in range(least):
            once = self._read(inner, flags, False, False)
            if not once.first:  # nothing, however often; Python's engine would count
                self.fixed = False
                return _EMPTY
            found = self._then(found, once)
        for _ in range(0 if endless else most - least):
            once = self._read(inner, flags, False, False)
            if not once.first:
                return found
            found = self._then(found, once._replace(empty=True))
        if endless:
            again = self._read(inner, flags, False, False)
            self._link(again.last, again.first)
            found = self._then(found, again._replace(empty=True))
        return found

    def _then(self, one: _Fragment, two: _Fragment) -> _Fragment:
        self._link(one.last, two.first)
        return _Fragment(
            one.empty and two.empty,
            one.first | (two.first if one.empty else 0),
            two.last | (one.last if two.empty else 0),
        )

    def _link(self, froms: int, to: int) -> None:
        left = froms >> 1
        while left:
            low = left & -left
            self._follow[low.bit_length() - 1] |= to
            left ^= low


class _Fragment(NamedTuple):
    """A piece of a pattern: whether it matches nothing, and the places that it begins and ends with, as bits."""

    empty: bool
    first: int
    last: int


class _State:
    """The places that the text so far may end at; those that may follow; what followed until now."""

    __slots__ = ("accepts", "following", "places", "reach")

    def __init__(self, places: int, reach: int, accepts: bool) -> None:
        self.places, self.reach, self.accepts = places, reach, accepts
        self.following: dict[str, _State] = {}


_START = 1
_EMPTY = _Fragment(True, 0, 0)


def _or(one: _Fragment, two: _Fragment) -> _Fragment:
    return _Fragment(one.empty or two.empty, one.first | two.first, one.last | two.last)
