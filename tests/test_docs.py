"""The documents tell the truth about commands, settings, errors and events."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modelyard.cli.contents import COMMANDS
from modelyard.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_with_prose(name: str) -> None:
    text = (ROOT / "docs" / "commands" / f"{name}.md").read_text()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert len(prose.split()) > 40, f"docs/commands/{name}.md says too little"


def test_every_event_is_in_the_documents() -> None:
    rooms = ("actions", "registry", "jobs", "alerts")
    source = "\n".join(p.read_text() for r in rooms for p in (ROOT / "src/modelyard" / r).glob("*.py"))
    events = set(re.findall(r'events\.append\(\s*"([a-z_.]+)"', source))
    events |= {f"release.{status}" for status in ("wanted", "live", "failed")}
    assert len(events) > 8, "few events found in the source: the pattern is wrong"
    page = (ROOT / "docs" / "audit.md").read_text()
    assert sorted(e for e in events if f"`{e}`" not in page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_in_documents_exist(page: Path) -> None:
    blocks = re.findall(r"```(?:console|sh|bash)\n(.*?)```", page.read_text(), flags=re.DOTALL)
    words = re.findall(r"^(?:\$ )?modelyard (?:-C \S+ )?([a-z]+)", "\n".join(blocks), flags=re.MULTILINE)
    assert [word for word in words if word not in COMMANDS] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_settings_in_documents_are_settings(page: Path) -> None:
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        shown = tomllib.loads(block)
        if shown.keys() <= known:  # else it is another file: a schema, a card's answers
            msgspec.convert(_whole(shown), Settings)


def _whole(shown: dict[str, Any]) -> dict[str, Any]:
    """An excerpt with what every file of settings must have."""
    shown.setdefault("project", {}).setdefault("name", "excerpt")
    for model in shown.get("models", {}).values():
        model |= {"code": "models/excerpt", "data": "excerpt"} | model
    for environment in shown.get("environments", {}).values():
        environment.setdefault("port", 8101)
    for data in shown.get("data", {}).values():
        if isinstance(data, dict) and not data.keys() & {"source", "sources"}:
            data["source"] = "excerpt.csv"
    return shown
