"""Cards and data sheets through the command line: filled in, answered, put beside the package and taken along."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
HUB = """
import sys
from huggingface_hub import ModelCard
card = ModelCard.load(sys.argv[1])
results = card.data.eval_results
assert card.data.pipeline_tag == "tabular-classification", card.data.to_dict()
assert {r.metric_type: r.metric_value for r in results}["roc_auc"] > 0.9
assert {(r.dataset_name, r.dataset_split, r.task_type) for r in results} == {("patients@1", "test", "tabular-classification")}
assert card.data.license == "mit" and card.data.model_name == "screening"
"""


def answer(project: Path, text: str, name: str = "screening") -> None:
    (project / "cards").mkdir(exist_ok=True)
    (project / "cards" / f"{name}.toml").write_text(text)


def done(modelyard: Command, project: Path, *words: str | Path) -> str:
    code, output, complaint = modelyard("-C", project, *words)
    assert code == 0, complaint
    return output


def test_a_card_is_filled_in_answered_and_stands_beside_the_package(
    modelyard: Command, built: Path, tmp_path: Path
) -> None:
    first = done(modelyard, built, "versions", "show", "screening@1", "--card")
    assert "# Model Card for screening" in first
    assert "**Open question** `direct_use`" in first
    before = json.loads(done(modelyard, built, "versions", "show", "screening@1", "--json"))["package"]
    assert "began" in done(modelyard, built, "card", "screening", "--begin")
    assert modelyard("-C", built, "card", "screening", "--begin")[0] == 2
    assert json.loads(done(modelyard, built, "card", "screening", "--json"))["open"]
    answer(
        built,
        'license = "mit"\n[answers]\ndirect_use = "A *second* look."\nusers = "Radiologists."\nrisks = "Missed ones."\n',
    )
    text = done(modelyard, built, "card", "screening@1")
    assert "A *second* look." in text
    assert "`direct_use`" not in text
    assert "A *second* look." not in done(modelyard, built, "versions", "show", "screening@1", "--card")

    done(modelyard, built, "card", "screening@1", "--attest")
    after = json.loads(done(modelyard, built, "versions", "show", "screening@1", "--json"))["package"]
    assert (after["digest"], after["report"]) == (before["digest"], before["report"])
    assert after["card"] != before["card"]
    assert json.loads(done(modelyard, built, "audit", "--json"))[-1]["action"] == "package.attested"
    out = tmp_path / "out.mypkg"
    done(modelyard, built, "package", "screening@1", "--output", out)
    folder = tmp_path / "out" / "one"
    done(modelyard, built, "package", "screening@1", "--output", folder)
    card = folder.with_name("one.card.md").read_bytes()
    assert b"A *second* look." in card
    envelope = json.loads(folder.with_name("one.provenance.json").read_text())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    named = {b["name"]: b["digest"]["sha256"] for b in statement["predicate"]["runDetails"]["byproducts"]}
    assert named["card.md"] == hashlib.sha256(card).hexdigest()
    bill = json.loads(folder.with_name("one.sbom.cdx.json").read_text())
    considered = bill["metadata"]["component"]["modelCard"]["considerations"]
    assert considered["users"] == ["Radiologists."]
    assert considered["useCases"] == ["A *second* look."]
    assert considered["ethicalConsiderations"] == [{"name": "Missed ones."}]

    theirs = tmp_path / "theirs" / "screening"
    words = [sys.executable, "-m", "modelyard", "init", "screening", "--folder", str(theirs)]
    subprocess.run(words, check=True, capture_output=True)
    done(modelyard, built, "keys", "export", theirs / "anna.pub")
    with (theirs / "modelyard.toml").open("a") as file:
        file.write('\n[signing]\ntrusted = ["anna.pub"]\n')
    done(modelyard, theirs, "import", out)
    ref = f"screening@{after['digest']}"
    assert done(modelyard, theirs, "versions", "show", ref, "--card").encode() == card


def test_documents_in_each_form(modelyard: Command, built: Path, tmp_path: Path) -> None:
    for template in ("card", "annex-iv", "atrs", "dtac"):
        for ending in ("md", "html"):
            path = tmp_path / f"{template}.{ending}"
            said = done(modelyard, built, "card", "screening@1", "--template", template, "-o", path)
            assert re.search(r"open questions: \d\d", said)
            assert ("<!DOCTYPE html>" in path.read_text()) == (ending == "html")
    sheet = done(modelyard, built, "card", "patients@1")
    assert sheet.startswith("# Data sheet for patients@1")
    assert "Versions that learnt from it: `screening@1`." in sheet
    answer(built, '[answers]\ninstances = "A person."\n', "patients")
    assert "A person." in done(modelyard, built, "card", "patients", "--template", "datasheet")
    assert "<html" in done(modelyard, built, "card", "patients@1", "--as", "html")


def test_open_questions_are_a_gate(modelyard: Command, built: Path) -> None:
    code, output, complaint = modelyard("-C", built, "card", "screening", "--open", "--fail")
    assert code == 1
    assert "direct_use" in output
    assert "questions of the model card of screening@1 are open: description, " in complaint
    asked = [one["id"] for one in json.loads(done(modelyard, built, "card", "screening", "--json"))["open"]]
    answer(built, "[answers]\n" + "".join(f'{one} = "Said."\n' for one in asked))
    assert "no question is open" in done(modelyard, built, "card", "screening", "--open", "--fail")


def test_the_example_of_the_page_works(modelyard: Command, built: Path) -> None:
    page = (ROOT / "docs" / "cards.md").read_text()
    [answers] = re.findall(r"```toml\n(# cards/screening.toml\n.*?)```", page, re.S)
    [template] = re.findall(r"````markdown\n(.*?)````", page, re.S)
    answer(built, answers)
    (built / "board.md").write_text(template)
    text = done(modelyard, built, "card", "screening@1", "--template", built / "board.md")
    assert "Board of 3 May" in text
    assert "Open question" not in text
    assert "| ROC AUC |" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["card", "screening", "--template", "crad"], "did you mean 'card'?"),
        (["card", "patients", "--template", "card"], "known: datasheet"),
        (["card", "patients", "--attest"], "only a model's package has a card"),
        (["card", "screening", "--attest", "--template", "dtac"], "--attest is of the model card"),
        (["card", "nobody"], "nobody"),
        (["card", "screening@9"], "There is no screening@9"),
        (["card", "screening", "--template", "gone.md"], "gone.md cannot be read"),
        (["card", "nobody", "--begin"], "There is no model 'nobody'"),
    ],
)
def test_what_is_asked_wrongly_is_told(modelyard: Command, built: Path, words: list[str], says: str) -> None:
    code, _, complaint = modelyard("-C", built, *words)
    assert code == 2
    assert says in complaint


@pytest.mark.peer
def test_hugging_faces_reader_takes_the_card(
    modelyard: Command, built: Path, tmp_path: Path, peer: Callable[[str], Path]
) -> None:
    answer(built, 'license = "mit"\nlanguage = ["en"]\n')
    path = tmp_path / "README.md"
    done(modelyard, built, "card", "screening@1", "-o", path)
    command: list[Any] = [peer("attestations"), "-c", HUB, path]
    read = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert read.returncode == 0, read.stderr
    path.write_text(
        path.read_text().replace("- name: screening", "- nom: screening")
    )  # it is no rubber stamp
    assert subprocess.run(command, capture_output=True, timeout=200).returncode != 0
