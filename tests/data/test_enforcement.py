"""What a project declares about its rows, from the file to the version and back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import polars as pl
import pytest

from modelyard.actions.ingest import Ingested, ingest, write_schema
from modelyard.errors import DataRefused, SettingsError
from modelyard.project import Project
from modelyard.records.dataset import DatasetVersion
from modelyard.settings import DataSettings, ProjectSettings, Settings

FILE = "data/people.schema.toml"


def people(rows: int = 60) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"p{n}" for n in range(rows)],
            "age": [20 + n % 50 for n in range(rows)],
            "ward": ["abc"[n % 3] for n in range(rows)],
            "came": [dt.date(2026, 1, 1 + n % 20) for n in range(rows)],
            "left": [dt.date(2026, 1, 3 + n % 20) for n in range(rows)],
            "name": [f"N{n}" for n in range(rows)],
            "ill": [n % 4 == 0 for n in range(rows)],
        }
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    data = DataSettings(source="people.csv", target="ill", key="id")
    people().write_csv(tmp_path / "people.csv")
    return Project(
        root=tmp_path,
        settings=Settings(project=ProjectSettings(name="p"), data={"people": data}),
        asserted="a",
    )


def declare(project: Project, text: str) -> None:
    path = project.root / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def versions(project: Project) -> list[DatasetVersion]:
    with project.yard.read() as facts:
        return list(facts.datasets.list("people"))


def quarantined(project: Project) -> list[Path]:
    return sorted((project.home / "quarantine" / "people").glob("*.parquet"))


def test_the_first_version_begins_the_file_and_the_same_again_leaves_it(project: Project) -> None:
    first = ingest(project, "people")
    assert (first.new, first.schema_file) == (True, FILE)
    text = (project.root / FILE).read_text()
    assert "[inferred.columns.age]" in text
    again = ingest(project, "people")
    assert (again.new, again.schema_file) == (False, "")
    (project.root / FILE).unlink()
    assert ingest(project, "people").schema_file == FILE, "a file that is gone comes back without a version"
    assert (project.root / FILE).read_text() == text


@pytest.mark.parametrize("source", ["data", "data/*", "data/**"])
def test_a_schema_file_beside_the_rows_is_no_source(project: Project, source: str) -> None:
    (project.root / "data").mkdir()
    (project.root / "people.csv").rename(project.root / "data" / "people.csv")
    settings = msgspec.structs.replace(project.settings.data["people"], source=source)
    other = Project(
        root=project.root,
        settings=msgspec.structs.replace(project.settings, data={"people": settings}),
        asserted="a",
    )
    assert ingest(other, "people").schema_file == FILE
    assert not ingest(other, "people").new


def test_rows_that_break_what_is_declared_make_no_version_and_are_kept(project: Project) -> None:
    ingest(project, "people")
    declare(
        project,
        """
        [columns.age]
        maximum = 60
        [columns.ward]
        pattern = "[ab]"
        severity = "warn"
        [columns.name]
        personal = true
        [rules.stay]
        check = "left >= came"
        """,
    )
    late = people().with_columns(
        left=pl.when(pl.col("id") == "p7").then(dt.date(2025, 1, 1)).otherwise(pl.col("left"))
    )
    late.write_csv(project.root / "people.csv")
    with pytest.raises(DataRefused) as caught:
        ingest(project, "people")
    (kept,) = quarantined(project)
    assert str(caught.value) == (
        f"{project.root / 'people.csv'}, row 8: the rule 'stay' (left >= came) does not hold: "
        "'left' is 2025-01-01, 'came' is 2026-01-08. "
        f"(age: range in 9 rows, rule stay in 1 row; kept in {kept}.)"
    )
    rows = pl.read_parquet(kept)
    assert "name" not in rows.columns
    assert rows["__row__"].to_list() == [8, *range(42, 51)]
    assert rows["id"].to_list() == ["p7", *(f"p{n}" for n in range(41, 50))]
    assert rows["__reasons__"][1].to_list() == ["'age' is 61, outside of the declared range to 60."]
    assert [v.number for v in versions(project)] == [1]
    people().filter(pl.col("age") <= 60).write_csv(project.root / "people.csv")
    second = ingest(project, "people").version
    assert second.number == 2
    assert second.marks == {
        "ward: pattern": sum(w == "c" for w in people().filter(pl.col("age") <= 60)["ward"])
    }


def test_declaring_anew_is_a_version_anew(project: Project) -> None:
    first = ingest(project, "people").version
    declare(project, "[columns.age]\nunit = 'years'\nminimum = 0\n[columns.name]\nforbidden = true\n")
    second = ingest(project, "people").version
    assert (second.number, second.digest == first.digest) == (2, False)
    assert (second.schema.column("age").unit, second.schema.column("age").declared) == ("years", ("range",))
    assert [c.name for c in second.schema.features] == ["age", "ward", "came", "left"]
    assert not ingest(project, "people").new
    declare(project, "")
    third = ingest(project, "people").version
    assert third.schema == first.schema, "what is not declared any more does not linger"


def test_what_cannot_be_is_refused_before_anything_is_read(project: Project) -> None:
    (project.root / "people.csv").unlink()
    declare(project, "[columns.age]\nminimun = 0\n")
    with pytest.raises(SettingsError, match="did you mean 'minimum'"):
        ingest(project, "people")


def test_values_that_come_again_are_refused_with_their_rows(project: Project) -> None:
    declare(project, "[columns.name]\nunique = true\n[columns.age]\nunique = true\nseverity = 'warn'\n")
    people().with_columns(
        name=pl.when(pl.col("id").is_in(["p3", "p9"])).then(pl.lit("same")).otherwise("name")
    ).write_csv(project.root / "people.csv")
    with pytest.raises(
        DataRefused, match="row 4: 'name' is declared unique, and 1 value comes more than once"
    ):
        ingest(project, "people")
    assert pl.read_parquet(quarantined(project)[0])["__row__"].to_list() == [4, 10]
    people().write_csv(project.root / "people.csv")
    assert ingest(project, "people").version.marks["age: unique"] == 20


def test_numbers_of_rows_and_freshness(project: Project) -> None:
    declare(project, "[table]\nrows = { min = 61 }\n")
    with pytest.raises(DataRefused, match="There are 60 rows, and at least 61 are declared"):
        ingest(project, "people")
    declare(project, "[table]\nrows = { min = 61, severity = 'warn' }\n")
    assert ingest(project, "people").version.marks["table: rows"] == 1
    declare(project, "[table]\nfreshness = { column = 'came', within = '1d' }\n")
    with pytest.raises(DataRefused, match="The newest 'came' is 2026-01-20"):
        ingest(project, "people")


def test_unchanged_sources_become_stale(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.actions import ingest as action

    clock = dt.datetime(2026, 1, 21, tzinfo=dt.UTC)
    monkeypatch.setattr(action, "now", lambda: clock)
    declare(project, "[table]\nfreshness = { column = 'came', within = '2d' }\n")
    assert ingest(project, "people").version.newest == dt.datetime(2026, 1, 20, tzinfo=dt.UTC)
    assert not ingest(project, "people").new
    clock += dt.timedelta(days=5)
    with pytest.raises(DataRefused, match="people@1 holds all that the sources do, and the newest 'came' is"):
        ingest(project, "people")


def test_a_declared_kind_says_how_a_text_is_read(project: Project) -> None:
    numbered = people().with_columns(ward=pl.lit("012"))
    numbered.write_csv(project.root / "people.csv")
    declare(project, "[columns.ward]\nkind = 'string'\n[columns.age]\nkind = 'float'\n")
    schema = ingest(project, "people").version.schema
    assert (schema.column("ward").kind, schema.column("age").kind) == ("string", "float")
    numbered.write_parquet(project.root / "people.csv")


def test_a_kind_that_the_source_does_not_have_is_refused(project: Project) -> None:
    settings = msgspec.structs.replace(project.settings.data["people"], source="people.parquet")
    people().write_parquet(project.root / "people.parquet")
    other = Project(
        root=project.root,
        settings=msgspec.structs.replace(project.settings, data={"people": settings}),
        asserted="a",
    )
    declare(other, "[columns.ward]\nkind = 'integer'\n")
    with pytest.raises(DataRefused, match="'ward'"):
        ingest(other, "people")


def test_the_file_is_written_without_a_version(project: Project) -> None:
    declare(project, "# mine\n[columns.age]\nmaximum = 1\n")
    assert write_schema(project, "people") == project.root / FILE
    text = (project.root / FILE).read_text()
    assert text.startswith("# mine\n[columns.age]\nmaximum = 1\n")
    assert "[inferred.columns.ward]" in text
    assert versions(project) == []


def test_the_first_version_is_held_to_what_was_declared_before_it(project: Project) -> None:
    declare(project, "[columns.age]\nmaximum = 60\n")
    with pytest.raises(DataRefused, match="outside of the declared range to 60"):
        ingest(project, "people")
    assert versions(project) == []
    found: Ingested = ingest(_wider(project), "people")
    assert found.version.number == 1


def _wider(project: Project) -> Project:
    declare(project, "[columns.age]\nmaximum = 69\n")
    return project


def test_a_description_makes_no_version_and_a_unit_does(project: Project) -> None:
    ingest(project, "people")
    declare(project, '[table]\ndescription = "People"\n[columns.age]\ndescription = "in full years"\n')
    assert ingest(project, "people").new is False
    people().reverse().write_csv(project.root / "people.csv")
    assert ingest(project, "people").new is False, "the same rows, read anew"
    declare(project, '[columns.age]\ndescription = "in full years"\nunit = "years"\n')
    version = ingest(project, "people").version
    assert version.number == 2
    assert version.schema.column("age").description == "in full years"


def test_values_of_another_kind_are_counted_and_kept(project: Project) -> None:
    declare(project, '[columns.age]\nkind = "integer"\n\n[columns.came]\nkind = "date"\n')
    rows = people().with_columns(pl.col("age", "came").cast(pl.String)).rows(named=True)
    for at, value in ((7, "old"), (9, "older"), (40, "oldest")):
        rows[at]["age"] = value
    rows[8]["came"] = "31.1.2026"
    pl.DataFrame(rows).write_csv(project.root / "people.csv")
    with pytest.raises(DataRefused) as told:
        ingest(project, "people")
    (kept,) = quarantined(project)
    source = str(project.root / "people.csv")
    assert str(told.value) == (
        f"{source}, row 8: 'age' must be an integer, not the text 'old'. "
        f"(age: kind in 3 rows, came: kind in 1 row; kept in {kept}.)"
    )
    found = pl.read_parquet(kept)
    assert found.select("__file__", "__row__", "__column__", "__value__").rows() == [
        (source, 8, "age", "old"),
        (source, 9, "came", "31.1.2026"),
        (source, 10, "age", "older"),
        (source, 41, "age", "oldest"),
    ]
    assert all(reasons[0].startswith("'") for reasons in found["__reasons__"].to_list())
    assert versions(project) == []


def test_values_of_another_kind_than_the_version_before(project: Project) -> None:
    ingest(project, "people")
    text = people().with_columns(age=pl.lit("n.k."))
    pl.concat([people().cast({"age": pl.String}), text]).write_csv(project.root / "people.csv")
    with pytest.raises(
        DataRefused, match=r"row 61: 'age' must be an integer.*\(age: kind in 60 rows; kept in"
    ):
        ingest(project, "people")
    assert len(versions(project)) == 1


def test_a_personal_value_of_another_kind_is_shown_nowhere(project: Project) -> None:
    declare(project, '[columns.age]\nkind = "integer"\npersonal = true\n')
    people().with_columns(age=pl.lit("so old")).write_csv(project.root / "people.csv")
    with pytest.raises(DataRefused, match=r"row 1: 'age' must be an integer") as told:
        ingest(project, "people")
    assert "so old" not in str(told.value)
    found = pl.read_parquet(quarantined(project)[0])
    assert found["__value__"].null_count() == found.height == 60
    assert not any("so old" in reason for reasons in found["__reasons__"].to_list() for reason in reasons)


def test_more_values_than_are_kept_are_counted_still(project: Project) -> None:
    declare(project, '[columns.n]\nkind = "float"\n')
    rows = 25_000
    table = pl.DataFrame(
        {"id": range(rows), "n": ["1.5", "x"] * (rows // 2), "ill": [True, False] * (rows // 2)}
    )
    table.write_csv(project.root / "people.csv")
    with pytest.raises(DataRefused, match=r"row 2: 'n' must be .*n: kind in 12500 rows"):
        ingest(project, "people")
    assert pl.read_parquet(quarantined(project)[0]).height == 10_000
