import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import DataRefused
from modelyard.records.dataset import Split
from modelyard.records.schema import Column, Schema
from modelyard.tables.split import assign, shares

KEYED = Schema(
    columns=(
        Column(name="id", kind="string"),
        Column(name="x", kind="float"),
        Column(name="y", kind="string"),
    ),
    target="y",
    key=("id",),
)
BARE = Schema(columns=KEYED.columns[1:], target="y")
MIXED = Schema(columns=(Column(name="x", kind="float"), Column(name="s", kind="string")))
FIFTH = Split(test=0.2, seed=7, stratify=False)


def people(rows: int, *, start: int = 0) -> pl.DataFrame:
    ids = range(start, start + rows)
    return pl.DataFrame(
        {"id": [f"p{n}" for n in ids], "x": [n / 3 for n in ids], "y": ["ab"[n % 2] for n in ids]}
    )


contents = st.lists(
    st.tuples(st.none() | st.floats(), st.none() | st.text("ab\x00é", max_size=70)), max_size=12
)


def mixed(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"x": pl.Float64, "s": pl.String}, orient="row")


@settings(deadline=None)
@given(old=contents, new=contents, seed=st.integers(-(2**63), 2**63), share=st.floats(0.01, 0.99))
def test_appending_rows_never_moves_a_row(
    old: list[tuple[object, ...]], new: list[tuple[object, ...]], seed: int, share: float
) -> None:
    split = Split(test=share, seed=seed, stratify=False)
    before = assign(mixed(old), schema=MIXED, split=split)
    after = assign(mixed(old + new), schema=MIXED, split=split)
    assert after.head(len(old)).to_list() == before.to_list()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), share=st.floats(0.02, 0.98))
def test_the_share_is_within_binomial_bounds(seed: int, share: float) -> None:
    rows = 4000
    for schema in (KEYED, BARE):
        test = assign(people(rows), schema=schema, split=Split(test=share, seed=seed, stratify=False))
        # 7 standard deviations: once in 4e11 by chance.
        assert abs(int(test.sum()) - rows * share) <= 7 * math.sqrt(rows * share * (1 - share)) + 1


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_larger_share_keeps_the_rows_of_a_smaller_one(seed: int) -> None:
    small, large = (
        assign(people(500), schema=KEYED, split=Split(test=s, seed=seed, stratify=False)) for s in (0.2, 0.3)
    )
    assert not (small & ~large).any()


def test_only_the_key_decides() -> None:
    frame = people(1000)
    other = frame.with_columns(pl.col("x") * 2, y=pl.lit("c"))
    assert assign(frame, schema=KEYED, split=FIFTH).equals(assign(other, schema=KEYED, split=FIFTH))


def test_without_a_key_the_label_plays_no_part_and_duplicates_stay_together() -> None:
    frame = people(500)
    twice = pl.concat([frame, frame.with_columns(y=pl.lit("c"))])
    test = assign(twice, schema=BARE, split=FIFTH)
    assert test.head(500).to_list() == test.tail(500).to_list()


def test_seeds_deal_independently() -> None:
    frame = people(20_000)
    one, two = (assign(frame, schema=KEYED, split=Split(test=0.5, seed=s, stratify=False)) for s in (0, 1))
    assert abs((one == two).mean() - 0.5) < 0.03  # type: ignore[operator]


def test_a_column_that_widens_moves_no_row() -> None:
    whole = pl.DataFrame({"x": [0, 1, -5, 2**53, None]})
    schema = Schema(columns=(Column(name="x", kind="float"),))
    for seed in range(50):
        split = Split(test=0.5, seed=seed, stratify=False)
        assert (
            assign(whole, schema=schema, split=split).to_list()
            == assign(whole.cast(pl.Float64), schema=schema, split=split).to_list()
        )
    negative = pl.DataFrame({"x": [-0.0, math.nan]})
    assert (
        assign(negative, schema=schema, split=FIFTH).to_list()
        == assign(pl.DataFrame({"x": [0.0, None]}), schema=schema, split=FIFTH).to_list()
    )


def test_columns_in_another_order_move_no_row() -> None:
    frame = people(200)
    turned = Schema(columns=(Column(name="s", kind="string"), Column(name="x", kind="float")))
    mixed_frame = frame.select("x", s="id")
    assert assign(mixed_frame, schema=MIXED, split=FIFTH).equals(
        assign(mixed_frame.select("s", "x"), schema=turned, split=FIFTH)
    )


def test_the_assignment_is_the_same_on_any_machine() -> None:
    """Written down once: a change of library that moves a row would leak test rows into training."""
    frame = pl.DataFrame({"x": [0.1, -7.0, None, 1e300], "s": ["a", "é" * 50, None, "patient-17"]})
    dealt = [
        assign(frame, schema=MIXED, split=Split(test=0.5, seed=seed, stratify=False)).to_list()
        for seed in range(8)
    ]
    assert "".join("X" if t else "." for row in dealt for t in row) == "....X..X.X..X.....XXXXX..X...XX."


def test_shares_of_each_class() -> None:
    frame = people(2000)
    test = assign(frame, schema=KEYED, split=FIFTH)
    found = shares(frame, test, schema=KEYED)
    assert set(found) == {"a", "b"}
    tested = frame.filter(test)["y"]
    assert found["a"] == (tested == "a").sum() / 1000


def test_a_class_without_rows_on_one_side_is_refused() -> None:
    frame = people(100).with_columns(y=pl.Series(["a"] * 99 + ["rare"]))
    for side in (True, False):
        test = pl.Series([True, False] * 49 + [True, side])
        with pytest.raises(
            DataRefused, match=f"Class 'rare' of 'y' has no row in the {'train' if side else 'test'}"
        ):
            shares(frame, test, schema=KEYED)


def test_stratify_needs_classes() -> None:
    frame = people(100)
    test = assign(frame, schema=KEYED, split=FIFTH)
    with pytest.raises(DataRefused, match="holds float values"):
        shares(frame, test, schema=Schema(columns=KEYED.columns, target="x"))
    with pytest.raises(DataRefused, match="needs a target"):
        shares(frame, test, schema=Schema(columns=KEYED.columns))
    with pytest.raises(DataRefused, match="has 100 values"):
        shares(frame, test, schema=Schema(columns=KEYED.columns, target="id"))


def test_boolean_and_integer_classes_have_plain_names() -> None:
    test = pl.Series([True, False] * 2)
    for labels, names in (([True, True, False, False], {"true", "false"}), ([0, 0, 1, 1], {"0", "1"})):
        frame = pl.DataFrame({"y": labels})
        kind = "boolean" if isinstance(labels[0], bool) else "integer"
        assert (
            set(shares(frame, test, schema=Schema(columns=(Column(name="y", kind=kind),), target="y")))
            == names
        )
