"""Two models side by side, through the command line: versions, runs, environments and git revisions."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard.project import fresh, now, open_project
from modelyard.records.registry import Release

PAGE = Path(__file__).parents[2] / "docs/commands/diff.md"
Command = Callable[..., tuple[int, str, str]]
CODE = """
import modelyard as my
from common.shared import pipeline
SPACE = {"C": my.log_uniform(1e-4, 1e2, default=DEFAULT)}
def train(data, params):
    for step in range(3):
        my.log_metric("loss", params["C"] / (step + 1), step=step)
    return pipeline(params["C"]).fit(data.features, data.target)
"""
SHARED = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
def pipeline(C):
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
"""


def git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", *named, "-C", str(folder), *words], check=True, capture_output=True)
    return done.stdout.decode().strip()


def committed(folder: Path, message: str) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "-qm", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def history(built_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """screening@1 of no commit, @2 of main, @3 two commits after, of which the last was not trained."""
    folder = tmp_path_factory.mktemp("history") / "screening"
    shutil.copytree(built_once, folder)
    git(folder, "init", "-q", "-b", "main")
    with (folder / "modelyard.toml").open("a") as settings:
        settings.write("\n[models.screening.evaluation]\n")
        settings.writelines(
            f"{part} = false\n" for part in ("baselines", "importance", "search", "stability")
        )
    model, shared = folder / "models/screening/model.py", folder / "common/shared.py"
    shared.parent.mkdir()
    for default, more in (("1e-4", ""), ("1.0", "# a line that is new\n")):
        model.write_text(CODE.replace("DEFAULT", default))
        shared.write_text(SHARED + more)
        committed(folder, f"C = {default}")
        done = subprocess.run(
            [sys.executable, "-m", "modelyard", "-C", str(folder), "build"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        if not more:
            git(folder, "checkout", "-q", "-b", "work")
    with (folder / "modelyard.toml").open("a") as settings:
        settings.write("min_rows = 40\n")
    (folder / "README.md").write_text("other words\n")
    committed(folder, "words")
    return folder


def diff(modelyard: Command, folder: Path, *words: str, exits: int = 0) -> dict[str, Any]:
    code, output, complaint = modelyard("-C", folder, "diff", *words, "--json")
    assert code == exits, complaint
    found: dict[str, Any] = json.loads(output)
    return found


def test_versions_are_compared_on_the_same_rows_and_in_what_they_are_made_of(
    modelyard: Command, history: Path
) -> None:
    found = diff(modelyard, history, "screening@2", "screening@3")
    assert [found["before"], found["after"]] == ["screening@2", "screening@3"]
    (one,) = found["models"]
    old, new = one["before"], one["after"]
    assert (old["tested"], new["tested"]) == ("patients@1", "patients@1")
    paired = {metric["name"]: metric for metric in one["paired"]["metrics"]}
    for name in ("roc_auc", "accuracy", "log_loss"):
        reported = {metric["name"]: metric["value"] for metric in new["metrics"]}
        assert paired[name]["value"] == pytest.approx(reported[name])
        assert paired[name]["difference"] == pytest.approx(paired[name]["value"] - paired[name]["champion"])
    assert paired["log_loss"]["high"] < 0, "so much regularisation must be told as worse for sure"
    assert one["parameters"] == [{"name": "C", "before": 1e-4, "after": 1.0}]
    assert [s["metric"] for s in one["series"]] == ["loss"]
    assert one["series"][0]["after"] == [[0, 1.0], [1, 0.5], [2, 1.0 / 3]]
    assert {c["name"]: (c["before"], c["after"]) for c in one["logged"]}["loss"] == (1e-4 / 3, 1.0 / 3)
    assert [(c["path"], c["change"], c["added"], c["removed"]) for c in one["code"]] == [
        ("common/shared.py", "changed", 1, 0),
        ("model.py", "changed", 1, 1),
    ]
    assert "+# a line that is new" in one["code"][0]["diff"]
    assert "libraries" not in one
    code, output, _ = modelyard("-C", history, "diff", "screening@2", "screening@3")
    assert code == 0
    for text in (
        "1 parameter and 2 files of code changed",
        "model.py: changed, +1",
        "log loss",
        "0.0001",
        "better",
    ):
        assert text.lower() in output.lower(), output


def test_what_was_never_in_a_commit_or_is_the_same_is_told_so(modelyard: Command, history: Path) -> None:
    (one,) = diff(modelyard, history, "screening@1", "screening@2")["models"]
    assert "commit" not in one["before"]
    assert {c["path"] for c in one["code"]} >= {"common/shared.py", "model.py"}
    (one,) = diff(modelyard, history, "screening@3", "screening")["models"]
    assert one["same"]
    assert "paired" not in one
    assert (
        "Both are the same package, to the bit."
        in modelyard("-C", history, "diff", "screening", "screening@latest")[1]
    )


def test_revisions_name_what_was_trained_there_or_before(modelyard: Command, history: Path) -> None:
    (one,) = diff(modelyard, history, "main", "HEAD")["models"]
    assert (one["before"]["ref"], one["after"]["ref"]) == ("screening@2", "screening@3")
    assert "note" not in one["before"]
    assert one["after"]["note"] == "trained 1 commit before HEAD"
    (other,) = diff(modelyard, history, "HEAD~1", "screening@2")["models"]
    assert (other["before"]["ref"], other["after"]["ref"]) == ("screening@3", "screening@2")
    git(history, "checkout", "-q", "main")
    git(history, "merge", "--squash", "-q", "work")
    trained = git(history, "rev-parse", "work~1")
    committed(history, "squashed: no run has this commit or comes after one that has its code")
    (one,) = diff(modelyard, history, "HEAD~1", "HEAD")["models"]
    assert (one["before"]["ref"], one["after"]["ref"]) == ("screening@2", "screening@3")
    assert one["after"]["note"] == f"the code of HEAD, trained at {trained[:12]}"
    git(history, "reset", "-q", "--hard", "HEAD~1")
    git(history, "checkout", "-q", "work")
    assert list((history / ".modelyard/scratch").iterdir()) == []
    run = one["after"]["run"]
    assert diff(modelyard, history, run[:8], "main")["models"][0]["before"]["run"] == run


def test_revisions_tell_which_settings_take_another_effect(
    modelyard: Command, history: Path, tmp_path: Path
) -> None:
    changed = {"name": "models.screening.evaluation.min_rows", "before": 30, "after": 40}
    assert diff(modelyard, history, "main", "HEAD")["settings"] == [changed]
    assert "settings" not in diff(modelyard, history, "main", "HEAD~1")
    assert "settings" not in diff(modelyard, history, "main", "screening@3")
    page, text = tmp_path / "diff.html", tmp_path / "diff.md"
    code, output, _ = modelyard("-C", history, "diff", "main", "HEAD", "--html", page, "--markdown", text)
    assert code == 0
    assert "models.screening.evaluation.min_rows 30 40" in " ".join(output.split())
    assert "| models.screening.evaluation.min_rows | 30 | **40** |" in text.read_text()
    assert '<h2 id="settings">Settings</h2>' in page.read_text()
    folder = Path(shutil.copytree(history, tmp_path / "screening"))
    settings = folder / "modelyard.toml"
    whole = settings.read_text()
    settings.write_text(whole + "no_such_setting = 1\n")
    committed(folder, "settings that nobody can read")
    settings.write_text(whole)
    found = diff(modelyard, folder, "main", "HEAD")
    assert "HEAD:modelyard.toml: unknown setting" in found["settings_unknown"]
    assert "settings" not in found


def test_environments_are_compared_model_by_model_and_the_commands_of_the_page_run(
    modelyard: Command, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "screening"
    shutil.copytree(history, folder)
    code, _, complaint = modelyard("-C", folder, "diff", "staging", "prod")
    assert (code, complaint.count("\n")) == (2, 1)
    assert "Nothing is live in staging; run 'modelyard deploy staging MODEL' first." in complaint
    project = open_project(folder)
    with project.yard.read() as facts:
        versions = facts.versions.list("screening")
    for environment, version in (("staging", versions[1]), ("prod", versions[2])):
        release = Release(
            id=version.number,
            environment=environment,
            model="screening",
            version=version.number,
            package=version.package,
            status="live",
            by="test",
            started=now(),
        )
        project.yard.once(fresh("test"), "test", lambda facts, r=release: facts.releases.put(r), type(None))
    (one,) = diff(modelyard, folder, "staging", "prod")["models"]
    assert (one["before"]["ref"], one["after"]["ref"]) == ("screening@2", "screening@3")
    (one,) = diff(modelyard, folder, "prod", "screening@1")["models"]
    assert (one["before"]["ref"], one["after"]["ref"]) == ("screening@3", "screening@1")
    examples = re.findall(r"^\$ modelyard (diff [^#\n]*)", PAGE.read_text(), flags=re.MULTILINE)
    assert len(examples) == 3
    monkeypatch.chdir(folder)
    for words in examples:
        assert modelyard(*words.split())[0] == 0
    assert (folder / "report/diff-images/screening-roc.svg").exists()


def test_markdown_has_its_pictures_beside_it_and_the_page_needs_nothing(
    modelyard: Command, history: Path, tmp_path: Path
) -> None:
    text, page = tmp_path / "a report/diff.md", tmp_path / "diff.html"
    words = ["screening@2", "screening@3", "--markdown", text, "--html", page]
    code, output, complaint = modelyard("-C", history, "diff", *words)
    assert code == 0, complaint
    assert f"wrote {page}" in output
    said = text.read_text()
    links = [line.partition("](")[2].rstrip(")") for line in said.splitlines() if line.startswith("![")]
    assert {link.partition("/")[2] for link in links} == {
        f"screening-{name}.svg" for name in ("roc", "precision_recall", "calibration", "logged1")
    }
    for link in links:
        drawn = (text.parent / link).read_text()
        assert drawn.startswith("<svg")
        assert "var(--" not in drawn
        assert "screening@2" in drawn
    assert "| C | 0.0001 | **1** |" in said
    assert "```diff\n--- model.py\n+++ model.py" in said
    assert "src=" not in page.read_text()
    modelyard("-C", history, "diff", *words[:2], "--markdown", text, "--images", "png")
    assert (text.parent / "diff-images/screening-roc.png").read_bytes().startswith(b"\x89PNG")


def test_a_gate_that_the_new_one_does_not_meet_is_a_no(
    modelyard: Command, history: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "screening"
    shutil.copytree(history, folder)
    settings = folder / "modelyard.toml"
    settings.write_text(settings.read_text() + "\n[models.screening.gates.brier]\nmax = 1e-6\n")
    assert modelyard("-C", folder, "evaluate", "screening@3")[0] == 1
    found = diff(modelyard, folder, "screening@2", "screening@3", exits=1)
    assert not found["models"][0]["after"]["passed"]
    code, output, complaint = modelyard("-C", folder, "diff", "screening@2", "screening@3")
    assert code == 1
    assert "Gates not met." in output
    assert "brier is" in complaint
    assert modelyard("-C", folder, "diff", "screening@3", "screening@2")[0] == 0


def test_other_rows_and_untested_models_are_not_compared_as_if_they_were_the_same(
    modelyard: Command, history: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "screening"
    shutil.copytree(history, folder)
    source = folder / "data/patients.csv"
    source.write_text("\n".join(source.read_text().splitlines()[:-3]) + "\n")
    assert modelyard("-C", folder, "ingest", "patients")[0] == 0
    assert modelyard("-C", folder, "train", "screening")[0] == 0
    (one,) = diff(modelyard, folder, "screening@3", "screening@run")["models"]
    assert one["unpaired"] == f"{one['after']['ref']} was not tested yet"
    assert (one["data"]["before"], one["data"]["after"]) == ("patients@1", "patients@2")
    assert one["data"]["rows"]["removed"] == 3
    assert modelyard("-C", folder, "evaluate", "screening@run")[0] == 0
    (one,) = diff(modelyard, folder, "screening@3", "screening@run")["models"]
    assert one["unpaired"] == f"screening@3 was tested on patients@1 and {one['after']['ref']} on patients@2"
    output = modelyard("-C", folder, "diff", "screening@3", "screening@run")[1]
    assert "Not compared on the same rows: screening@3 was tested on patients@1" in output
    assert "3 removed" in output


def test_what_is_gone_is_told_and_the_rest_is_compared(
    modelyard: Command, history: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "screening"
    shutil.copytree(history, folder)
    project = open_project(folder)
    with project.yard.read() as facts:
        package = facts.versions.list("screening")[1].package
    project.artifacts.delete(package)
    shutil.rmtree(folder / ".modelyard/packages", ignore_errors=True)
    (one,) = diff(modelyard, folder, "screening@2", "screening@3")["models"]
    assert f"has no artifact {package}" in one["unpaired"]
    assert f"has no artifact {package}" in one["code_unknown"]
    assert one["parameters"][0]["after"] == 1.0
    assert modelyard("-C", folder, "diff", "screening@2", "screening@3")[0] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("patients@1", "screening@2"), "'patients@1' is a dataset and 'screening@2' is not"),
        (("screening@2", "nothing"), "There is no 'nothing' to compare: it is no model, dataset or run"),
        (("screening@2", "screening@9"), "There is no screening@9; the latest version is screening@3"),
        (("--", "screening@2", "--output=/x"), "There is no '--output=/x' to compare"),
        (("patients@1", "patients@1", "--html", "x.html"), "--html and --markdown are of models"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    modelyard: Command, history: Path, words: tuple[str, ...], says: str
) -> None:
    code, _, complaint = modelyard("-C", history, "diff", *words)
    assert code == 2
    assert says in complaint
    assert complaint.count("\n") == 1
