"""The language of rules between columns, such as ``end_date >= start_date`` (standard library only).

::

    rule        not, and, or over: a comparison, a boolean column, IS [NOT] NULL, [NOT] IN (...)
    comparison  = == != <> < <= > >=   on numbers, dates and times; texts and booleans know = and != only
    value       a column, a number, 'a text', true, false, + - * / over numbers, date - date (in days),
                datetime - datetime (in seconds); a text beside a date or a time is read as one
    column      its name, which may have dots; in "..." or `...` when it is no plain word; case counts

As in SQL an unknown value (null, or what comes of it) makes a comparison unknown, and a rule is broken only
where it is false. Numbers are float64, and what is no number (0/0) is unknown. A rule is parsed against
the kinds of a table's columns and names nothing else: there is nothing in it that could be run.

``judge`` evaluates a rule over ``Values``: Python's for one row, NumPy's for requests, Polars' for tables.
"""

from __future__ import annotations

import datetime as dt
import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from modelyard.records.schema import Kind

Sort = Literal["number", "boolean", "string", "date", "datetime"]
Operator = Literal["=", "!=", "<", "<=", ">", ">="]

LONGEST = 1000
"""Characters of a rule."""
_DEEPEST = 40
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<text>'(?:[^']|'')*')"
    r"|(?P<quoted>\"[^\"]+\"|`[^`]+`)|(?P<word>[^\W\d]\w*(?:\.\w+)*)|(?P<sign><=|>=|==|!=|<>|[=<>+\-*/(),]))"
)
_SAME: dict[str, Operator] = {
    "==": "=",
    "<>": "!=",
    "=": "=",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
COMPARED: dict[Operator, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
COMPUTED: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_WORDS = frozenset(["and", "or", "not", "is", "in", "null", "true", "false"])
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


class BadExpression(ValueError):
    """A rule that cannot be read; the message is a clause that says what and where."""


@dataclass(frozen=True)
class Named:
    name: str
    sort: Sort


@dataclass(frozen=True)
class Constant:
    value: float | str
    sort: Sort


@dataclass(frozen=True)
class Arithmetic:
    sign: Literal["+", "-", "*", "/"]
    left: Value
    right: Value
    sort: Sort = "number"


@dataclass(frozen=True)
class Compare:
    sign: Operator
    left: Value
    right: Value


@dataclass(frozen=True)
class IsNull:
    value: Value


@dataclass(frozen=True)
class Not:
    term: Term


@dataclass(frozen=True)
class Both:
    """``and``, or with ``either`` ``or``."""

    left: Term
    right: Term
    either: bool


Value = Named | Constant | Arithmetic
Term = Compare | IsNull | Not | Both


@dataclass(frozen=True)
class Expression:
    """A rule that was read; ``columns`` are those it names, in the order it names them."""

    text: str
    term: Term
    columns: tuple[str, ...]


class Values(Protocol):
    """How an evaluator computes. Numbers, booleans (0, 1), dates (days) and times (microseconds) are float64."""

    def column(self, name: str, sort: Sort) -> Any: ...

    def constant(self, value: float | str) -> Any: ...

    def arithmetic(self, sign: str, left: Any, right: Any) -> Any: ...

    def compare(self, sign: Operator, left: Any, right: Any) -> tuple[Any, Any]:
        """Where it is true, and where it is false; nowhere of both where a side is unknown."""

    def is_null(self, value: Any) -> tuple[Any, Any]: ...


def judge(term: Term, values: Values) -> tuple[Any, Any]:
    """Where the term is true, and where it is false."""
    if isinstance(term, Both):
        (left_true, left_false), (right_true, right_false) = (
            judge(term.left, values),
            judge(term.right, values),
        )
        if term.either:
            return left_true | right_true, left_false & right_false
        return left_true & right_true, left_false | right_false
    if isinstance(term, Not):
        true, false = judge(term.term, values)
        return false, true
    if isinstance(term, IsNull):
        return values.is_null(_value(term.value, values))
    return values.compare(term.sign, _value(term.left, values), _value(term.right, values))


def _value(value: Value, values: Values) -> Any:
    if isinstance(value, Named):
        return values.column(value.name, value.sort)
    if isinstance(value, Constant):
        return values.constant(value.value)
    return values.arithmetic(value.sign, _value(value.left, values), _value(value.right, values))


def days(day: dt.date) -> float:
    """The date as rules compute with it."""
    return float(day.toordinal() - _EPOCH_DAY)


def microseconds(moment: dt.datetime) -> float:
    """The time, in UTC, as rules compute with it."""
    return float((moment - _EPOCH) // _MICROSECOND)


def parse(text: str, kinds: Mapping[str, Kind]) -> Expression:
    """Read a rule over columns of these kinds; raises ``BadExpression``."""
    if len(text) > LONGEST:
        raise BadExpression(f"it has more than {LONGEST} characters")
    reader = _Reader(text, kinds)
    node = reader.either(0)
    if reader.peek() is not None:
        raise BadExpression(f"'{reader.peek()}' stands where the rule should end")
    term = _as_term(node)
    if not reader.named:
        raise BadExpression("it names no column")
    return Expression(text, term, tuple(dict.fromkeys(reader.named)))


class _Reader:
    def __init__(self, text: str, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self.named: list[str] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise BadExpression(f"'{text[at:].strip()[:20]}' cannot be read")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()

    def peek(self, ahead: int = 0) -> str | None:
        """The token to come; words of the language in lower case."""
        if self._at + ahead >= len(self._tokens):
            return None
        group, token = self._tokens[self._at + ahead]
        return token.lower() if group == "word" and token.lower() in _WORDS else token

    def _take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise BadExpression("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if self.peek() != token:
            raise BadExpression(f"'{token}' is missing before '{self.peek() or 'the end'}'")
        self._at += 1

    def either(self, depth: int) -> Term | Value:
        node = self._both(depth)
        while self.peek() == "or":
            self._at += 1
            node = Both(_as_term(node), _as_term(self._both(depth)), True)
        return node

    def _both(self, depth: int) -> Term | Value:
        node = self._denied(depth)
        while self.peek() == "and":
            self._at += 1
            node = Both(_as_term(node), _as_term(self._denied(depth)), False)
        return node

    def _denied(self, depth: int) -> Term | Value:
        if depth > _DEEPEST:
            raise BadExpression("it is nested too deeply")
        if self.peek() == "not":
            self._at += 1
            return Not(_as_term(self._denied(depth + 1)))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Term | Value:
        left = self._sum(depth)
        sign = self.peek()
        if sign in _SAME:
            self._at += 1
            return _compare(_SAME[sign], left, self._sum(depth))
        if sign == "is":
            self._at += 1
            denied = self.peek() == "not"
            self._at += denied
            self._expect("null")
            return Not(IsNull(_as_value(left))) if denied else IsNull(_as_value(left))
        if sign == "in" or (sign == "not" and self.peek(1) == "in"):
            self._at += 1 if sign == "in" else 2
            found = self._among(left, depth)
            return Not(found) if sign == "not" else found
        return left

    def _among(self, left: Term | Value, depth: int) -> Term:
        self._expect("(")
        term: Term = _compare("=", left, self._sum(depth))
        while self.peek() == ",":
            self._at += 1
            term = Both(term, _compare("=", left, self._sum(depth)), True)
        self._expect(")")
        return term

    def _sum(self, depth: int) -> Term | Value:
        value = self._product(depth)
        while self.peek() in ("+", "-"):
            sign = self._take()[1]
            value = _arithmetic(sign, value, self._product(depth))
        return value

    def _product(self, depth: int) -> Term | Value:
        value = self._atom(depth)
        while self.peek() in ("*", "/"):
            sign = self._take()[1]
            value = _arithmetic(sign, value, self._atom(depth))
        return value

    def _atom(self, depth: int) -> Term | Value:
        if depth > _DEEPEST:
            raise BadExpression("it is nested too deeply")
        group, token = self._take()
        if group == "number":
            return Constant(float(token), "number")
        if group == "text":
            return Constant(token[1:-1].replace("''", "'"), "string")
        if token == "-":
            return _arithmetic("-", Constant(0.0, "number"), self._atom(depth + 1))
        if token == "(":
            node = self.either(depth + 1)
            self._expect(")")
            return node
        if group == "word" and token.lower() in ("true", "false"):
            return Constant(float(token.lower() == "true"), "boolean")
        if group == "quoted":
            return self._column(token[1:-1])
        if group == "word" and token.lower() not in _WORDS:
            return self._column(token)
        raise BadExpression(f"'{token}' stands where a value should")

    def _column(self, name: str) -> Value:
        kind = self._kinds.get(name)
        if kind is None:
            near = difflib.get_close_matches(name, list(self._kinds), n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise BadExpression(f"there is no column '{name}'{hint}")
        self.named.append(name)
        return Named(name, "number" if kind == "integer" or kind == "float" else kind)


def _as_term(node: Term | Value) -> Term:
    """A boolean column is a rule by itself."""
    if not isinstance(node, Value):
        return node
    if node.sort != "boolean":
        raise BadExpression(f"a {node.sort} alone is neither true nor false; compare it with something")
    return Compare("=", node, Constant(1.0, "boolean"))


def _as_value(node: Term | Value) -> Value:
    if not isinstance(node, Value):
        raise BadExpression("a comparison stands where a value should")
    return node


def _arithmetic(sign: str, one: Term | Value, other: Term | Value) -> Value:
    left, right = _as_value(one), _as_value(other)
    signs: dict[str, Literal["+", "-", "*", "/"]] = {"+": "+", "-": "-", "*": "*", "/": "/"}
    if left.sort == right.sort == "number":
        return Arithmetic(signs[sign], left, right)
    if sign == "-" and left.sort != right.sort:
        left, right = _alike(left, right)
    if sign == "-" and left.sort == right.sort == "date":
        return Arithmetic("-", left, right)
    if sign == "-" and left.sort == right.sort == "datetime":
        return Arithmetic("/", Arithmetic("-", left, right), Constant(1e6, "number"))
    raise BadExpression(f"'{sign}' does not go with a {left.sort} and a {right.sort}")


def _compare(sign: Operator, one: Term | Value, other: Term | Value) -> Compare:
    left, right = _alike(_as_value(one), _as_value(other))
    if left.sort != right.sort:
        raise BadExpression(f"a {left.sort} cannot be compared with a {right.sort}")
    if left.sort in ("string", "boolean") and sign not in ("=", "!="):
        raise BadExpression(f"'{sign}' does not go with a {left.sort}; '=' and '!=' do")
    return Compare(sign, left, right)


def _alike(left: Value, right: Value) -> tuple[Value, Value]:
    """A text beside a date or a time is read as one."""
    return _read(left, right.sort), _read(right, left.sort)


def _read(value: Value, wanted: Sort) -> Value:
    if not isinstance(value, Constant) or not isinstance(value.value, str):
        return value
    if wanted not in ("date", "datetime"):
        return value
    try:
        if wanted == "date":
            return Constant(days(dt.date.fromisoformat(value.value)), "date")
        moment = dt.datetime.fromisoformat(value.value)
        return Constant(
            microseconds(moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment), "datetime"
        )
    except ValueError:
        raise BadExpression(f"'{value.value[:40]}' is no {wanted}") from None
