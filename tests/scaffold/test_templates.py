"""Every template, licence and forge: what is written is whole, in good style, and what the forges' schemas ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from modelyard import scaffold
from modelyard.scaffold import Choices
from modelyard.scaffold.choices import FLOWS, LICENCES, SYSTEMS, TEMPLATES
from modelyard.scaffold.files import CI_FILES, all_files
from modelyard.settings import read
from modelyard.training import payloads, run_tests

SCHEMAS = {
    "github": ["vendor.github-workflows"],
    "gitlab": ["vendor.gitlab-ci"],
    "bitbucket": ["vendor.bitbucket-pipelines"],
    "azure": ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "python"],
}


def _made(folder: Path, **chosen: object) -> Path:
    scaffold.create(folder, Choices(name="demand", **chosen))  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_read_tested_and_in_style(tmp_path: Path, template: str) -> None:
    project = _made(tmp_path / "p", template=template)
    settings = read(project, {})
    assert list(settings.environments) == ["test", "staging", "prod"]
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache", "."],
            cwd=project,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for model in settings.models.values():
        result = run_tests(project / model.code, cwd=project)
        assert (result.failed, result.errors) == (0, 0), result.output
        assert result.passed >= 3
        assert {payload.status for payload in payloads(project / model.code)} == {200, 422}
    assert bool(settings.models) == (template != "blank")
    text = "".join(p.read_text() for p in project.rglob("*") if p.is_file() and p.suffix != ".csv")
    assert "{=" not in text
    assert "{%" not in text


def test_make_tests_a_project_without_a_model(tmp_path: Path) -> None:
    project = _made(tmp_path / "p", template="blank")
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "installed").touch()
    done = subprocess.run(["make", "test"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("system", [s for s in SYSTEMS if s != "jenkins"])
def test_a_pipeline_is_what_its_forge_reads(tmp_path: Path, system: str, flow: str) -> None:
    project = _made(tmp_path / "p", ci=system, flow=flow)
    file = project / CI_FILES[system]
    program = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run(
        [program, "--builtin-schema", *SCHEMAS[system], file], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-600:] + done.stderr[-600:]
    text = file.read_text()
    yaml.safe_load(text)
    for words in ("make all", "modelyard build", "--until evaluate", "ci report --against", "deploy prod"):
        assert words in text
    branches = {"trunk": ("main",), "branches": ("development", "staging", "production")}[flow]
    assert all(branch in text for branch in branches)


def test_what_others_can_read_holds_no_key(tmp_path: Path) -> None:
    """A cache or artifact with the whole yard's folder would hold the private key that signs."""
    for system in ("github", "gitlab", "bitbucket", "azure"):
        text = (_made(tmp_path / system, ci=system) / CI_FILES[system]).read_text()
        kept = [line.strip() for line in text.splitlines() if ".modelyard" in line and "#" not in line]
        whole = [line for line in kept if line.endswith((".modelyard", ".modelyard]", ".modelyard/"))]
        assert not whole, (system, whole)


@pytest.mark.parametrize("flow", FLOWS)
def test_a_jenkinsfile_has_its_parts_and_closes_what_it_opens(tmp_path: Path, flow: str) -> None:
    text = (_made(tmp_path / "p", ci="jenkins", flow=flow) / "Jenkinsfile").read_text()
    depth, quoted = 0, ""
    for line in text.splitlines():
        for character in line.split("//")[0]:
            if quoted:
                quoted = "" if character == quoted else quoted
            elif character in "'\"":
                quoted = character
            else:
                depth += {"{": 1, "}": -1}.get(character, 0)
            assert depth >= 0
        assert not quoted, line
    assert depth == 0
    top = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] not in " }/"]
    assert top == ["agent", "options", "triggers", "environment", "stages", "post"]
    names = [line.split("'")[1] for line in text.splitlines() if line.strip().startswith("stage(")]
    assert names == ["check", "models of the pull request", "models", "test", "staging", "prod"]


@pytest.mark.parametrize("licence", LICENCES)
def test_a_licence_is_whole(licence: str) -> None:
    files = all_files(Choices(name="p", template="blank", licence=licence, docs_licence="ogl", year=2031))  # type: ignore[arg-type]
    text = files["LICENSE"].decode()
    assert {"mit": "MIT License", "apache-2.0": "END OF TERMS", "none": "All rights reserved"}.get(
        licence, "Redistribution and use"
    ) in text
    assert ("2031" in text) == (licence != "apache-2.0")
    assert b"OGL-UK-3.0" in files["docs/LICENSE"]


@pytest.mark.parametrize(
    ("repository", "badge"),
    [
        (
            "https://github.com/team/demand",
            "https://github.com/team/demand/actions/workflows/modelyard.yml/badge.svg",
        ),
        (
            "git@github.com:team/demand.git",
            "https://github.com/team/demand/actions/workflows/modelyard.yml/badge.svg",
        ),
        (
            "ssh://git@forge.example.org:2222/team/sub/demand.git",
            "https://forge.example.org/team/sub/demand/actions",
        ),
        ("", None),
    ],
)
def test_the_badge_is_of_the_repository(repository: str, badge: str | None) -> None:
    text = all_files(Choices(name="p", template="blank", ci="github", repository=repository))[
        "README.md"
    ].decode()
    assert (badge in text) if badge else ("badge" not in text)
