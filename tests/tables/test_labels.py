from __future__ import annotations

import polars as pl
import pytest

from modelyard.errors import DataRefused
from modelyard.records.dataset import Split
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.gather import target
from modelyard.tables.infer import look
from modelyard.tables.labels import holds, stranger
from modelyard.tables.rules import unknown
from modelyard.tables.split import assign, check_columns, shares

SCHEMA = Schema(
    columns=(
        Column(name="x", kind="integer"),
        Column(name="rain", kind="boolean"),
        Column(name="fog", kind="string"),
        Column(name="wind", kind="float"),
    ),
    labels=("rain", "fog", "wind"),
)
FRAME = pl.DataFrame(
    {"x": [1, 2, 3], "rain": [True, False, True], "fog": ["Yes", "no ", "yes"], "wind": [0.0, 1.0, 0.0]}
)


def test_labels_are_targets_and_no_features() -> None:
    assert SCHEMA.targets == ("rain", "fog", "wind")
    assert [c.name for c in SCHEMA.features] == ["x"]
    assert "'fog' is not a feature but the target" in unknown(SCHEMA, "fog").message


def test_yes_and_no_are_read_in_every_way() -> None:
    assert target(FRAME, SCHEMA).tolist() == [[True, True, False], [False, False, True], [True, True, False]]
    again = target(FRAME, SCHEMA, labels=("wind", "rain", "fog"))
    assert again.tolist() == [[False, True, True], [True, False, False], [False, True, True]]


@pytest.mark.parametrize(
    ("values", "kind", "says"),
    [
        ([0, 1, 2], "integer", "'2'"),
        ([0.0, 0.5], "float", "'0.5'"),
        (["yes", "maybe"], "string", "'maybe'"),
        (["healthy", "ill"], "string", "'healthy'"),
    ],
)
def test_what_is_neither_yes_nor_no_is_named(values: list[object], kind: Kind, says: str) -> None:
    series, column = pl.Series("rain", values), Column(name="rain", kind=kind)
    assert stranger(column, look(series)) == says
    with pytest.raises(DataRefused, match="'rain' holds "):
        holds(series, column)


def test_many_values_and_days_are_no_labels() -> None:
    many = pl.Series("rain", range(1000))
    assert stranger(Column(name="rain", kind="integer"), look(many)) == "more than two values"
    assert (
        stranger(Column(name="rain", kind="date"), look(many.cast(pl.Int32).cast(pl.Date))) == "date values"
    )
    assert stranger(Column(name="rain", kind="boolean"), look(pl.Series([True]))) is None


def test_a_missing_label_is_refused() -> None:
    gap = FRAME.with_columns(fog=pl.Series(["yes", None, "no"]))
    with pytest.raises(DataRefused, match="'fog' is missing in 1 rows, first in row 2"):
        target(gap, SCHEMA)


def test_other_labels_than_the_model_knows_are_refused() -> None:
    with pytest.raises(DataRefused, match="knows the labels rain, snow, and the data has rain, fog, wind"):
        target(FRAME, SCHEMA, labels=("rain", "snow"))


def test_stratify_verifies_each_label() -> None:
    schema = Schema(
        columns=(*SCHEMA.columns, Column(name="id", kind="integer")), labels=SCHEMA.labels, key=("id",)
    )
    frame = pl.DataFrame(
        {
            "x": [n % 7 for n in range(400)],
            "rain": [n % 2 == 0 for n in range(400)],
            "fog": [["yes", "no"][n % 3 == 0] for n in range(400)],
            "wind": [float(n % 5 == 0) for n in range(400)],
            "id": range(400),
        }
    )
    test = assign(frame, schema=schema, split=Split(test=0.25, seed=1, stratify=True))
    found = shares(frame, test, schema=schema)
    assert set(found) == {f"{name}: {value}" for name in schema.labels for value in ("true", "false")}
    assert found["fog: true"] == pytest.approx(
        frame.filter(test & (pl.col("fog") == "yes")).height / frame.filter(pl.col("fog") == "yes").height
    )
    scarce = frame.with_columns(rain=pl.col("id") == 3)
    with pytest.raises(
        DataRefused, match=r"Class 'rain: true' has no row in the (test|train) split \(1 row in all\)"
    ):
        shares(scarce, test, schema=schema)


def test_a_label_cannot_decide_the_split() -> None:
    with pytest.raises(Exception, match="The target 'fog' cannot be the split's 'group'"):
        check_columns(SCHEMA, Split(test=0.2, seed=0, stratify=False, group=("fog",)))
