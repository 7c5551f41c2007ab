"""What people declare: read with its mistakes named, kept byte for byte, put over what was inferred."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.data import schema_file
from modelyard.data.declaration import Declaration, declare, told_kind
from modelyard.data.schema_file import LINE, read, write
from modelyard.errors import SettingsError
from modelyard.records.schema import Column, Kind, Schema
from modelyard.tables.infer import infer
from modelyard.tables.rules import faults

FRAME = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "age": [20, 30, 40, 50],
        "weight": [50.5, 70.25, None, 90.0],
        "ward": ["n", "s", "n", "s"],
        "born": [dt.date(1990, 1, day) for day in (1, 2, 3, 4)],
        "seen": [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3, 4)],
        "ill": [True, False, True, False],
    }
)
SEEN = infer(FRAME, target="ill", key=("id",))


def said(folder: Path, text: str) -> Schema:
    path = folder / "a.schema.toml"
    path.write_text(text)
    return declare(SEEN, read(path), path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        said(folder, text)
    message = str(caught.value)
    assert message.startswith(str(folder / "a.schema.toml"))
    return message.removeprefix(str(folder / "a.schema.toml"))


def test_what_is_declared_takes_the_place_of_what_was_seen(tmp_path: Path) -> None:
    schema = said(
        tmp_path,
        """
        [table]
        rows = { min = 1, max = 9 }
        freshness = { column = "seen", within = "7d" }

        [columns.age]
        kind = "float"
        unit = "years"
        description = "at admission"
        minimum = 0
        maximum = 120

        [columns.weight]
        nullable = false
        severity = "warn"

        [columns.ward]
        categories = ["n", "s", "w"]
        pattern = "[a-z]"
        severity = { pattern = "warn" }

        [columns.born]
        minimum = 1900-01-01
        personal = true
        unique = true

        [columns.seen]
        maximum = 2026-12-31T00:00:00Z
        forbidden = true

        [rules.grown]
        check = "age >= 18 or weight < 60"
        severity = "warn"
        """,
    )
    age, weight, ward, born, seen = (schema.column(n) for n in ("age", "weight", "ward", "born", "seen"))
    assert (age.kind, age.unit, age.description, age.minimum, age.maximum) == (
        "float",
        "years",
        "at admission",
        0,
        120,
    )
    assert age.declared == ("kind", "range")
    assert (weight.nullable, weight.declared, weight.warned) == (True, (), ("nullable",))
    assert (weight.minimum, weight.maximum) == (50.5, 90.0), "what is not declared stays inferred"
    assert (ward.categories, ward.declared, ward.warned) == (("n", "s", "w"), ("categories",), ("pattern",))
    assert (born.minimum, born.maximum, born.personal) == (-25567, None, True)
    assert born.declared == ("range", "unique")
    assert seen.maximum == dt.datetime(2026, 12, 31, tzinfo=dt.UTC).timestamp() * 1e6
    assert [c.name for c in schema.features] == ["age", "weight", "ward", "born"]
    assert [(r.name, r.severity) for r in schema.rules] == [("grown", "warn")]


def test_nothing_declared_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "none.toml") == Declaration()
    assert Declaration().digest == ""
    assert said(tmp_path, "# only words\n") == SEEN


def test_nothing_seen_of_a_personal_column_is_written_down(tmp_path: Path) -> None:
    schema = said(tmp_path, "[columns.ward]\npersonal = true\n[columns.age]\npersonal = true\n")
    assert (schema.column("ward").categories, schema.column("age").minimum) == (None, None)
    write(tmp_path / "a.schema.toml", "a", schema, 4)
    assert "categories" not in (tmp_path / "a.schema.toml").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[columns.age]\nminimun = 1",
            ": unknown key 'columns.age.minimun' (did you mean 'minimum'?); known here: kind, unit",
        ),
        ("[colums.age]\nminimum = 1", ": unknown key 'colums' (did you mean 'columns'?); known here: table"),
        (
            "[columns.agee]\nunit = 'a'",
            ": 'columns.agee': the data has no column 'agee' (did you mean 'age'?).",
        ),
        ("[columns.age]\nkind = 'int'", ": 'columns.age.kind': invalid enum value 'int'."),
        ("[columns.age]\nminimum = 'low'", ": 'columns.age.minimum': is low; give a number."),
        ("[columns.age]\nminimum = 2\nmaximum = 1", ": 'columns.age.minimum' is above its maximum."),
        ("[columns.age]\nminimum = 2020-01-01", ": 'columns.age.minimum': is 2020-01-01; give a number."),
        (
            "[columns.age]\nkind = 'integer'\npattern = 'a'",
            ": 'columns.age.pattern': goes with texts, and the column is integer.",
        ),
        ("[columns.born]\nminimum = 1", ": 'columns.born.minimum': is 1; give a date such as 2026-01-31."),
        ("[columns.ward]\nminimum = 1", ": 'columns.ward.minimum': is 1; give none for a string."),
        ("[columns.ward]\npattern = '('", ": 'columns.ward.pattern': is no regular expression: "),
        ("[columns.ward]\ncategories = []", ": 'columns.ward.categories': is empty"),
        ("[columns.age]\nseverity = 'info'", ": 'columns.age.severity': "),
        ("[columns.age]\nseverity = { rang = 'warn' }", ": 'columns.age.severity"),
        ("[columns.age]\nseverity = { kind = 'warn' }", ": 'columns.age.severity.kind': cannot be 'warn'"),
        ("[columns.ill]\nforbidden = true", ": 'columns.ill.forbidden': it is the target"),
        (
            "[rules.r]\ncheck = 'agee > 1'",
            ": 'rules.r.check': there is no column 'agee'; did you mean 'age'?.",
        ),
        ("[rules.r]\nchek = 'age > 1'", ": unknown key 'rules.r.chek' (did you mean 'check'?)"),
        ("[rules.r]", ": 'rules.r': object missing required field `check`."),
        ("[table]\nrows = { min = 2, max = 1 }", ": 'table.rows.min' is above its max."),
        ("[table]\nrows = { mni = 2 }", ": unknown key 'table.rows.mni' (did you mean 'min'?)"),
        ("[table]\nfreshness = { column = 'seen', within = 'a week' }", ": 'table.freshness.within': "),
        (
            "[table]\nfreshness = { column = 'age', within = '7d' }",
            ": 'table.freshness.column': 'age' is integer; name",
        ),
        (
            "[table]\nfreshness = { column = 'sen', within = '7d' }",
            ": 'table.freshness.column': the data has no such column (did you mean 'seen'?)",
        ),
        ("[columns.age", " is not TOML: "),
        (
            "".join(f"[columns.{c}]\nforbidden = true\n" for c in ("age", "weight", "ward", "born", "seen")),
            ": every",
        ),
    ],
)
def test_a_mistake_is_named_with_file_key_and_near_miss(tmp_path: Path, text: str, message: str) -> None:
    found = refusal(tmp_path, text)
    assert found.startswith(message)
    assert found.endswith(".")


def test_the_file_is_begun_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "data" / "a.schema.toml"
    assert write(path, "a", SEEN, 4)
    assert not write(path, "a", SEEN, 4), "the same again changes nothing"
    assert read(path) == Declaration()
    text = path.read_text()
    assert "[inferred.columns.weight]" in text
    head, below = text.split(LINE)
    copied = below.replace("[inferred.columns", "[columns").replace("[inferred]\nrows = 4", "")
    path.write_text(head + copied + LINE)
    schema = declare(SEEN, read(path), path)
    assert schema.column("age").declared == ("kind", "nullable", "range"), (
        "what was seen can be copied as it is"
    )
    assert schema.column("ward").categories == ("n", "s")


def test_what_a_person_wrote_is_kept_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.schema.toml"
    mine = b"# mine, \xc3\xa4\r\n[columns.age]   # years\r\nminimum=0\r\n\n\n"
    path.write_bytes(mine)
    path.chmod(0o640)
    for rows in (4, 5):
        assert write(path, "a", declare(SEEN, read(path), path), rows)
        assert path.read_bytes().startswith(mine + LINE.encode())
        assert f"rows = {rows}\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a.schema.toml"]


def test_what_is_declared_below_the_line_is_refused_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.schema.toml"
    write(path, "a", SEEN, 4)
    before = path.read_text()
    path.write_text(before + "\n[columns.age]\nminimum = 0\n")
    with pytest.raises(SettingsError, match="move it above that line"):
        read(path)
    path.write_text(before.replace(LINE, ""))
    with pytest.raises(SettingsError, match="is gone"):
        read(path)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("kind = 'float'", "float"),
        ("categories = ['1']", "string"),
        ("pattern = '.'", "string"),
        ("minimum = 2020-01-01T00:00:00Z", "datetime"),
        ("minimum = 1", None),
    ],
)
def test_what_is_declared_tells_the_kind(tmp_path: Path, text: str, kind: str | None) -> None:
    path = tmp_path / "a.schema.toml"
    path.write_text(f"[columns.x]\n{text}\n")
    assert told_kind(read(path).columns["x"]) == kind


def test_the_digest_is_of_what_is_declared_not_of_how(tmp_path: Path) -> None:
    one, two, other = (tmp_path / n for n in "123")
    one.write_text("[columns.age]\nminimum = 0\nunit = 'a'\n")
    two.write_text('# words\n[columns.age]\nunit = "a"\nminimum = 0\n')
    other.write_text("[columns.age]\nminimum = 1\n")
    assert read(one).digest == read(two).digest != read(other).digest


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    words=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_name_and_value_is_written_as_toml(names: list[str], words: list[str], number: float) -> None:
    columns = tuple(
        Column(name=n, kind="string", categories=tuple(words))
        if i % 2
        else Column(name=n, kind="float", minimum=number)
        for i, n in enumerate(names)
    )
    text = schema_file._inferred(Schema(columns=columns), 3)
    found = schema_file._toml(Path("x"), text)["inferred"]["columns"]
    assert list(found) == names
    for i, name in enumerate(names):
        assert found[name].get("categories", words) == words
        assert found[name].get("minimum", number) == number, i


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "schema.md").read_text()
    path = tmp_path / "a.schema.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0])
    kinds: dict[str, Kind] = {
        "age": "integer",
        "ward": "string",
        "code": "string",
        "name": "string",
        "religion": "string",
        "came": "date",
        "left": "date",
        "seen": "datetime",
    }
    schema = declare(
        Schema(columns=tuple(Column(name=n, kind=k) for n, k in kinds.items())), read(path), path
    )
    assert [c.name for c in schema.features] == [n for n in kinds if n != "religion"]
    row = {"age": 17, "ward": "north", "code": "AB1234", "name": "x", "seen": "2026-01-01T00:00:00Z"}
    stays = row | {"came": "2026-01-02", "left": "2026-01-01"}
    assert [f.field for f in faults(schema, stays)] == ["stay"], "a rule that warns refuses nothing"
