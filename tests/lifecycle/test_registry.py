"""What people say of versions, at the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Command = Callable[..., tuple[int, str, str]]


def test_versions_are_noted_tagged_named_found_and_deprecated(modelyard: Command, built: Path) -> None:
    def run(*words: str, code: int = 0) -> str:
        found, output, complaint = modelyard("-C", built, *words)
        assert found == code, complaint + output
        return output + complaint

    def listed(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run("versions", *words, "--json"))
        return found

    assert "team=risk" in run("versions", "tag", "screening@1", "season=winter", "team=risk")
    assert "season" not in run("versions", "tag", "screening@1", "season=")
    assert "without March" in run("versions", "note", "screening@1", "without March")
    assert "screening@champion is screening@1" in run("versions", "alias", "screening@1", "champion")
    shown = run("versions", "show", "screening@champion")
    for said in ("team=risk", "without March", "screening@champion", "roc_auc="):
        assert said in shown
    (found,) = listed("--where", "metrics.roc_auc > 0.9 and tags.team = 'risk' and aliases.champion")
    assert (found["aliases"], found["tags"], found["deprecated"]) == (["champion"], {"team": "risk"}, None)
    assert listed("screening", "--where", "deprecated") == []
    assert "did you mean 'metrics.roc_auc'" in run("versions", "--where", "metrics.roc_acu > 1", code=2)

    words = ("promote", "screening", "--to", "staging", "--reason", "the board said so", "--where")
    assert "is admitted to staging" in run(*words, "tags.team = 'risk'")
    told = run("audit", "--limit", "1")
    assert "where=tags.team = 'risk'" in told
    assert "reason=the board said so" in told
    assert "names a version already" in run(
        "promote", "screening@1", "--to", "staging", "--where", "deprecated", code=2
    )

    assert "is deprecated: old rows" in run("deprecate", "screening@1", "--reason", "old rows")
    assert "deprecated" in run("versions")
    assert "old rows" in run("versions", "show", "screening@1")
    assert "was deprecated by" in run("deploy", "test", "screening@1", code=1)
    assert "was deprecated by" in run("promote", "screening@1", "--to", "prod", code=1)
    assert "to staging and not deprecated" in run(
        "promote", "screening", "--to", "prod", "--where", "version = 1", code=2
    )
    assert "may be used" in run("deprecate", "screening@1", "--undo")
    assert "asks for the review 'sme'" in run("promote", "screening@1", "--to", "prod", code=1)
    for wrong in (["screening@1"], ["screening@1", "--undo", "--reason", "x"]):
        run("deprecate", *wrong, code=2)
    assert "every link holds" in run("audit", "verify")
    assert "Nothing is wrong" in run("doctor")


def test_an_environment_that_takes_an_aliass_name_is_told(modelyard: Command, built: Path) -> None:
    assert modelyard("-C", built, "versions", "alias", "screening@1", "canary")[0] == 0
    settings = built / "modelyard.toml"
    settings.write_text(settings.read_text() + "\n[environments.canary]\nport = 8199\n")
    code, output, _ = modelyard("-C", built, "doctor")
    assert (code, "screening@canary: The alias 'canary' of screening@1 is not reached" in output) == (1, True)
    assert modelyard("-C", built, "versions", "alias", "screening", "canary", "--remove")[0] == 0
    assert modelyard("-C", built, "doctor")[0] == 0


def test_only_whom_people_names_reviews(modelyard: Command, built: Path) -> None:
    settings = built / "modelyard.toml"
    before = settings.read_text()
    words = ("-C", built, "review", "screening@1", "--for", "ethics", "--yes", "--reason", "seen", "--by")
    settings.write_text(before + '\n[people]\neva = { reviews = ["ethics"] }\n')
    code, _, complaint = modelyard(*words, "bob")
    assert (code, "gives it to eva" in complaint) == (1, True)
    assert modelyard(*words, "Eva")[0] == 0
    settings.write_text(before + '\n[people]\neva = { reviews = ["ethcis"] }\n')
    code, _, complaint = modelyard(*words, "Eva")
    assert (code, "asked for: ethics, sme" in complaint) == (2, True)


def test_times_past(modelyard: Command, built: Path) -> None:
    for command in ("status", "releases"):
        assert "Nothing was live at 2020-01-01" in modelyard("-C", built, command, "--at", "2020-01-01")[1]
        assert modelyard("-C", built, command, "--at", "2020-01-01T00:00+02:00", "--json")[1].strip() == "[]"
        assert modelyard("-C", built, command, "--at", "then")[0] == 2
