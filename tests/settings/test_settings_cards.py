"""``cards/NAME.toml``: answers are typed, and what nobody asks is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.errors import SettingsError
from modelyard.settings.cards import read

KNOWN = ["purpose", "owner"]


def write(folder: Path, text: str) -> None:
    (folder / "cards").mkdir()
    (folder / "cards" / "screening.toml").write_text(text)


def test_answers_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "screening", KNOWN).answers == {}
    write(
        tmp_path,
        'license = "mit"\n[answers]\npurpose = "To *screen*."\nboard = "Of May."\n[questions]\nboard = "Which?"\n',
    )
    found = read(tmp_path, "screening", KNOWN)
    assert found.answers == {"purpose": "To *screen*.", "board": "Of May."}
    assert found.license == "mit"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[answers]\npurpos = "x"\n',
            "'answers.purpos': there is no question 'purpos' (did you mean 'purpose'?)",
        ),
        ('[questions]\nowner = "Who?"\n', "'questions.owner' is a question of Modelyard's already"),
        ('licence = "mit"\n', "unknown key 'licence'; known here: license, "),
        ("[answers]\npurpose = 7\n", "expected `str`, got `int`"),
        ('[answers]\npurpose = ""\n', "'answers': expected `str` of length >= 1"),
        ('[answers]\n"Bad Id" = "x"\n', "'answers': expected `str` matching regex"),
        ("answers = 1\n", "'answers': expected `object`"),
        ("[answers", "is not TOML"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        read(tmp_path, "screening", KNOWN)
    assert says in str(error.value)
    assert "screening.toml" in str(error.value)
