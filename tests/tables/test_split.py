import datetime as dt
import math
from collections.abc import Callable

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import DataRefused, SettingsError
from modelyard.records.dataset import SourceFile, Split
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.split import assign, check_columns, check_kinds, folds, key_hashes, settle, shares

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


VISITS = Schema(
    columns=(
        Column(name="id", kind="integer"),
        Column(name="patient", kind="string", nullable=True),
        Column(name="at", kind="datetime"),
        Column(name="day", kind="date"),
        Column(name="year", kind="integer"),
        Column(name="fold", kind="string", nullable=True),
        Column(name="x", kind="float"),
    ),
    key=("id",),
)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
visits = st.lists(
    st.tuples(
        st.none() | st.sampled_from([f"p{n}" for n in range(8)]),
        st.integers(0, 400),
        st.sampled_from(["test", "train", None, "x"]),
    ),
    min_size=2,
    max_size=40,
)


def table(rows: list[tuple[object, int, object]]) -> pl.DataFrame:
    times = [START + dt.timedelta(hours=h) for _, h, _ in rows]
    return pl.DataFrame(
        {
            "id": range(len(rows)),
            "patient": pl.Series([p for p, _, _ in rows], dtype=pl.String),
            "at": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "day": [t.date() for t in times],
            "year": [h for _, h, _ in rows],
            "fold": pl.Series([f for _, _, f in rows], dtype=pl.String),
            "x": [0.5] * len(rows),
        }
    )


def by(**rule: object) -> Split:
    return msgspec.structs.replace(FIFTH, **rule)


def whole(frame: pl.DataFrame) -> Callable[[str], tuple[pl.Series, Schema]]:
    return lambda name: (frame[name], VISITS)


RULES = {
    "group": by(group=("patient",)),
    "groups": by(group=("patient", "day")),
    "time": by(time="at", after="2026-01-08T03:00:00Z"),
    "day": by(time="day", after="2026-01-08"),
    "number": by(time="year", after=200),
    "column": by(column="fold"),
    "folds": by(folds=3),
    "holdout": by(holdout=SourceFile(path="h.csv", size=1, sha256="")),
}
KEYS = key_hashes(pl.DataFrame({"id": [1, 3, 30, 99]}), VISITS)


@pytest.mark.parametrize("name", RULES)
@settings(deadline=None, max_examples=40)
@given(old=visits, new=visits, cut=st.integers(1, 40))
def test_whatever_the_rule_no_row_moves_and_batches_agree(
    name: str, old: list[tuple[object, int, object]], new: list[tuple[object, int, object]], cut: int
) -> None:
    split = RULES[name]
    first = table(old)
    grown = table(old + new)
    before = assign(first, schema=VISITS, split=split, holdout=KEYS).to_list()
    assert assign(grown, schema=VISITS, split=split, holdout=KEYS).head(len(old)).to_list() == before
    parts = [assign(b, schema=VISITS, split=split, holdout=KEYS) for b in grown.iter_slices(cut)]
    assert pl.concat(parts).equals(assign(grown, schema=VISITS, split=split, holdout=KEYS))
    turned = grown.reverse()
    assert (
        assign(turned, schema=VISITS, split=split, holdout=KEYS).reverse().head(len(old)).to_list() == before
    )
    if split.folds:
        dealt = folds(first, schema=VISITS, split=split)
        assert folds(grown, schema=VISITS, split=split).head(len(old)).equals(dealt)
        assert set(dealt) <= {"0", "1", "2"}


@settings(deadline=None, max_examples=60)
@given(rows=visits, seed=st.integers(0, 99))
def test_a_group_stands_on_one_side_and_in_one_fold(
    rows: list[tuple[object, int, object]], seed: int
) -> None:
    frame, split = table(rows), by(group=("patient",), seed=seed, folds=4)
    sides = frame.select(
        "patient",
        test=assign(frame, schema=VISITS, split=split),
        fold=folds(frame, schema=VISITS, split=split),
    )
    counted = sides.group_by("patient").agg(pl.col("test", "fold").n_unique())
    assert set(counted["test"]) | set(counted["fold"]) == {1}


@settings(deadline=None, max_examples=80)
@given(
    old=visits,
    new=visits,
    column=st.sampled_from(["at", "day", "year"]),
    share=st.floats(0.05, 0.95),
    later=st.floats(0.05, 0.95),
)
def test_the_newest_share_never_gives_a_test_row_to_training(
    old: list[tuple[object, int, object]],
    new: list[tuple[object, int, object]],
    column: str,
    share: float,
    later: float,
) -> None:
    first, grown = table(old), table(old + new)
    if first[column].n_unique() == 1:
        with pytest.raises(DataRefused, match="is the same in every row"):
            settle(whole(first), split=by(time=column), before=None)
        return
    begun = settle(whole(first), split=by(time=column, test=share), before=None)
    before = assign(first, schema=VISITS, split=begun)
    assert 0 < before.sum() < len(old)
    assert first.filter(before)[column].min() > first.filter(~before)[column].max()  # type: ignore[operator]
    again = settle(whole(grown), split=by(time=column, test=share), before=begun)
    assert again.after == begun.after
    other = settle(whole(grown), split=by(time=column, test=later), before=again)
    now = assign(grown, schema=VISITS, split=other).head(len(old))
    assert not (before & ~now).any()


def test_the_newest_share_comes_as_near_as_times_allow() -> None:
    frame = table([("p", h, None) for h in range(100)])
    settled = settle(whole(frame), split=by(time="at", test=0.2), before=None)
    assert settled.after == "2026-01-04T08:00:00Z"
    assert assign(frame, schema=VISITS, split=settled).sum() == 20
    ties = table([("p", 1, None)] * 90 + [("p", 2, None)] * 10)
    assert settle(whole(ties), split=by(time="year"), before=None).after == 2


def test_folds_are_even_and_independent_of_the_test_split() -> None:
    frame = people(20_000)
    split = by(folds=5)
    dealt = folds(frame, schema=KEYED, split=split)
    test = assign(frame, schema=KEYED, split=split)
    counted = (
        pl.DataFrame({"fold": dealt, "test": test}).group_by("fold").agg(pl.len(), pl.col("test").mean())
    )
    assert counted.height == 5
    assert counted["len"].is_between(3600, 4400).all()
    assert counted["test"].is_between(0.15, 0.25).all()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"group": ("patien",)}, "no column 'patien' for the split's 'group'; did you mean 'patient'"),
        ({"time": "patient"}, "needs dates, times or numbers, but 'patient' holds string"),
        ({"time": "day", "after": "yesterday"}, "'after' is 'yesterday', but 'day' holds date values"),
        ({"time": "year", "after": "2026"}, "'year' holds numbers"),
        ({"column": "x", "test_value": "test"}, "'test_value' is 'test', but 'x' holds float"),
    ],
)
def test_a_rule_that_does_not_fit_the_columns_is_refused(rule: dict[str, object], message: str) -> None:
    check = check_columns if "group" in rule else check_kinds
    with pytest.raises(SettingsError, match=message):
        check(VISITS, by(**rule))


def test_roles_that_cannot_decide_a_split() -> None:
    bare = msgspec.structs.replace(VISITS, key=(), target="fold")
    with pytest.raises(SettingsError, match="target 'fold' cannot be the split's 'column'"):
        check_columns(bare, RULES["column"])
    with pytest.raises(SettingsError, match="set 'key' too"):
        check_columns(bare, RULES["holdout"])


def test_a_row_without_a_time_is_refused() -> None:
    frame = table([("p", 1, None), ("q", 2, None)]).with_columns(at=pl.lit(None, pl.Datetime("us", "UTC")))
    with pytest.raises(DataRefused, match="'at' of the split is missing in 2 of 2 rows"):
        assign(frame, schema=VISITS, split=RULES["time"])


def test_a_column_of_any_kind_says_which_rows_are_held_back() -> None:
    frame = pl.DataFrame({"n": [1, 2, None], "b": [True, False, None], "s": ["1", "test", None]})
    columns = tuple(Column(name=n, kind=k, nullable=True) for n, k in zip("nbs", KINDS, strict=True))
    schema = Schema(columns=columns)
    for column, value, wanted in (("n", 2, 1), ("b", False, 1), ("s", None, 1), ("s", 1, 0)):
        found = assign(frame, schema=schema, split=by(column=column, test_value=value))
        assert found.arg_true().to_list() == [wanted]


KINDS: tuple[Kind, ...] = ("integer", "boolean", "string")
