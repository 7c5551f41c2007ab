import datetime as dt
import io
import itertools
import math

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.records.schema import Column, Schema
from modelyard.tables.digest import counted, digest, seal, sums
from modelyard.tables.infer import infer

FRAME = pl.DataFrame(
    {
        "i": [1, None, -3],
        "f": [1.5, math.nan, None],
        "b": [True, False, None],
        "s": ["a", "", None],
        "d": [dt.date(2026, 1, 1), None, dt.date(1, 1, 1)],
        "t": pl.Series([dt.datetime(2026, 1, 1), None, dt.datetime(1900, 1, 1)]).cast(
            pl.Datetime("us", "UTC")
        ),
    }
)
SCHEMA = infer(FRAME, target="s", key=())


def of(**columns: object) -> str:
    frame = pl.DataFrame(columns)
    return digest(frame, infer(frame, target=None, key=()))


def test_the_digest_is_the_same_on_any_machine() -> None:
    """Written down once: a change of library or machine that moves it would orphan every dataset."""
    assert digest(FRAME, SCHEMA) == "6c566c067968b9b8e50ce528d596ae5a8828dd38bf29ff8c503f0aa4ab88e2b1"


rows = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**53), 2**53),
        st.none() | st.floats(),
        st.none() | st.text("ab\x00é😀", max_size=80),
    ),
    min_size=1,
    max_size=8,
)


def frame_of(content: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(content, schema={"i": pl.Int64, "f": pl.Float64, "s": pl.String}, orient="row")


PLAIN = Schema(
    columns=(
        Column(name="i", kind="integer"),
        Column(name="f", kind="float"),
        Column(name="s", kind="string"),
    )
)


@settings(deadline=None)
@given(content=rows, data=st.data())
def test_order_and_chunks_play_no_part(content: list[tuple[object, ...]], data: st.DataObject) -> None:
    frame = frame_of(content)
    shuffled = frame_of(data.draw(st.permutations(content)))
    cut = data.draw(st.integers(0, len(content)))
    chunked = pl.concat([frame.head(cut), frame.slice(cut)], rechunk=False)
    assert digest(frame, PLAIN) == digest(shuffled, PLAIN) == digest(chunked, PLAIN)


@settings(deadline=None)
@given(content=rows, other=rows)
def test_different_content_has_another_digest(
    content: list[tuple[object, ...]], other: list[tuple[object, ...]]
) -> None:
    def canonical(found: list[tuple[object, ...]]) -> list[str]:
        return sorted(repr(row) for row in found)

    same = canonical(content) == canonical(other)
    assert (digest(frame_of(content), PLAIN) == digest(frame_of(other), PLAIN)) == same


@settings(deadline=None)
@given(content=rows, data=st.data())
def test_a_table_in_pieces_has_the_digest_of_the_whole(
    content: list[tuple[object, ...]], data: st.DataObject
) -> None:
    frame = frame_of(content)
    columns = counted(PLAIN, frame.columns)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    edges = [0, *cuts, len(content)]
    pieces = [frame.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    found = data.draw(st.permutations([sums(piece, columns) for piece in pieces]))
    assert seal(PLAIN, columns, rows=frame.height, sums=found) == digest(frame, PLAIN)


def test_pieces_mixed_at_a_time_are_one_table() -> None:
    frame = pl.DataFrame({"x": range(100_000)})
    schema = infer(frame, target=None, key=())
    assert digest(frame, schema) == digest(frame.reverse(), schema)
    assert digest(frame, schema) != digest(frame.with_columns(x=pl.col("x").replace(70_000, 70_001)), schema)


def test_repeated_rows_count() -> None:
    assert of(x=[1, 1, 2]) != of(x=[1, 2, 2]) != of(x=[1, 2])


def test_values_that_look_alike_differ() -> None:
    assert of(x=[0.0]) != of(x=[-0.0])
    assert of(x=[None, 1.0]) != of(x=[math.nan, 1.0]) != of(x=[0.0, 1.0])
    assert of(x=["", "a"]) != of(x=[None, "a"])
    assert of(x=["ab", "c"], y=["d", "e"]) != of(x=["a", "bc"], y=["d", "e"])
    assert of(x=[1]) != of(x=[1.0]), "kinds count"
    assert of(x=[1]) != of(y=[1]), "names count"


def test_storage_types_play_no_part() -> None:
    narrow = pl.DataFrame({"i": [1, 2], "f": [0.5, 1.5], "s": ["a", "b"], "t": [dt.datetime(2026, 1, 1)] * 2})
    wide = narrow.with_columns(
        pl.col("i").cast(pl.UInt8),
        pl.col("f").cast(pl.Float32),
        pl.col("s").cast(pl.Categorical),
        pl.col("t")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("Asia/Kathmandu")
        .cast(pl.Datetime("ns", "Asia/Kathmandu")),
    )
    schema = infer(narrow, target=None, key=())
    assert digest(narrow, schema) == digest(wide, schema)


def test_a_roundtrip_through_parquet_changes_nothing() -> None:
    stream = io.BytesIO()
    FRAME.write_parquet(stream)
    stream.seek(0)
    assert digest(pl.read_parquet(stream), SCHEMA) == digest(FRAME, SCHEMA)


def test_roles_and_declared_rules_and_the_split_count() -> None:
    plain = digest(FRAME, SCHEMA)
    assert digest(FRAME, msgspec.structs.replace(SCHEMA, target="b")) != plain
    assert digest(FRAME, msgspec.structs.replace(SCHEMA, key=("i",))) != plain
    ruled = msgspec.structs.replace(SCHEMA.columns[0], minimum=0.0, declared=("range",))
    declared = msgspec.structs.replace(SCHEMA, columns=(ruled, *SCHEMA.columns[1:]))
    assert digest(FRAME, declared) != plain
    inferred = msgspec.structs.replace(ruled, declared=())
    assert digest(FRAME, msgspec.structs.replace(SCHEMA, columns=(inferred, *SCHEMA.columns[1:]))) == plain
    sides = [
        digest(FRAME.with_columns(pl.Series("__split__", s)), SCHEMA)
        for s in (["train", "test", "train"], ["test", "train", "train"])
    ]
    assert len({plain, *sides}) == 3


def test_an_empty_table_has_a_digest() -> None:
    assert digest(FRAME.clear(), SCHEMA) == digest(FRAME.clear(), SCHEMA) != digest(FRAME, SCHEMA)


@pytest.mark.parametrize("text", ["", "a", "12345678", "123456789", "x" * 64, "x" * 65, "é" * 40])
def test_sliced_columns_hash_as_whole_ones(text: str) -> None:
    frame = pl.DataFrame({"s": ["first", text, None, "last"]})
    schema = Schema(columns=(Column(name="s", kind="string"),))
    assert digest(frame.slice(1, 1), schema) == digest(pl.DataFrame({"s": [text]}), schema)
