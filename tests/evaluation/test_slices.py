"""A report by slices, beside a champion too, and the gates that read it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import numpy as np
import pytest

from modelyard import metrics
from modelyard.evaluation import Sliced, Wanted, evaluate, publish
from modelyard.predictor import Answers, Predictor
from modelyard.records.gate import Gate
from modelyard.records.package import Manifest
from modelyard.records.report import Report
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch, layout

SCHEMA = Schema(
    columns=(
        Column(name="x", kind="float"),
        Column(name="ward", kind="string"),
        Column(name="ill", kind="boolean"),
    ),
    target="ill",
)
CLASSES = (False, True)


def model(weight: float = 3.0, blind: str = "") -> Predictor:
    """Answers by ``x``; in the ward ``blind`` by nothing."""

    def predict(batch: Batch) -> Answers:
        seen = np.where(batch.texts[:, 0] == blind, 0.0, batch.numbers[:, 0])
        p = 1 / (1 + np.exp(-weight * seen))
        return Answers(p > 0.5, np.column_stack([1 - p, p]))

    manifest = Manifest(
        model="m",
        task="binary",
        classes=CLASSES,
        form="native",
        frame="pandas",
        schema=SCHEMA,
        layout=layout(SCHEMA),
        requirements=(),
        python="3.11",
        files=(),
    )
    return Predictor(manifest, predict)


def rows(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 1))
    wards = np.array(["a", "b", "c", None], dtype=object)[rng.choice(4, n, p=[0.5, 0.3, 0.17, 0.03])]
    truth = rng.random(n) < 1 / (1 + np.exp(-3 * x[:, 0]))
    return Batch(x, wards.reshape(-1, 1)), truth


def run(features, truth, *, of=None, gates=(), live=None, **options) -> Report:
    ward = Sliced(SCHEMA.column("ward"), features.texts[:, 0])
    return evaluate(
        of or model(),
        features,
        truth,
        model="m",
        package="9f" * 32,
        dataset="d@1",
        dataset_digest="77" * 32,
        gates=gates,
        live=live or {},
        wanted=Wanted(**{"slices": (ward,), **options}),
        now=dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
    )


def test_each_category_has_the_metrics_of_its_rows(tmp_path: Path):
    features, truth = rows(600)
    report = run(features, truth, search=True)
    assert [s.label for s in report.slices] == ["a", "b", "c", "missing"]
    assert sum(s.rows for s in report.slices) == 600
    at = features.texts[:, 0] == "b"
    answers = model().predict(features.take(at))
    expected = metrics.score("binary", truth[at], answers.prediction, answers.probability, CLASSES)
    assert {m.name: m.value for m in report.slices[1].metrics} == pytest.approx(expected)
    assert report.slices[3].metrics == ()  # 30 rows are not there
    assert report.search is not None
    assert report.search.columns == 2
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    _, text, page = publish(report, tmp_path)
    for shown in (text.read_text(), page.read_text()):
        assert "too few rows" in shown


def test_a_gate_names_the_slices_that_fail_it():
    features, truth = rows(600)
    gate = Gate(metric="roc_auc", min=0.6, slices=("ward",))
    assert run(features, truth, gates=[gate]).passed
    report = run(features, truth, of=model(blind="c"), gates=[gate])
    assert [(o.by, o.passed) for o in report.gates] == [("", True), ("ward", False)]
    assert "below 0.6 in 1 of 3 slices: c with 0.5" in report.gates[1].sentence
    assert "1 of 4 had too few rows" in report.gates[1].sentence
    upper = run(features, truth, gates=[Gate(metric="brier", max=0.01, slices=("ward",))])
    assert "above 0.01 in 3 of 3 slices" in upper.gates[1].sentence


def test_a_gate_that_no_slice_can_be_held_to_is_not_met():
    features, truth = rows(600)
    report = run(features, truth, gates=[Gate(metric="roc_auc", min=0.1, slices=("ward",))], min_rows=500)
    assert not report.passed
    assert "no slice has rows enough" in report.gates[1].sentence


@pytest.mark.parametrize("test", ["point", "non_inferiority", "inferiority"])
def test_a_challenger_that_is_worse_in_one_ward_is_refused_there(test):
    features, truth = rows(900)
    gate = Gate(metric="roc_auc", no_worse_than="prod", tolerance=0.12, test=test, slices=("ward",))
    report = run(features, truth, of=model(blind="c"), gates=[gate], live={"prod": model()})
    whole, by_ward = report.gates
    assert whole.passed
    assert not by_ward.passed
    assert "in 1 of 3 slices: c with 0.5 beside 0.9" in by_ward.sentence
    (found,) = report.comparisons
    assert [s.label for s in found.slices] == ["a", "b", "c", "missing"]
    assert found.slices[0].metric("roc_auc").difference == 0.0
    assert found.slices[3].metrics == ()
    again = run(features, truth, of=model(2.0), gates=[gate], live={"prod": model()})
    assert again.passed  # the same ranking: nowhere worse


def test_holms_correction_is_over_all_slices_of_a_gate():
    features, truth = rows(900)
    gate = Gate(metric="roc_auc", no_worse_than="prod", test="inferiority", slices=("ward",))
    report = run(features, truth, of=model(blind="c"), gates=[gate], live={"prod": model()})
    paired = {s.label: s.metric("roc_auc") for s in report.comparisons[0].slices if s.metrics}
    raw = [metrics.p_worse("roc_auc", m.difference, m.error, 0.0) for m in paired.values()]
    assert min(raw) * 3 == pytest.approx(min(metrics.holm(raw)))
    assert not report.gates[1].passed


def test_many_rows_are_sampled_and_said_so(tmp_path: Path):
    features, truth = rows(900)
    report = run(features, truth, search=True, most_rows=500)
    assert report.rows == 900
    assert report.sampled == 500
    assert sum(s.rows for s in report.slices) == 500
    assert report == run(features, truth, search=True, most_rows=500)
    _, text, page = publish(report, tmp_path)
    for shown in (text.read_text(), page.read_text()):
        assert "500 of the test rows, drawn at random" in shown


def test_a_personal_feature_is_not_searched():
    features, truth = rows(600)
    secret = Schema(
        columns=(SCHEMA.columns[0], Column(name="ward", kind="string", personal=True), SCHEMA.columns[2]),
        target="ill",
    )
    hidden = Predictor(msgspec.structs.replace(model().manifest, schema=secret), model().predict)
    assert run(features, truth, of=hidden, search=True, slices=()).search.columns == 1
