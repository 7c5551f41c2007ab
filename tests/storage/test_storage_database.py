"""The yard on SQLite: the kit, opening, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.ports import Yard
from modelyard.storage.database import open_yard
from modelyard.testing.yard import YardKit


class TestSqlite(YardKit):
    @pytest.fixture
    def yard(self, tmp_path: Path) -> Yard:
        return open_yard("sqlite:///yard.db", tmp_path)
