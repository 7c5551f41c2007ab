"""Folds for trials: nothing is learnt from what is later, of the same group, or the same row twice."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from modelyard.errors import DataRefused, SettingsError
from modelyard.records.dataset import Split
from modelyard.records.schema import Column, Kind, Schema
from modelyard.training.dealing import Dealt, deal

RNG = np.random.default_rng(3)


def dealt(
    frame: pl.DataFrame, *, key: tuple[str, ...] = ("id",), folds: int | None = 4, **split: object
) -> Dealt:
    kinds: dict[str, Kind] = {name: "integer" for name in frame.columns if not name.startswith("__")}
    schema = Schema(
        columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()), target="y", key=key
    )
    asked = Split(test=0.2, seed=0, stratify=False, **split)  # type: ignore[arg-type]
    target = frame["y"].to_numpy()
    return deal(
        frame, target, schema=schema, split=asked, folds=folds, seed=5, classes=frame["y"].n_unique() == 2
    )


def table(rows: int = 200, **columns: object) -> pl.DataFrame:
    given = {"id": np.arange(rows), "x": RNG.integers(0, 10**9, rows), "y": np.arange(rows) % 10 == 0}
    return pl.DataFrame({**given, **columns}).with_columns(pl.col("y").cast(int))


def test_by_time_every_fold_is_later_than_all_that_it_is_learnt_from() -> None:
    frame = table(time=RNG.integers(0, 30, 200))
    fold, scored, forward = dealt(frame, time="time", after=99)
    assert forward
    assert scored == (1, 2, 3, 4)
    assert set(fold.tolist()) == {0, 1, 2, 3, 4}
    times = frame["time"].to_numpy()
    for number in scored:
        assert times[fold < number].max() < times[fold == number].min()


def test_by_time_one_moment_with_most_rows_leaves_a_fold_to_each() -> None:
    times = np.array([5] * 190 + [1, 2, 6, 7, 8, 9, 10, 11, 12, 13])
    fold = dealt(table(time=times), time="time", after=99).fold
    assert sorted(set(fold.tolist())) == [0, 1, 2, 3, 4]
    order = np.argsort(times, kind="stable")
    assert (np.diff(fold[order]) >= 0).all()


def test_too_few_times_are_refused() -> None:
    with pytest.raises(DataRefused, match=r"'time' has 4 distinct times .* too few for 4 folds"):
        dealt(table(time=np.arange(200) % 4), time="time", after=99)


def test_groups_are_never_parted() -> None:
    frame = table(who=RNG.integers(0, 40, 200))
    fold = dealt(frame, group=("who",)).fold
    assert frame.with_columns(fold=fold).group_by("who").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert np.bincount(fold).min() > 25


def test_fewer_groups_than_folds_are_refused() -> None:
    frame = table(who=np.arange(200) % 3).with_columns(y=pl.col("id"))
    with pytest.raises(DataRefused, match="3 groups of rows, too few for 4 folds"):
        dealt(frame, group=("who",))


def test_without_a_key_equal_rows_are_together() -> None:
    frame = table(x=np.arange(200) // 5).drop("id")
    fold = dealt(frame, key=()).fold
    assert (fold.reshape(-1, 5) == fold[::5, None]).all()


def test_classes_are_even_and_the_seed_decides() -> None:
    frame = table()
    fold = dealt(frame).fold
    for label in (0, 1):
        counts = np.bincount(fold[frame["y"].to_numpy() == label])
        assert counts.max() - counts.min() <= 1
    assert (dealt(frame).fold == fold).all()


def test_a_class_too_small_for_the_folds_is_refused() -> None:
    frame = table().with_columns(y=(pl.col("id") < 3).cast(int))
    with pytest.raises(DataRefused, match="Class '1' has 3 rows in the training split, too few for 4 folds"):
        dealt(frame)


def test_the_splits_own_folds_are_taken_and_others_refused() -> None:
    frame = table().with_columns(pl.Series("__fold__", [str(at % 3) for at in range(200)]))
    fold, scored, forward = dealt(frame, folds=None)
    assert (fold == np.arange(200) % 3).all()
    assert (scored, forward) == ((0, 1, 2), False)
    with pytest.raises(SettingsError, match="take 'folds' out of one of them"):
        dealt(frame, folds=5)


def test_each_label_is_in_every_fold() -> None:
    frame = table(rain=np.arange(200) % 2 == 0, fog=np.arange(200) % 25 == 0, wind=np.arange(200) > 150)
    held = frame.select("rain", "fog", "wind").to_numpy().astype(bool)
    asked = Split(test=0.2, seed=0, stratify=False)
    schema = Schema(
        columns=(Column(name="id", kind="integer"), Column(name="x", kind="integer")), key=("id",)
    )
    found = deal(frame, held, schema=schema, split=asked, folds=4, seed=5, classes=True)
    for at in range(3):
        assert np.ptp(np.bincount(found.fold[held[:, at]], minlength=4)) <= 10
        assert np.bincount(found.fold[held[:, at]], minlength=4).min() > 0
    assert np.bincount(found.fold[held[:, 1]]).tolist() == [2, 2, 2, 2]
    held[:, 1] = frame["id"].to_numpy() < 3
    with pytest.raises(DataRefused, match="holds in 3 rows of the training split, too few for 4 folds"):
        deal(frame, held, schema=schema, split=asked, folds=4, seed=5, classes=True)
