"""No credential in anything that is shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modelyard.data.sources.secret import fill
from modelyard.errors import SettingsError
from modelyard.settings.addresses import public


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://reader:${PW}@db/clinic", "postgresql://reader:${PW}@db/clinic"),
        ("postgresql://reader:${file:/run/pw}@db/clinic", "postgresql://reader:${file:/run/pw}@db/clinic"),
        ("postgresql://reader:hunter2@db/clinic", "postgresql://reader:***@db/clinic"),
        ("postgresql://reader:hun@t/er2@db/clinic", "postgresql://reader:***@db/clinic"),
        ("postgresql://reader:${PW}x@db/clinic", "postgresql://reader:***@db/clinic"),
        ("postgresql://reader@db/clinic", "postgresql://reader@db/clinic"),
        ("postgresql://db/c?user=a&password=hunter2", "postgresql://db/c?user=a&password=***"),
        ("https://token@host/a.csv", "https://***@host/a.csv"),
        ("https://host/a.csv?sv=1&sig=abc&page=2", "https://host/a.csv?sv=1&sig=***&page=2"),
        ("https://host/a.csv?X-Amz-Signature=abc", "https://host/a.csv?X-Amz-Signature=***"),
        ("https://host/a.csv?api_key=${KEY}", "https://host/a.csv?api_key=${KEY}"),
    ],
)
def test_addresses_as_they_are_shown(url: str, shown: str) -> None:
    assert public(url) == shown


@given(
    st.text(
        st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs", "Z", "C"]), min_size=3
    )
)
def test_a_password_holds_any_character_and_stays_hidden(password: str) -> None:
    assume(not password.isalnum() or len(password) > 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PW", password)
        filled = fill("postgresql://reader:${PW}@db/clinic", Path())
    assert unquote(urlsplit(filled.text).password or "") == password
    assert urlsplit(filled.text).hostname == "db"
    told = filled.hide(f"cannot reach {filled.text}: wrong password {password}")
    assert "reader:***@db" in told
    assert password not in told.replace("***", "")


def test_files_and_whole_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pw").write_text("p@ss\n")
    assert fill("mysql://u:${file:pw}@h/d", tmp_path).text == "mysql://u:p%40ss@h/d"
    monkeypatch.setenv("DATABASE", "postgresql://u:hunter2@h/d")
    filled = fill("${DATABASE}", tmp_path)
    assert filled.text == "postgresql://u:hunter2@h/d"
    assert filled.hide("for hunter2 at postgresql://u:hunter2@h/d") == "for *** at ***"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:${NO_SUCH}@h/d", "variable NO_SUCH; set it"),
        ("http://h/${file:none}", "needs the file .*none"),
    ],
)
def test_what_is_not_there_is_named(url: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=says):
        fill(url, tmp_path)
