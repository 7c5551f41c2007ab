"""Requests decoded: the same yes and no as the slow checker and as the table's check."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import RequestRefused
from modelyard.records.schema import Column, RowRule, Schema
from modelyard.tables import decode, rules
from modelyard.tables.check import check
from modelyard.tables.gather import gather
from modelyard.tables.kinds import conform

LIMITS = {"max_rows": 100, "max_bytes": 100_000}

PEOPLE = Schema(
    columns=(
        Column(name="age", kind="integer", minimum=0, maximum=120, declared=("range",)),
        Column(name="weight (kg)", kind="float", nullable=True, minimum=2, maximum=300),
        Column(name="class", kind="string", categories=("a", "b"), declared=("categories",)),
        Column(name="2nd.größe", kind="string", nullable=True, categories=("s", "m")),
        Column(name="smoker", kind="boolean"),
        Column(name="born", kind="date"),
        Column(name="seen", kind="datetime", nullable=True),
        Column(name="outcome", kind="string"),
        Column(name="id", kind="integer"),
    ),
    target="outcome",
    key=("id",),
)
ROW: dict[str, Any] = {
    "age": 40,
    "weight (kg)": 70.5,
    "class": "a",
    "2nd.größe": None,
    "smoker": True,
    "born": "1970-01-02",
    "seen": "1970-01-01T00:00:01Z",
}
DECODER = decode.compile(PEOPLE)


def body(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"rows": rows}).encode()


def refusal(content: bytes, decoder: decode.Decoder = DECODER) -> RequestRefused:
    (span,) = decoder.rows([content], **LIMITS).spans
    assert isinstance(span, RequestRefused), span
    return span


def test_rows_become_one_batch_with_a_span_for_each_request() -> None:
    decoded = DECODER.rows([body(ROW), b"{", body(ROW, ROW | {"age": 41})], **LIMITS)
    assert decoded.spans[0] == slice(0, 1)
    assert isinstance(decoded.spans[1], RequestRefused)
    assert decoded.spans[2] == slice(1, 3)
    assert decoded.batch.numbers.tolist()[2] == [41, 70.5, 1, 1, 1_000_000]
    assert decoded.batch.texts.tolist() == [["a", None]] * 3
    assert decoded.batch.numbers.flags.c_contiguous
    assert decoded.batch.numbers.flags.writeable


def test_a_request_with_one_bad_row_is_refused_whole_and_leaves_the_others_be() -> None:
    bad = ROW | {"age": 121}
    decoded = DECODER.rows([body(ROW), body(ROW, bad), body(ROW | {"age": 1})], **LIMITS)
    refused = decoded.spans[1]
    assert isinstance(refused, RequestRefused)
    assert (refused.field, refused.row) == ("age", 1)
    assert str(refused) == rules.faults(PEOPLE, bad, at=1)[0].message
    assert decoded.spans[2] == slice(1, 2)
    assert decoded.batch.numbers[:, 0].tolist() == [40, 1]


def test_what_was_only_inferred_is_marked_and_counted() -> None:
    odd = ROW | {"weight (kg)": 1000, "2nd.größe": "xl"}
    decoded = DECODER.rows([body(odd, ROW), body(odd)], **LIMITS)
    assert decoded.spans == (slice(0, 2), slice(2, 3))
    assert decoded.marks == {"weight (kg): range": 2, "2nd.größe: categories": 2}


def test_what_is_forbidden_is_no_feature() -> None:
    decoder = DECODERS[id(DECLARED)]
    refused = refusal(body(ROW | {"race": "x"}), decoder)
    assert str(refused) == "Row 0: 'race' is not a feature but forbidden; leave it out."
    assert "race" not in (*decoder.layout.numbers, *decoder.layout.texts)


def test_a_rule_between_columns_refuses_with_its_words_and_hides_what_is_personal() -> None:
    refused = refusal(
        body(ROW | {"born": "1995-01-01", "seen": "1970-01-01T00:00:01Z"}), DECODERS[id(DECLARED)]
    )
    assert refused.field == "later"
    assert str(refused) == (
        "Row 0: the rule 'later' (seen > '1980-01-01' or born <= '1990-01-01') does not hold: "
        "'seen' is the text '1970-01-01T00:00:01Z', 'born' is a value not shown here."
    )


def test_marks_leave_out_what_was_refused() -> None:
    odd = ROW | {"weight (kg)": 1000}
    assert DECODER.rows([body(odd | {"age": -1}), body(odd)], **LIMITS).marks == {"weight (kg): range": 1}


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("age", "NaN"),
        ("age", "Infinity"),
        ("age", "-Infinity"),
        ("age", "1e999"),
        ("age", "9007199254740993"),
        ("age", "9007199254740994.0"),
        ("age", "1" * 400),
        ("age", "4.5"),
        ("age", "true"),
        ("age", '"1"'),
        ("age", "null"),
        ("age", "[1]"),
        ("age", "{}"),
        ("age", "[" * 5000),
        ("weight (kg)", "1e999"),
        ("weight (kg)", "-" + "1" * 400),
        ("weight (kg)", "false"),
        ("class", '"c"'),
        ("class", "1"),
        ("class", "null"),
        ("smoker", "1"),
        ("smoker", '"true"'),
        ("born", '"1970-02-30"'),
        ("born", '"1970-1-2"'),
        ("born", '"1970-01-02T00:00:00"'),
        ("born", "0"),
        ("seen", '"1970-01-01"'),
        ("seen", '"1970-01-01T00:00:00z"'),
        ("seen", '"0001-01-01T00:00:00+10:00"'),
        ("unknown", "1"),
    ],
)
def test_a_bad_value_is_refused_with_a_sentence(name: str, literal: str) -> None:
    row = json.dumps(ROW | {name: "@"}, ensure_ascii=False).replace('"@"', literal)
    refused = refusal(f'{{"rows": [{row}]}}'.encode())
    assert str(refused).endswith(".")
    if literal not in ("NaN", "Infinity", "-Infinity") and not literal.startswith("[["):
        assert (refused.field, refused.row) == (name, 0)


def test_integral_floats_are_integers_and_2_to_53_is_the_last() -> None:
    for literal, wanted in (("5.0", 5), ("1e2", 100), ("-0.0", 0)):
        content = body(ROW | {"age": "@"}).replace(b'"@"', literal.encode())
        assert DECODER.rows([content], **LIMITS).batch.numbers[0, 0] == wanted
    wide = decode.compile(Schema(columns=(Column(name="n", kind="integer"),)))
    assert wide.rows([body({"n": 2**53})], **LIMITS).batch.numbers[0, 0] == 2**53
    assert refusal(body({"n": 2**53 + 1}), wide).field == "n"
    assert refusal(body({"n": -(2**53) - 1}), wide).field == "n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"[{}]",
        b"{}",
        b'{"rows": []}',
        b'{"rows": {}}',
        b'{"rows": null}',
        b'{"rows": [[1, 2]]}',
        b'{"rows": [1]}',
        b'{"instances": [{}]}',
        b'{"rows": ' + b"[" * 50_000,
        b'{"other": ' + b"[" * 50_000,
        body(ROW) + b" {}",
        body(ROW)[:-1] + b', "also": 1}',
        body(ROW).replace(b'"a"', b'"\xff"'),
        body(ROW).replace(b'"age"', b'"\xff"'),
        body(ROW).replace(b'"a"', b'"\\ud800"'),
        body(*[ROW] * 101),
        b" " * 100_001,
    ],
)
def test_a_malformed_body_is_refused_with_a_sentence(content: bytes) -> None:
    assert str(refusal(content)).endswith(".")


def test_a_repeated_feature_counts_with_its_last_value_unless_one_is_of_the_wrong_kind() -> None:
    twice = body(ROW).replace(b'"age": 40', b'"age": 1, "age": 2')
    assert DECODER.rows([twice], **LIMITS).batch.numbers[0, 0] == 2
    refused = refusal(body(ROW).replace(b'"age": 40', b'"age": "1", "age": 2'))
    assert "twice" in str(refused)
    assert refused.field == "age"


def test_rows_repeated_do_not_escape_the_bound() -> None:
    assert "at most 1" in str(DECODER.rows([body(ROW, ROW)], max_rows=1, max_bytes=10**6).spans[0])
    assert "bytes" in str(DECODER.rows([body(ROW)], max_rows=1, max_bytes=10).spans[0])


@pytest.mark.parametrize(
    "name",
    ["", " ", "class", "1", "a.b", "a`b", "ä", "rows", "f0", "self", "__init__", "a\nb", '"', "\\", "日本"],
)
def test_any_name_of_a_feature_works(name: str) -> None:
    decoder = decode.compile(
        Schema(columns=(Column(name=name, kind="float"), Column(name="f1", kind="string")))
    )
    decoded = decoder.rows([body({name: 1.5, "f1": "x"})], **LIMITS)
    assert decoded.batch.numbers.tolist() == [[1.5]]
    assert refusal(body({name: "1", "f1": "x"}), decoder).field == name


def test_no_requests_make_an_empty_turn() -> None:
    decoded = DECODER.rows([], **LIMITS)
    assert (decoded.spans, len(decoded.batch), decoded.marks) == ((), 0, {})
    assert decoded.batch.numbers.shape == (0, 5)


def test_many_unknown_features_cost_one_search_for_a_likely_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = rules.unknown

    def counted(schema: Schema, name: str, *, at: int | None = None) -> rules.Fault:
        asked.append(name)
        return real(schema, name, at=at)

    monkeypatch.setattr(rules, "unknown", counted)
    refused = refusal(body(ROW | {f"x{i}": 1 for i in range(3000)}))
    assert (refused.field, asked) == ("x0", ["x0"])


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-200, 200),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 10**20, 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["a", "b", "c", "s", "m", "1", "", "1970-01-02", "2024-02-30", "1970-01-01T00:00:01"]),
    st.sampled_from(["1970-01-01 00:00:01.5+02:00", "0001-01-01T00:00:00+01:00", "1970-01-01T24:00:00"]),
    st.just([]),
    st.just({}),
)
ROWS = st.fixed_dictionaries({name: st.one_of(st.just(good), VALUES) for name, good in ROW.items()})
CHANGES = st.one_of(
    st.just({}), st.dictionaries(st.sampled_from([*ROW, "other", "outcome", "id"]), VALUES, max_size=2)
)


@st.composite
def sent(draw: st.DrawFn) -> dict[str, Any]:
    """A row with a few values changed, sometimes one too many or too few."""
    row = ROW | draw(CHANGES)
    if draw(st.integers(0, 9)) == 0:
        del row[draw(st.sampled_from(sorted(row)))]
    return row


@given(st.booleans(), st.one_of(sent(), ROWS))
@settings(max_examples=600)
def test_decode_refuses_exactly_what_the_slow_checker_faults(declared: bool, row: dict[str, Any]) -> None:
    schema = DECLARED if declared else PEOPLE
    faults = rules.faults(schema, row, at=0)
    decoded = DECODERS[id(schema)].rows([body(row)], **LIMITS)
    (span,) = decoded.spans
    if faults:
        assert isinstance(span, RequestRefused)
        assert (str(span), span.field, span.row) == (faults[0].message, faults[0].field, 0)
    else:
        assert span == slice(0, 1)


@given(st.one_of(sent(), ROWS))
@settings(max_examples=300)
def test_records_and_columns_decide_as_bodies_do(row: dict[str, Any]) -> None:
    (span,) = DECODER.rows([body(row)], **LIMITS).spans
    for ask in (
        lambda: DECODER.records([row], max_rows=10),
        lambda: DECODER.columns({name: [value] for name, value in row.items()}, max_rows=10),
    ):
        if isinstance(span, slice):
            decoded = ask()
            wanted = DECODER.rows([body(row)], **LIMITS)
            np.testing.assert_array_equal(decoded.batch.numbers, wanted.batch.numbers)
            assert decoded.batch.texts.tolist() == wanted.batch.texts.tolist()
            assert decoded.marks == wanted.marks
        else:
            with pytest.raises(RequestRefused) as caught:
                ask()
            assert (str(caught.value), caught.value.field) == (str(span), span.field)


TABLE_VALUES = {
    "age": st.one_of(st.integers(-3, 130), st.sampled_from([2**53 + 1, None])),
    "weight (kg)": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    "class": st.sampled_from(["a", "b", "c", None]),
    "2nd.größe": st.sampled_from(["s", "m", "xl", None]),
    "smoker": st.sampled_from([True, False, None]),
    "born": st.one_of(st.dates().map(dt.date.isoformat), st.sampled_from(["x", None, "2023-02-29"])),
    "seen": st.one_of(st.datetimes().map(dt.datetime.isoformat), st.sampled_from(["", None])),
}


DECLARED = Schema(
    columns=(
        Column(name="age", kind="integer", minimum=0, maximum=120, declared=("range",)),
        Column(name="weight (kg)", kind="float", nullable=True, warned=("nullable",)),
        Column(
            name="class",
            kind="string",
            categories=("a", "b"),
            pattern="[^b]",
            declared=("pattern",),
            warned=("categories",),
        ),
        Column(name="2nd.größe", kind="string", nullable=True, pattern="s|m", warned=("pattern",)),
        Column(name="smoker", kind="boolean"),
        Column(name="born", kind="date", minimum=-10_000, maximum=20_000, declared=("range",), personal=True),
        Column(name="seen", kind="datetime", nullable=True, maximum=4e15, warned=("range",)),
        Column(name="outcome", kind="string"),
        Column(name="id", kind="integer"),
        Column(name="race", kind="string", forbidden=True),
    ),
    target="outcome",
    key=("id",),
    rules=(
        RowRule(name="heavy", check='"weight (kg)" > age or age < 18'),
        RowRule(name="sizes", check="`2nd.größe` != class and (not smoker or age >= 16)", severity="warn"),
        RowRule(name="later", check="seen > '1980-01-01' or born <= '1990-01-01'"),
        RowRule(name="table only", check="id > 0"),
    ),
)
DECODERS = {id(schema): decode.compile(schema) for schema in (PEOPLE, DECLARED)}


@given(st.sampled_from([PEOPLE, DECLARED]), st.fixed_dictionaries(TABLE_VALUES))
@settings(max_examples=400)
def test_one_row_as_a_table_and_as_a_request_are_one(schema: Schema, row: dict[str, Any]) -> None:
    types = {"age": pl.Int64, "weight (kg)": pl.Float64, "smoker": pl.Boolean}
    frame = pl.DataFrame({n: pl.Series([v], dtype=types.get(n, pl.String)) for n, v in row.items()})
    checked = check(frame, schema)
    decoded = DECODERS[id(schema)].rows([body(row)], **LIMITS)
    (span,) = decoded.spans
    assert isinstance(span, RequestRefused) == bool(checked.faults)
    if isinstance(span, RequestRefused):
        in_table = [fault.message.removeprefix("Row 1: ") for fault in checked.faults]
        assert str(span).removeprefix("Row 0: ") == in_table[0]
        return
    assert decoded.marks == checked.marks
    batch = gather(conform(frame, Schema(columns=schema.features)), schema)
    np.testing.assert_array_equal(decoded.batch.numbers, batch.numbers)
    assert decoded.batch.texts.tolist() == batch.texts.tolist()


NUMERIC = decode.compile(
    Schema(
        columns=(
            Column(name="i", kind="integer", minimum=0, maximum=9, declared=("range",)),
            Column(name="f", kind="float", nullable=True),
            Column(name="b", kind="boolean"),
        )
    )
)


def test_a_tensor_of_one_type_serves_all_kinds() -> None:
    tensor = np.array([[1, math.nan, 0], [2, math.inf, 1]])
    decoded = NUMERIC.columns({n: tensor[:, j] for j, n in enumerate("ifb")}, max_rows=10)
    np.testing.assert_array_equal(decoded.batch.numbers, tensor)
    assert decoded.batch.numbers.flags.c_contiguous


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        ((1, 0), 10, "i"),
        ((0, 0), 1.5, "i"),
        ((0, 0), math.nan, "i"),
        ((0, 0), math.inf, "i"),
        ((1, 2), 2, "b"),
    ],
)
def test_a_bad_cell_of_a_tensor_is_named(place: tuple[int, int], value: float, field: str) -> None:
    tensor = np.array([[1, 0.5, 0], [2, 0.5, 1]])
    tensor[place] = value
    with pytest.raises(RequestRefused) as caught:
        NUMERIC.columns({n: tensor[:, j] for j, n in enumerate("ifb")}, max_rows=10)
    assert (caught.value.field, caught.value.row) == (field, place[0])


def test_columns_of_unequal_length_none_and_too_many_are_refused() -> None:
    with pytest.raises(RequestRefused, match="length"):
        NUMERIC.columns({"i": [1], "f": [1, 2], "b": [True]}, max_rows=10)
    with pytest.raises(RequestRefused, match="no rows"):
        NUMERIC.columns({}, max_rows=10)
    with pytest.raises(RequestRefused, match="at most 1"):
        NUMERIC.columns({"i": [1, 2]}, max_rows=1)
    with pytest.raises(RequestRefused, match="missing"):
        NUMERIC.columns({"i": np.array([1])}, max_rows=1)


def test_unsigned_and_narrow_arrays_keep_their_values() -> None:
    decoded = NUMERIC.columns(
        {"i": np.array([3], np.uint8), "f": np.array([0.5], np.float32), "b": np.array([True])}, max_rows=1
    )
    assert decoded.batch.numbers.tolist() == [[3, 0.5, 1]]
    with pytest.raises(RequestRefused) as caught:
        NUMERIC.columns(
            {"i": np.array([2**64 - 1], np.uint64), "f": np.array([1.0]), "b": np.array([True])}, max_rows=1
        )
    assert caught.value.field == "i"


def test_records_take_dates_and_times_of_python() -> None:
    row = ROW | {"born": dt.date(1970, 1, 2), "seen": dt.datetime(1970, 1, 1, 0, 0, 1)}
    assert DECODER.records([row], max_rows=1).batch.numbers.tolist() == [[40, 70.5, 1, 1, 1_000_000]]
