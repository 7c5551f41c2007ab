from pathlib import Path

import msgspec
import polars as pl
import pytest

from modelyard.data import Prepared, prepare
from modelyard.errors import DataRefused, SettingsError, SourceMissing
from modelyard.records.schema import Schema
from modelyard.settings import DataSettings, SplitSettings
from modelyard.tables.split import SPLIT


def people(rows: int = 200, *, start: int = 0) -> pl.DataFrame:
    numbers = range(start, start + rows)
    return pl.DataFrame(
        {
            "id": [f"p{n}" for n in numbers],
            "age": [20 + n % 50 for n in numbers],
            "weight": [50 + n / 7 for n in numbers],
            "ward": ["abc"[n % 3] for n in numbers],
            "ill": ["yes" if n % 4 else "no" for n in numbers],
        }
    )


def prepared(
    folder: Path,
    frame: pl.DataFrame | str,
    *,
    previous: Schema | None = None,
    target: str | None = "ill",
    key: str | tuple[str, ...] = "id",
    **split: object,
) -> Prepared:
    if isinstance(frame, str):
        (folder / "a.csv").write_text(frame)
    else:
        frame.write_csv(folder / "a.csv")
    chosen = msgspec.convert({"seed": 7, **split}, SplitSettings)
    return prepare(
        DataSettings(source="a.csv", target=target, key=key, split=chosen), folder, previous=previous
    )


def refusal(folder: Path, frame: pl.DataFrame | str, **given: object) -> str:
    with pytest.raises((DataRefused, SettingsError)) as caught:
        prepared(folder, frame, **given)  # type: ignore[arg-type]
    message = str(caught.value)
    assert len(message) < 600
    return message


def test_a_prepared_table(tmp_path: Path) -> None:
    found = prepared(tmp_path, people(), stratify=True)
    assert (found.rows, found.test_rows) == (200, (found.frame[SPLIT] == "test").sum())
    assert found.frame.columns == ["id", "age", "weight", "ward", "ill", SPLIT]
    assert found.frame.drop(SPLIT).equals(people())
    assert [c.kind for c in found.schema.columns] == ["string", "integer", "float", "string", "string"]
    assert found.schema.column("ward").categories == ("a", "b", "c")
    assert (found.schema.target, found.schema.key) == ("ill", ("id",))
    assert set(found.split.shares) == {"yes", "no"}
    assert (found.split.test, found.split.seed) == (0.2, 7)
    assert found.sources[0].path == "a.csv"
    assert found.marks == {}


def test_the_same_content_again_is_the_same_version(tmp_path: Path) -> None:
    first = prepared(tmp_path, people())
    shuffled = prepared(tmp_path, people().sample(fraction=1, shuffle=True, seed=1), previous=first.schema)
    assert (shuffled.digest, shuffled.schema, shuffled.split) == (first.digest, first.schema, first.split)
    people().write_parquet(tmp_path / "a.parquet")
    settings = DataSettings(source="a.parquet", target="ill", key="id", split=SplitSettings(seed=7))
    assert prepare(settings, tmp_path, previous=None).digest == first.digest


def test_another_seed_key_or_target_is_another_version(tmp_path: Path) -> None:
    digests = {
        prepared(tmp_path, people()).digest,
        prepared(tmp_path, people(), seed=8).digest,
        prepared(tmp_path, people(), key=()).digest,
        prepared(tmp_path, people(), target="ward").digest,
    }
    assert len(digests) == 4


def test_rows_that_come_later_move_no_row(tmp_path: Path) -> None:
    for key in ("id", ()):
        first = prepared(tmp_path, people(), key=key)
        grown = people(300).with_columns(
            age=pl.col("age") + pl.when(pl.col("id") == "p299").then(0.5).otherwise(0)
        )
        later = prepared(tmp_path, grown, key=key, previous=first.schema)
        assert later.widened == ("age",)
        assert later.frame[SPLIT].head(200).to_list() == first.frame[SPLIT].to_list()
        assert later.digest != first.digest


def test_integers_stay_floats_once_they_were(tmp_path: Path) -> None:
    floats = prepared(tmp_path, people().with_columns(pl.col("age") + 0.5))
    again = prepared(tmp_path, people(), previous=floats.schema)
    assert again.schema.column("age").kind == "float"
    assert again.frame.schema["age"] == pl.Float64
    assert again.widened == ()


def test_texts_of_digits_stay_texts(tmp_path: Path) -> None:
    first = prepared(tmp_path, people())
    digits = people().with_columns(ward=pl.lit("12"))
    assert prepared(tmp_path, digits, previous=first.schema).frame["ward"].unique().to_list() == ["12"]


def test_a_column_without_values_keeps_or_awaits_its_kind(tmp_path: Path) -> None:
    empty = people().with_columns(age=pl.lit(None, dtype=pl.Int64), ward=pl.lit(None, dtype=pl.String))
    first = prepared(tmp_path, empty)
    assert first.schema.column("ward").kind == "float"
    filled = prepared(tmp_path, people(), previous=first.schema)
    assert filled.schema.column("ward").kind == "string"
    emptied = prepared(tmp_path, empty, previous=filled.schema)
    assert [emptied.schema.column(n).kind for n in ("age", "ward")] == ["integer", "string"]
    assert emptied.schema.column("ward").nullable


def test_new_values_are_marked_and_new_nulls_allowed(tmp_path: Path) -> None:
    first = prepared(tmp_path, people())
    strange = people().with_columns(
        age=pl.when(pl.col("id") == "p3").then(None).otherwise(pl.col("age") * 2),
        ward=pl.when(pl.col("id") == "p4").then(pl.lit("z")).otherwise(pl.col("ward")),
    )
    later = prepared(tmp_path, strange, previous=first.schema)
    expected = sum(1 for n in range(200) if n != 3 and not 20 <= 2 * (20 + n % 50) <= 69)
    assert later.marks == {"age: range": expected, "ward: categories": 1}
    assert later.schema.column("age").nullable
    assert "z" in (later.schema.column("ward").categories or ())


def test_declared_rules_are_kept_and_refuse(tmp_path: Path) -> None:
    first = prepared(tmp_path, people()).schema
    age = msgspec.structs.replace(first.column("age"), minimum=0, maximum=100, declared=("range", "nullable"))
    ruled = msgspec.structs.replace(
        first, columns=tuple(age if c.name == "age" else c for c in first.columns)
    )
    assert prepared(tmp_path, people(), previous=ruled).schema.column("age") == age
    old = people().with_columns(age=pl.when(pl.col("id") == "p6").then(130).otherwise(pl.col("age")))
    assert "a.csv, row 7: 'age' is 130, outside of the declared range from 0 to 100." in refusal(
        tmp_path, old, previous=ruled
    )
    holes = people().with_columns(age=pl.when(pl.col("id") == "p8").then(None).otherwise(pl.col("age")))
    assert "a.csv, row 9: 'age' is null and may not be" in refusal(tmp_path, holes, previous=ruled)


def test_columns_that_vanish_appear_or_change(tmp_path: Path) -> None:
    first = prepared(tmp_path, people()).schema
    given = {"previous": first}
    assert "a.csv, line 1: no column 'weight', which the version before has; mend" in refusal(
        tmp_path, people().drop("weight"), **given
    )
    assert (
        "a.csv, line 1: column 'height', which the version before has not; leave it out by 'drop'"
        in refusal(tmp_path, people().with_columns(height=pl.lit(1)), **given)
    )
    message = refusal(tmp_path, people().rename({"weight": "mass"}), **given)
    assert (
        "a.csv, line 1: no column 'weight', which the version before has, but column 'mass' instead"
        in message
    )
    assert "no column 'ill', the target, which the version before has" in refusal(
        tmp_path, people().drop("ill"), **given
    )
    message = refusal(tmp_path, people().select("id", "ill"), **given)
    assert (
        "no columns 'age', 'weight', 'ward', which the version before has, so that no feature is left"
        in message
    )
    below = "\n\n" + people().drop("age", "ward").write_csv()
    assert "a.csv, line 3: no columns 'age', 'ward', which" in refusal(tmp_path, below, **given)
    texts = people().with_columns(
        age=pl.when(pl.col("id") == "p5").then(pl.lit("old")).otherwise(pl.col("age").cast(pl.String))
    )
    assert "a.csv, row 6: 'age' must be an integer, not the text 'old'." in refusal(tmp_path, texts, **given)
    people().with_columns(age=pl.lit("old")).write_parquet(tmp_path / "b.parquet")
    settings = DataSettings(source="b.parquet", target="ill", key="id")
    with pytest.raises(DataRefused, match=r"b\.parquet: column 'age' is string now and was integer"):
        prepare(settings, tmp_path, previous=first)
    people().drop("age").write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataRefused, match=r"b\.parquet: no column 'age', which the version before has"):
        prepare(settings, tmp_path, previous=first)


def test_columns_in_another_order_are_put_back(tmp_path: Path) -> None:
    first = prepared(tmp_path, people())
    turned = prepared(tmp_path, people().select(reversed(people().columns)), previous=first.schema)
    assert turned.digest == first.digest


def test_a_target_or_key_that_is_not_there(tmp_path: Path) -> None:
    message = refusal(tmp_path, people(), target="il")
    assert "There is no column 'il' for the target; did you mean 'ill'?" in message
    assert "id, age, weight, ward, ill" in message
    message = refusal(tmp_path, people(), target="outcome")
    assert (
        "There is no column 'outcome' for the target; the columns are id, age, weight, ward, ill." in message
    )
    assert "for the key; did you mean 'age'?" in refusal(tmp_path, people(), key=("id", "agee"))
    assert "both target and key" in refusal(tmp_path, people(), key="ill")
    message = refusal(tmp_path, people().select("id", "ill"))
    assert (
        "a.csv, line 1: no column beside the target 'ill' and the key 'id', so nothing to learn from"
        in message
    )


@pytest.mark.parametrize("value", ["yes", True, 1, 1.5])
def test_a_target_with_one_value(value: object, tmp_path: Path) -> None:
    assert "The target 'ill' is" in refusal(tmp_path, people().with_columns(ill=pl.lit(value)))


def test_a_target_with_nulls(tmp_path: Path) -> None:
    empty = people().with_columns(ill=pl.lit(None, dtype=pl.String))
    assert "The target 'ill' has no value in any row" in refusal(tmp_path, empty)
    holes = people().with_columns(ill=pl.when(pl.col("id") == "p2").then(None).otherwise(pl.col("ill")))
    assert "a.csv, row 3: the target 'ill' is null (in 1 of 200 rows)" in refusal(tmp_path, holes)


def test_a_key_that_repeats_or_is_null(tmp_path: Path) -> None:
    twice = pl.concat([people(), people(3), people(1)])
    assert "a.csv, row 1: the key 'id' is not unique: p0 comes again, and 4 rows" in refusal(tmp_path, twice)
    holes = people().with_columns(id=pl.when(pl.col("age") == 22).then(None).otherwise(pl.col("id")))
    assert "a.csv, row 3: the key 'id' is null (in 4 of 200 rows)" in refusal(tmp_path, holes)
    assert prepared(tmp_path, people(), key=("id", "age")).schema.key == ("id", "age")
    assert "the key 'ward, age' is not unique" in refusal(tmp_path, people(), key=("ward", "age"))


def test_rows_are_named_by_their_file(tmp_path: Path) -> None:
    people(100).write_csv(tmp_path / "1.csv")
    people(100, start=100).with_columns(
        ill=pl.when(pl.col("id") == "p104").then(None).otherwise(pl.col("ill"))
    ).write_csv(tmp_path / "2.csv")
    with pytest.raises(DataRefused, match=r"2\.csv, row 5: the target 'ill' is null"):
        prepare(DataSettings(source="*.csv", target="ill", key="id"), tmp_path, previous=None)


def test_integers_that_no_float_holds(tmp_path: Path) -> None:
    big = people().with_columns(age=pl.lit(2**53 + 1))
    assert "a.csv, row 1: 'age' must be an integer, not 9007199254740993, which is beyond" in refusal(
        tmp_path, big
    )
    keyed = people().with_columns(id=pl.int_range(200) + 2**60)
    assert prepared(tmp_path, keyed).frame["id"][0] == 2**60


def test_names_that_a_table_cannot_hold(tmp_path: Path) -> None:
    assert "a name of our own" in refusal(tmp_path, people().with_columns(pl.lit(1).alias(SPLIT)))
    assert "differ in case only" in refusal(tmp_path, people().with_columns(Age=pl.lit(1)))


def test_too_few_rows_for_two_sides(tmp_path: Path) -> None:
    assert "No row of 2 falls into the" in refusal(
        tmp_path, people(4).filter(pl.col("id").is_in(["p0", "p1"]))
    )
    message = refusal(tmp_path, people(2), key=(), test=0.01)
    assert "No row of 2 falls into the test split: without a 'key' they are dealt by their content" in message
    equal = pl.concat([people(1), people(1).with_columns(ill=pl.lit("yes"))] * 100)
    message = refusal(tmp_path, equal, key=(), target="ill")
    assert "rows that are equal in all features stand together (1 of them differ); set 'key'" in message
    message = refusal(tmp_path, people(), time="age", after=900)
    assert "rows from 900 on in 'age' are held back" in message
    assert "rows that hold 'test' in 'ward' are held back" in refusal(tmp_path, people(), column="ward")
    assert "rows of one ward stand together" in refusal(tmp_path, people(), group="ward", test=0.01)
    message = refusal(tmp_path, people(40).with_columns(ill=pl.Series(["rare"] + ["no"] * 39)), stratify=True)
    assert "Class 'rare' of 'ill' has no row in the" in message


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"No file matches '\*\.csv'"):
        prepare(DataSettings(source="*.csv"), tmp_path, previous=None)
    assert "columns but no rows" in refusal(tmp_path, "id,age,weight,ward,ill\n")
    assert "is empty" in refusal(tmp_path, "")


def test_a_source_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.data import preparation

    def growing(*given: object, **options: object) -> object:
        found = preparation_gather(*given, **options)  # type: ignore[arg-type]
        with (tmp_path / "a.csv").open("a") as stream:
            stream.write("p999,1,1,a,yes\n")
        return found

    preparation_gather = preparation.read_through
    monkeypatch.setattr(preparation, "read_through", growing)
    assert "changed while they were read" in refusal(tmp_path, people())


def test_without_target_or_key(tmp_path: Path) -> None:
    found = prepared(tmp_path, people(), target=None, key=())
    assert len(found.schema.features) == 5
    assert 0 < found.test_rows < 200
