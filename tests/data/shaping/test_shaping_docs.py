"""The worked examples of ``docs/transform.md`` and ``docs/point-in-time.md``, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.settings import read

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("page", ["transform.md", "point-in-time.md"])
def test_an_example_gives_what_the_page_says(
    page: str, modelyard: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    text = (DOCS / page).read_text()
    files = re.findall(r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)```", text, flags=re.DOTALL | re.MULTILINE)
    for name, content in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    session = re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)[0]
    steps = re.findall(r"^\$ ([^\n]+)\n(.*?)(?=^\$|\Z)", session, flags=re.DOTALL | re.MULTILINE)
    assert len(files) > 2
    assert len(steps) == 3
    for command, says in steps:
        words = command.split()
        if words[0] == "cat":
            assert (tmp_path / words[1]).read_text() == says
            continue
        where = [tmp_path / word if word.endswith(".csv") else word for word in words[1:]]
        code, out, errors = modelyard("-C", tmp_path, *where)
        assert code == 0, errors
        assert out.replace(f"{tmp_path}/", "") == says


def test_other_settings_on_the_pages_are_settings(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(\[data.*?)```", (DOCS / "transform.md").read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "modelyard.toml").write_text(f'[project]\nname = "p"\n\n{block}')
        assert read(tmp_path, {}).data
