"""The folder that a project keeps on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def test_it_is_its_owners_alone_and_a_chosen_mode_stays(
    modelyard: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert modelyard("init", "clinic")[0] == 0
    monkeypatch.chdir(tmp_path / "clinic")
    before = os.umask(0o022)
    try:
        assert modelyard("ingest")[0] == 0
        home = tmp_path / "clinic" / ".modelyard"
        assert home.stat().st_mode & 0o777 == 0o700
        home.chmod(0o750)
        assert modelyard("ingest")[0] == 0
        assert home.stat().st_mode & 0o777 == 0o750
    finally:
        os.umask(before)
