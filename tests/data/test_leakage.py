"""Planted faults are found, and tables without fault give no alarm."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.data import leakage, single
from modelyard.data.leakage import Sides, Watch, bound
from modelyard.records.dataset import DataFinding, Split
from modelyard.records.schema import Schema
from modelyard.tables.digest import content_words, counted
from modelyard.tables.infer import infer, look
from modelyard.tables.split import SPLIT, assign

SPLIT_RULE = Split(test=0.2, seed=3, stratify=False)
ROWS = 2000


def clean(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    ill = draw.integers(0, 2, rows)
    return pl.DataFrame(
        {
            "id": range(rows),
            "weight": draw.normal(70, 10, rows) + 8 * ill,
            "age": draw.integers(20, 90, rows),
            "ward": draw.choice(["north", "south", "east"], rows),
            "seen": [None if d > 0.9 else d for d in draw.random(rows).tolist()],
            "ill": np.where(ill == 1, "yes", "no"),
        }
    )


def found(
    frame: pl.DataFrame,
    *,
    target: str = "ill",
    key: tuple[str, ...] = ("id",),
    split: Split = SPLIT_RULE,
    slices: int = 700,
) -> tuple[DataFinding, ...]:
    schema: Schema = infer(frame, target=target, key=key)
    test = assign(frame, schema=schema, split=split)
    side = pl.select(pl.when(test).then(pl.lit("test")).otherwise(pl.lit("train")).alias(SPLIT)).to_series()
    return looked(frame.with_columns(side), schema, split, slices=slices)


def looked(
    frame: pl.DataFrame, schema: Schema, split: Split, *, slices: int = 700, moved: int = 0
) -> tuple[DataFinding, ...]:
    watch = Watch(frame.head(slices), schema=schema, split=split, rows=frame.height)
    batches = enumerate(frame.iter_slices(slices))
    glances = [watch.glance(batch, at * slices) for at, batch in batches]
    apart = {*frame.columns} - {c.name for c in schema.features}
    _, _, words = content_words(frame, counted(schema, frame.columns), apart=apart)
    contents = Sides.below(bound(frame.height), words, (frame[SPLIT] == "test").to_numpy())
    return watch.findings(glances, [contents], {s.name: look(s) for s in frame}, moved=moved)


def kinds(findings: tuple[DataFinding, ...]) -> list[tuple[str, tuple[str, ...]]]:
    return [(f.kind, f.columns) for f in findings]


def test_a_clean_table_gives_no_alarm() -> None:
    for seed in range(5):
        assert found(clean(seed=seed)) == ()


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine", "diabetes"])
@pytest.mark.parametrize("key", [(), ("id",)])
def test_real_tables_give_no_alarm(name: str, key: tuple[str, ...]) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    frame = pl.from_pandas(getattr(datasets, f"load_{name}")(as_frame=True).frame).with_row_index("id")
    if name == "iris" and key:  # one flower is there twice
        frame = frame.unique(pl.exclude("id"), maintain_order=True)
    assert found(frame if key else frame.drop("id"), target="target", key=key) == ()


def noisy_copy(frame: pl.DataFrame) -> pl.Series:
    draw = np.random.default_rng(1)
    return (frame["ill"] == "yes").cast(pl.Float64) + pl.Series(draw.normal(0, 0.1, frame.height))


def parity(frame: pl.DataFrame) -> pl.Series:
    """No order tells it: sick ones are at 1, 3 and 5."""
    draw = np.random.default_rng(2)
    return pl.Series(draw.integers(0, 3, frame.height) * 2) + (frame["ill"] == "yes").cast(pl.Int64)


def filled_in_after(frame: pl.DataFrame) -> pl.Series:
    return pl.select(pl.when(frame["ill"] == "yes").then(pl.lit("treated"))).to_series()


@pytest.mark.parametrize("plant", [noisy_copy, parity, filled_in_after])
def test_a_column_that_tells_the_target_is_found(plant: Callable[[pl.DataFrame], pl.Series]) -> None:
    frame = clean()
    findings = found(frame.with_columns(plant(frame).alias("outcome")))
    assert ("target_leak", ("outcome",)) in kinds(findings)
    assert "alone tells 'ill'" in findings[0].sentence
    assert findings[0].figure > 0.995


def test_a_column_that_tells_a_number_or_one_of_several_classes_is_found() -> None:
    frame = clean()
    price = frame.with_columns(price=pl.col("weight").exp() / 1e9, ill=pl.col("weight") * 2.2)
    assert ("target_leak", ("price",)) in kinds(found(price))
    three = frame.with_columns(
        ill=pl.col("ward"), code=pl.col("ward").replace_strict({"north": 3, "south": 1, "east": 2})
    )
    assert ("target_leak", ("code",)) in kinds(found(three))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), values=st.integers(1, 400))
def test_noise_of_any_fineness_tells_nothing(seed: int, values: int) -> None:
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, values, 600)
    positive = draw.random(600) < 0.3
    assert 0.35 < single.auc(codes, positive) < 0.65
    assert single.explained(codes, positive.astype(float)) < 0.2


def test_the_area_is_that_of_all_pairs() -> None:
    scores, positive = np.array([1.0, 2, 2, 3, 0]), np.array([True, False, True, True, False])
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert single.ranked_auc(scores, positive) == pytest.approx(np.mean(pairs))


def test_equal_rows_on_both_sides_are_found() -> None:
    frame = clean()
    again = frame.head(200).with_columns(id=pl.col("id") + ROWS)
    both = pl.concat([frame, again])
    (finding,) = found(both)
    assert finding.kind == "duplicates"
    assert "are equal to a training row in every feature" in finding.sentence
    # Of 200 pairs, a share 2 * 0.2 * 0.8 stands on both sides, one row of each in 440 test rows.
    assert 0.09 < finding.figure < 0.21
    assert "duplicates" not in {f.kind for f in found(both.drop("id"), key=())}


def test_rows_that_are_alike_by_nature_are_no_alarm() -> None:
    assert found(clean().select("id", "ward", "ill")) == ()


def test_people_on_both_sides_are_found_until_the_split_is_by_group() -> None:
    frame = clean().with_columns(
        patient_id=pl.col("id") // 5, badge=pl.format("B-{}", pl.col("id") // 4 * 7919 % 10007)
    )
    findings = {f.columns: f for f in found(frame) if f.kind == "group_leak"}
    assert set(findings) == {("patient_id",), ("badge",)}
    assert 'group = "patient_id"' in findings[("patient_id",)].sentence
    grouped = Split(test=0.2, seed=3, stratify=False, group=("patient_id",))
    found_then = kinds(found(frame.drop("badge"), split=grouped))
    assert found_then == [("split_column", ("patient_id",))]
    assert (
        found(
            frame.drop("badge", "id").with_columns(visit=pl.int_range(ROWS) % 5),
            key=("patient_id", "visit"),
            split=grouped,
        )
        == ()
    )


def test_columns_that_help_nobody_are_found() -> None:
    frame = clean().with_columns(
        pl.lit(3).alias("site"),
        pl.lit(None, pl.Float64).alias("empty"),
        (pl.int_range(ROWS) * 37 % ROWS).alias("number"),
        pl.format("note {}", pl.col("id")).alias("note"),
        (pl.col("weight") * 2.20462).round(2).alias("pounds"),
        pl.col("ward").replace_strict({"north": "N", "south": "a", "east": "Z"}).alias("short"),
    )
    assert set(kinds(found(frame))) == {
        ("constant", ("site",)),
        ("constant", ("empty",)),
        ("identifier", ("number",)),
        ("identifier", ("note",)),
        ("same_columns", ("weight", "pounds")),
        ("same_columns", ("ward", "short")),
    }


def test_an_uneven_split_is_told() -> None:
    frame = clean().with_columns(
        year=pl.int_range(ROWS), ill=pl.when(pl.col("id") > 1900).then(pl.lit("yes")).otherwise("ill")
    )
    late = Split(test=0.2, seed=0, stratify=False, time="year", after=1000)
    told = [f for f in found(frame, split=late) if f.kind == "uneven"]
    assert "holds 50.0 % of the rows where 20.0 % was asked for" in told[0].sentence


def test_a_larger_table_is_judged_on_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "ROWS", 2000)
    frame = clean(40_000)
    assert found(frame, slices=9000) == ()
    frame = frame.with_columns(noisy_copy(frame).alias("outcome"), patient_id=pl.col("id") // 8)
    again = frame.head(8000).with_columns(id=pl.col("id") + 40_000, patient_id=pl.col("patient_id"))
    findings = found(pl.concat([frame, again]), slices=9000)
    assert [f.kind for f in findings] == ["target_leak", "duplicates", "group_leak"]
    assert 0.06 < findings[1].figure < 0.4
    assert "About" in findings[1].sentence


def test_many_findings_of_one_kind_are_summed_up() -> None:
    frame = clean().with_columns(pl.lit(1).alias(f"c{n}") for n in range(30))
    findings = found(frame)
    assert len(findings) == leakage.MOST + 1
    assert findings[-1].sentence.startswith("10 more findings like the last one, about c20, c21")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(),
            st.none() | st.text(max_size=5),
            st.integers(-(2**62), 2**62),
            st.booleans(),
        ),
        min_size=1,
        max_size=120,
    ),
    st.booleans(),
)
def test_whatever_the_values_looking_never_fails(rows: list[tuple[object, ...]], regression: bool) -> None:
    frame = pl.DataFrame(
        rows * 3, schema={"x": pl.Float64, "s": pl.String, "n": pl.Int64, "b": pl.Boolean}, orient="row"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for finding in found(frame, target="n" if regression else "b", key=(), slices=50):
            assert np.isfinite(finding.figure)
            assert finding.sentence.endswith(".")


def test_nothing_to_look_at() -> None:
    schema = infer(clean(), target="ill", key=("id",))
    assert looked(clean().with_columns(pl.lit("train").alias(SPLIT)).clear(), schema, SPLIT_RULE) == ()
