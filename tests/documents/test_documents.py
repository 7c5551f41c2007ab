"""Templates filled in: what is known stands there, what is not is asked, and a template is nobody's way in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from modelyard.documents import DATA, FORMS, MODEL, DataFacts, ModelFacts, fill, form
from modelyard.errors import Misuse, SettingsError
from modelyard.records.datareport import ColumnReport, DataReport
from modelyard.records.fairness import Fairness, Group, GroupGap, Rate
from modelyard.records.gate import GateOutcome
from modelyard.records.metric import Metric
from modelyard.records.package import Layout, Manifest, PackagedFile, Proof
from modelyard.records.report import Report
from modelyard.records.schema import Column, Schema
from modelyard.records.slices import Search, Slice, WeakSlice
from modelyard.records.stability import Shake, Stability
from modelyard.render.documents import page
from modelyard.settings.cards import Answers
from modelyard.testing import samples

HOSTILE = "a|b`c`*d*<script>e</script>\n# f @g {{ 7 * 7 }}"


def model(**fields: Any) -> ModelFacts:
    """Everything that a template looks at is there, with hostile names wherever people or files give them."""
    schema = Schema(
        columns=(
            Column(name=HOSTILE, kind="float", declared=("range",), unit="mm"),
            Column(name="age", kind="float", personal=True),
            Column(name="ill", kind="string"),
        ),
        target="ill",
    )
    metric = Metric(name="roc_auc", value=0.9, low=0.8, high=0.95)
    rate = Rate(hits=5, rows=10, low=0.2, high=0.8)
    two = tuple(
        Group(label=label, rows=10, judged=True, selection=rate, tpr=rate, fpr=rate, ppv=rate)
        for label in "fm"
    )
    gap = GroupGap(rate="tpr", least="f", most="m", gap=0.1, low=0.0, high=0.2)
    report = Report(
        model="screening",
        package=samples.digest("package r1"),
        dataset="patients@1",
        dataset_digest=samples.digest("patients 1"),
        task="binary",
        classes=("no", HOSTILE),
        rows=100,
        metrics=(metric,),
        gates=(GateOutcome(metric="roc_auc", rule="min", passed=True, sentence="roc_auc is 0.9."),),
        slices=(Slice(column="sex", label=HOSTILE, rows=40, metrics=(metric,)), Slice(column="sex", label="m", rows=4)),
        search=Search(loss="brier", rows=100, columns=2, found=(
            WeakSlice(where=(), rows=30, loss=0.3, loss_elsewhere=0.1, p=0.01),)),
        fairness=(Fairness(column="sex", groups=two, gaps=(gap,)),),
        stability=Stability(loss="brier", base=0.1, rows=100, shakes=(
            Shake(kind="missing", level=0.1, columns=1, loss=0.2, growth=0.1, low=0.0, high=0.2, moved=0.1),)),
        passed=True,
        created=samples.NOON,
    )  # fmt: skip
    made = ModelFacts(
        project="screening",
        ref="screening@1",
        package=samples.digest("package r1"),
        manifest=Manifest(
            model="screening",
            task="binary",
            classes=("no", HOSTILE),
            form="onnx",
            frame="pandas",
            schema=schema,
            layout=Layout(numbers=("age",), texts=()),
            requirements=("numpy==2.4.1", "scikit-learn==1.8.0"),
            python="3.11.7",
            files=(PackagedFile(path="schema.json", size=9, sha256="0" * 64),),
        ),
        proof=Proof(proven=True, tolerance=1e-5),
        run=samples.run(),
        report=report,
        data=samples.dataset(schema=schema),
        settings=None,
        version=samples.version(),
        releases=(replace(samples.release(), status="live", finished=samples.NOON),),
        reviews=(replace(samples.review(), reason=HOSTILE),),
        keys=("ab" * 32,),
    )
    return replace(made, **fields)


def data(**fields: Any) -> DataFacts:
    version = samples.dataset(2, schema=model().manifest.schema)
    made = DataFacts(
        project="screening",
        ref=version.ref,
        version=version,
        report=DataReport(
            dataset=version.ref,
            digest=version.digest,
            created=version.created,
            rows=version.rows,
            test_rows=version.test_rows,
            target="ill",
            key=(),
            split=version.split,
            sources=(),
            columns=tuple(
                ColumnReport(name=c.name, kind=c.kind, role="feature", rows=100, missing=1, distinct=9)
                for c in version.schema.columns
            ),
        ),
        models=("screening@1",),
        earlier=(samples.dataset(1),),
    )
    return replace(made, **fields)


@pytest.mark.parametrize("name", FORMS)
def test_each_document_is_filled_in_and_asks_what_nobody_knows(name: str) -> None:
    made = FORMS[name]
    facts = model() if made.about == "model" else data()
    found = fill(facts, made)
    known = MODEL if made.about == "model" else DATA
    assert {one.id for one in found.open} <= known.keys()
    assert len(found.open) > 10
    for one in found.open:
        assert f"**Open question** `{one.id}`: " in found.text
    assert "{{" not in found.body.replace("{{ 7", "")
    assert "49" not in re.sub(r"[0-9a-f]{64}", "", found.body)
    html = page(found.body, title=found.title, ref=found.ref, note="")
    assert "<script" not in html
    answered = Answers(answers={one.id: f"Said of {one.id}." for one in found.open})
    again = fill(replace(facts, answers=answered), made)
    assert again.open == ()
    assert set(again.answered) == {one.id for one in found.open}
    assert "Open question" not in again.text
    assert all(f"Said of {one.id}." in again.text for one in found.open)


def test_every_question_is_asked_by_some_document() -> None:
    asked: dict[str, set[str]] = {"model": set(), "data": set()}
    for made in FORMS.values():
        found = fill(model() if made.about == "model" else data(), made)
        asked[made.about] |= {one.id for one in found.open}
    assert asked["data"] == set(DATA)
    assert asked["model"] >= set(MODEL) - {"users", "ethics"}  # these two stand in the bill of materials


def test_tables_stay_tables_whatever_the_names_are() -> None:
    body = fill(model(), FORMS["card"]).body
    html = page(body, title="", ref="", note="")
    tables = re.findall(r"<table>.*?</table>", html, re.S)
    assert len(tables) == len(re.findall(r"^\|[-:|]+\|$", body, re.M)) > 5
    for table in tables:
        widths = {
            row.count("<td") + row.count("<th>") + row.count("<th ")
            for row in re.findall(r"<tr>.*?</tr>", table, re.S)
        }
        assert len(widths) == 1, table


def test_the_head_is_hugging_faces() -> None:
    text = fill(model(answers=Answers(license="mit", language=("en",), tags=("health",))), FORMS["card"]).text
    _, head, body = text.split("---\n", 2)
    found = yaml.safe_load(head)
    assert (found["license"], found["language"]) == ("mit", ["en"])
    assert "health" in found["tags"]
    [result] = found["model-index"][0]["results"]
    assert result["task"]["type"] == found["pipeline_tag"] == "tabular-classification"
    assert result["dataset"]["name"] == "patients@1"
    assert [(m["type"], m["value"]) for m in result["metrics"]] == [("roc_auc", 0.9)]
    headings = re.findall(r"^## (.*)$", body, re.M)
    assert headings == [
        "Model Details",
        "Uses",
        "Bias, Risks, and Limitations",
        "How to Get Started with the Model",
        "Training Details",
        "Evaluation",
        "Environmental Impact",
        "Technical Specifications",
        "Citation",
        "Glossary",
        "Model Card Authors",
        "Model Card Contact",
    ]


def test_annex_iv_has_its_nine_headings() -> None:
    body = fill(model(), FORMS["annex-iv"]).body
    assert re.findall(r"^## (\d)\. ", body, re.M) == list("123456789")


def test_an_unknown_document_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Misuse, match=r"'anex-iv' about a model \(did you mean 'annex-iv'\?\)"):
        form("anex-iv", "model")
    with pytest.raises(Misuse, match="known: datasheet"):
        form("card", "data")


def test_a_projects_own_template_has_records_and_questions_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "board.md"
    path.write_text(
        "# {{ title }} of {{ ref }}\n\nSeed {{ run.seed }}, {{ report.metric('roc_auc').value | number }}.\n\n"
        "{% include 'metrics.md' %}\n\n{{ ask('board') }}\n\n{{ ask('purpose') }}\n"
    )
    answers = Answers(questions={"board": "Which board?"}, answers={"purpose": "*Screening* of {{ 7 * 7 }}"})
    found = fill(model(answers=answers), path)
    assert found.text.startswith("# board of screening@1\n\nSeed 7, 0.9000.\n\n| Metric |")
    assert [one.id for one in found.open] == ["board"]
    assert "*Screening* of {{ 7 * 7 }}" in found.text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("one\n{{ nothing }}", "line 2: 'nothing' is undefined"),
        ("{% if %}", "line 1: Expected an expression"),
        ("\n\n{{ ask('bord') }}", "line 3: there is no question 'bord'"),
        ("{{ run.__class__.__mro__ }}", "access to attribute '__class__' of 'Run' object is unsafe"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ ask.__globals__ }}", "unsafe"),
        ("{{ ask.__func__ }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "/etc/passwd"),
        ("{% include '../report.html' %}", "../report.html"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "Range too big"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ run.params.clear() }}", "unsafe"),
        ("{{ report.metric('none') }}", "none"),
    ],
)
def test_a_template_that_is_wrong_is_told_by_file_and_line(tmp_path: Path, source: str, says: str) -> None:
    path = tmp_path / "own.md"
    path.write_text(source)
    with pytest.raises(SettingsError) as error:
        fill(model(), path)
    assert says in str(error.value)
    assert str(path) in str(error.value)


def test_a_template_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        fill(model(), tmp_path / "gone.md")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        fill(model(), tmp_path / "binary.md")


def test_what_is_not_on_record_is_said_so() -> None:
    bare = model(data=None, version=None, releases=(), reviews=(), keys=())
    bare = replace(
        bare, report=replace(bare.report, slices=(), fairness=(), search=None, stability=None, gates=())
    )
    for made in FORMS.values():
        if made.about == "model":
            text = fill(bare, made).text
            assert "What it learnt from is not on record here." in text
            assert "None" not in re.sub(r"`[^`]*`", "", text)
    assert "No gate was set." in fill(bare, FORMS["card"]).text


def test_a_document_is_the_same_each_time() -> None:
    assert fill(model(), FORMS["card"]) == fill(model(), FORMS["card"])
    assert msgspec.json.encode(fill(data(), FORMS["datasheet"]))
