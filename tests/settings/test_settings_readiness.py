"""``readiness.toml`` is typed, and what cannot be right is refused by file and key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from modelyard.errors import SettingsError
from modelyard.settings.readiness import FILE, read

TODAY = dt.date(2026, 11, 21)
DONE = '[screening.tests.D5]\nwho = "Anna"\nwhen = 2026-11-03\nwhere = "privacy.md"\n'


def told(folder: Path, text: str) -> str:
    (folder / FILE).write_text(text)
    (folder / "privacy.md").write_text("We did.")
    with pytest.raises(SettingsError) as error:
        read(folder, ["screening"], TODAY)
    return str(error.value)


def test_what_is_written_down_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, ["screening"], TODAY) == {}
    (tmp_path / "privacy.md").write_text("We did.")
    (tmp_path / FILE).write_text(
        f'[screening]\nmax_age = "30d"\n[screening.costs]\nunit = "EUR"\nbudget = 9\nfeatures = {{ age = 2 }}\n{DONE}'
        '[screening.tests.M2]\nwho = "Ben"\nwhen = 2026-01-02\nwhere = "https://wiki/m2"\nuntil = 2027-01-01\n'
    )
    found = read(tmp_path, ["screening"], TODAY)["screening"]
    assert found.oldest == dt.timedelta(days=30)
    assert found.costs is not None
    assert found.costs.features == {"age": 2}
    assert found.tests["D5"].when == dt.date(2026, 11, 3)
    assert found.tests["M2"].until == dt.date(2027, 1, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (DONE.replace("D5", "D9"), "'screening.tests.D9': there is no test 'D9'"),
        (DONE.replace("screening", "screning"), "no model 'screning' (did you mean 'screening'?)"),
        (DONE.replace("who =", "whom ="), "unknown key 'screening.tests.D5.whom' (did you mean 'who'?)"),
        (DONE.replace("2026-11-03", '"yesterday"'), "'screening.tests.D5.when': "),
        (
            DONE.replace("2026-11-03", "2026-11-22"),
            "'screening.tests.D5.when' is 2026-11-22, which is not yet",
        ),
        (f"{DONE}until = 2026-11-03\n", "'screening.tests.D5.until' is not after 'when'"),
        (DONE.replace("privacy.md", "gone.md"), "there is no file gone.md in the project"),
        (DONE.replace("privacy.md", "../outside.md"), "there is no file ../outside.md in the project"),
        (DONE.replace("privacy.md", "ftp://wiki"), "there is no file ftp://wiki in the project"),
        (DONE.replace('who = "Anna"\n', ""), "'screening.tests.D5': object missing required field `who`"),
        ('[screening]\nmax_age = "soon"\n', "'screening.max_age': "),
        ("[screening]\nage = 1\n", "unknown key 'screening.age'"),
        ("[screening.costs]\nunit = 'EUR'\nbudget = -1\n", "'screening.costs.budget': "),
        ("[screening.costs]\nunit = 'EUR'\nbudget = 1\nlimit = 2\n", "unknown key 'screening.costs.limit'"),
        (
            "[screening.costs]\nunit = 'EUR'\nbudget = 1\nfeatures = { age = 'much' }\n",
            "'screening.costs.features': ",
        ),
        ("screening = 1\n", "'screening': expected `object`, got `int`"),
        ("[screening", "is not TOML"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path.parent / "outside.md").write_text("not of the project")
    sentence = told(tmp_path, text)
    assert says in sentence
    assert str(tmp_path / FILE) in sentence
    assert "\n" not in sentence.strip() or "TOML" in sentence


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not TOML"):
        read(tmp_path, ["screening"], TODAY)
