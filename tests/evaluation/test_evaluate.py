"""From a predictor and the test split to a report."""

from __future__ import annotations

import datetime as dt
from statistics import NormalDist

import msgspec
import numpy as np
import pytest

from modelyard.errors import AuthorError, DataRefused, SettingsError
from modelyard.evaluation import Wanted, evaluate, publish
from modelyard.predictor import Answers, Predictor
from modelyard.records.gate import Gate
from modelyard.records.package import Manifest
from modelyard.records.report import Report
from modelyard.records.schema import Column, Schema
from modelyard.render.wording import number
from modelyard.tables.batch import Batch, layout

NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
SCHEMA = Schema(
    columns=(
        Column(name="age", kind="float"),
        Column(name="size", kind="float"),
        Column(name="ward", kind="string"),
        Column(name="diagnosis", kind="string"),
    ),
    target="diagnosis",
)
CLASSES = ("benign", "malignant")


def predictor(predict, *, schema=SCHEMA, task="binary", classes=CLASSES) -> Predictor:
    manifest = Manifest(
        model="screening",
        task=task,
        classes=classes,
        form="onnx",
        frame="pandas",
        schema=schema,
        layout=layout(schema),
        requirements=(),
        python="3.11",
        files=(),
    )
    return Predictor(manifest, predict)


def rows(n: int = 120, seed: int = 0):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n, 2))
    truth = np.where(numbers[:, 0] + rng.normal(0, 0.4, n) > 0, "malignant", "benign").astype(object)
    return Batch(numbers, np.full((n, 1), "a", dtype=object)), truth


def by_column(at: int, *, sign: float = 1.0, classes=CLASSES):
    """A model that looks at one number alone."""

    def predict(batch: Batch) -> Answers:
        positive = 1 / (1 + np.exp(-3 * sign * batch.numbers[:, at]))
        labels = np.array(classes, dtype=object)[(positive > 0.5).astype(int)]
        return Answers(labels, np.column_stack([1 - positive, positive]))

    return predict


def run(model: Predictor, features: Batch, truth, gates=(), live=None, **options) -> Report:
    return evaluate(
        model,
        features,
        truth,
        model="screening",
        package="9f" * 32,
        dataset="patients@3",
        dataset_digest="77" * 32,
        gates=gates,
        live=live or {},
        now=NOW,
        **options,
    )


def test_a_report_of_two_classes_holds_everything():
    features, truth = rows()
    report = run(predictor(by_column(0)), features, truth, gates=[Gate(metric="roc_auc", min=0.8)])
    assert report.passed
    assert report.rows == 120
    assert report.classes == CLASSES
    assert report.created == NOW
    assert [c.name for c in report.curves] == ["roc", "precision_recall", "calibration"]
    assert sum(map(sum, report.confusion)) == 120
    assert sum(report.confusion[1]) == int((truth == "malignant").sum())
    for metric in report.metrics:
        assert metric.low <= metric.value <= metric.high
    assert not report.metric("log_loss").higher_is_better
    assert report == run(predictor(by_column(0)), features, truth, gates=[Gate(metric="roc_auc", min=0.8)])
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_a_failing_gate_is_in_the_report_and_does_not_raise():
    features, truth = rows()
    report = run(predictor(by_column(1)), features, truth, gates=[Gate(metric="roc_auc", min=0.95)])
    assert not report.passed
    assert number(report.metric("roc_auc").value)[:5] in report.gates[0].sentence


def test_the_live_version_is_scored_again_on_the_same_rows():
    features, truth = rows()
    gate = Gate(metric="roc_auc", no_worse_than="prod")
    better, worse = predictor(by_column(0)), predictor(by_column(1))
    assert run(better, features, truth, [gate], {"prod": worse}).passed
    refused = run(worse, features, truth, [gate], {"prod": better})
    assert not refused.passed
    theirs = run(better, features, truth).metric("roc_auc").value
    assert f"{theirs:.4g}" in refused.gates[0].sentence
    assert run(worse, features, truth, [gate], {}).passed
    assert run(worse, features, truth, [gate], {"test": better}).passed


def test_a_live_version_of_other_column_order_is_given_its_own():
    features, truth = rows()
    columns = (SCHEMA.columns[1], SCHEMA.columns[0], SCHEMA.columns[3])
    older = predictor(by_column(1), schema=Schema(columns=columns, target="diagnosis"))
    gate = Gate(metric="roc_auc", no_worse_than="prod")
    report = run(predictor(by_column(0)), features, truth, [gate], {"prod": older})
    assert report.passed
    assert "no worse than" in report.gates[0].sentence


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((*SCHEMA.columns, Column(name="pulse", kind="float")), "needs the column 'pulse'"),
        (
            (Column(name="age", kind="string"), *SCHEMA.columns[1:]),
            "needs the column 'age' as string, and in these rows it is float",
        ),
        (
            (Column(name="age", kind="date"), *SCHEMA.columns[1:]),
            "needs the column 'age' as date, and in these rows it is float",
        ),
    ],
)
def test_a_live_version_that_does_not_fit_fails_the_gate_with_the_reason(columns, said):
    features, truth = rows()
    older = predictor(by_column(0), schema=Schema(columns=columns, target="diagnosis"))
    gate = Gate(metric="roc_auc", no_worse_than="prod")
    report = run(predictor(by_column(0)), features, truth, [gate], {"prod": older})
    assert not report.passed
    assert said in report.gates[0].sentence


def test_a_live_version_of_other_classes_or_that_fails_does_not_stop_the_report():
    features, truth = rows()
    gate = Gate(metric="accuracy", no_worse_than="prod")

    def broken(_: Batch) -> Answers:
        raise AuthorError("predict raised ZeroDivisionError.")

    for older, said in (
        (predictor(by_column(0), classes=("a", "b")), "its classes are a, b"),
        (predictor(broken), "ZeroDivisionError"),
        (predictor(lambda _: Answers(np.zeros(3))), "shape"),
    ):
        report = run(predictor(by_column(0)), features, truth, [gate], {"prod": older})
        assert not report.passed
        assert said in report.gates[0].sentence


def test_a_live_version_with_its_classes_the_other_way_round_is_compared_rightly():
    features, truth = rows()
    swapped = CLASSES[::-1]
    older = predictor(by_column(0, sign=-1.0, classes=swapped), classes=swapped)
    gate = Gate(metric="log_loss", no_worse_than="prod")
    report = run(predictor(by_column(0)), features, truth, [gate], {"prod": older})
    assert report.passed


def test_a_champion_is_held_against_the_challenger_metric_by_metric():
    features, truth = rows(400)
    better, worse = predictor(by_column(0)), predictor(by_column(1))
    report = run(worse, features, truth, live={"prod": better}, champions={"prod": "screening@4"})
    assert report.passed
    (found,) = report.comparisons
    assert (found.environment, found.champion) == ("prod", "screening@4")
    ours = {m.name: m.value for m in report.metrics}
    theirs = {m.name: m.value for m in run(better, features, truth).metrics}
    assert {m.name: m.value for m in found.metrics} == ours
    assert {m.name: m.champion for m in found.metrics} == pytest.approx(theirs)
    area = found.metric("roc_auc")
    assert area.method == "delong"
    assert area.low < area.difference < area.high < 0
    assert found.metric("log_loss").low > 0
    decisions = found.decisions
    assert decisions.both + decisions.only_challenger + decisions.only_champion + decisions.neither == 400
    assert decisions.only_champion > decisions.only_challenger
    assert decisions.p_mid < 0.001
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_a_report_without_a_champion_has_no_comparison_in_its_record():
    features, truth = rows()
    assert run(predictor(by_column(0)), features, truth).comparisons == ()


def test_a_regressions_champion_has_no_decisions():
    features, _ = rows()
    truth = features.numbers.sum(axis=1)
    one, other = (
        predictor(lambda b, at=at: Answers(b.numbers[:, at]), task="regression", classes=()) for at in (0, 1)
    )
    (found,) = run(one, features, truth, live={"prod": other}).comparisons
    assert found.decisions is None
    assert {m.name for m in found.metrics} == {"r2", "rmse", "mae", "median_absolute_error", "mape"}


def labels(n):
    return np.array(["benign"] * n, dtype=object)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (lambda n: Answers(labels(n - 1), None), "shape"),
        (lambda n: Answers(labels(n).reshape(-1, 1), None), "one answer for each row"),
        (lambda n: Answers(labels(n), np.full((n, 3), 1 / 3)), "one column for each class"),
        (lambda n: Answers(labels(n), np.full((n, 2), np.nan)), "not a number at test row 0"),
        (lambda n: Answers(labels(n), np.full((n, 2), 3.0)), "leave 0 to 1"),
        (lambda n: Answers(np.array(["Benign"] * n, dtype=object), None), "'Benign'"),
    ],
)
def test_answers_that_are_no_answers_are_the_authors(answers, said):
    features, truth = rows()
    with pytest.raises(AuthorError, match=said):
        run(predictor(lambda batch: answers(len(batch))), features, truth)


def test_numbers_that_are_not_finite_are_the_authors():
    features, truth = rows()
    model = predictor(lambda b: Answers(np.full(len(b), np.inf)), task="regression", classes=())
    with pytest.raises(AuthorError, match="120 such in all"):
        run(model, features, np.zeros(len(truth)))


def test_words_are_no_answer_to_a_regression():
    features, truth = rows()
    model = predictor(lambda b: Answers(labels(len(b))), task="regression", classes=())
    with pytest.raises(AuthorError, match="are not numbers"):
        run(model, features, np.zeros(len(truth)))


def test_errors_too_large_to_square_leave_their_metrics_out():
    features, _ = rows()
    truth = np.linspace(0.5, 1.0, 120)
    model = predictor(lambda b: Answers(np.full(len(b), 1e200)), task="regression", classes=())
    report = run(model, features, truth, [Gate(metric="rmse", max=1.0)])
    assert {m.name for m in report.metrics} == {"mae", "median_absolute_error", "mape"}
    assert not report.passed


def test_rows_that_cannot_be_scored_are_refused():
    features, truth = rows()
    model = predictor(by_column(0))
    with pytest.raises(DataRefused, match="'unclear'"):
        run(model, features, np.where(np.arange(120) == 5, "unclear", truth).astype(object))
    missing = truth.copy()
    missing[3] = None
    with pytest.raises(DataRefused, match="missing or infinite in 1 of 120"):
        run(model, features, missing)
    with pytest.raises(DataRefused, match="no test rows"):
        run(model, features.take([]), truth[:0])
    with pytest.raises(DataRefused, match="120 test rows but 119"):
        run(model, features, truth[1:])


def test_a_gate_of_another_task_is_a_misuse():
    features, truth = rows()
    with pytest.raises(SettingsError, match="no metric 'rmse' for a binary model"):
        run(predictor(by_column(0)), features, truth, [Gate(metric="rmse", max=1.0)])


def test_one_class_alone_leaves_its_area_out_and_fails_its_gate():
    features, truth = rows()
    report = run(predictor(by_column(0)), features, labels(len(truth)), [Gate(metric="roc_auc", min=0.1)])
    assert "roc_auc" not in {m.name for m in report.metrics}
    assert [c.name for c in report.curves] == ["calibration"]
    assert not report.passed
    assert "undefined" in report.gates[0].sentence


def test_a_model_without_probabilities_is_scored_by_its_labels():
    features, truth = rows()
    model = predictor(lambda b: Answers(by_column(0)(b).prediction, None))
    report = run(model, features, truth, [Gate(metric="accuracy", min=0.5)])
    assert report.passed
    assert report.curves == ()
    assert report.metric("accuracy").value > 0.8


def test_several_classes(tmp_path):
    features, _ = rows()
    truth = np.arange(120) % 3
    probability = np.eye(3)[truth] * 0.7 + 0.1
    model = predictor(lambda _: Answers(truth.copy(), probability), task="multiclass", classes=(0, 1, 2))
    report = run(model, features, truth)
    assert report.confusion == ((40, 0, 0), (0, 40, 0), (0, 0, 40))
    assert report.metric("roc_auc_ovr").value == 1.0
    publish(report, tmp_path)


def test_numbers(tmp_path):
    features, _ = rows(3000)
    truth = features.numbers.sum(axis=1)
    model = predictor(lambda b: Answers(b.numbers[:, 0] + 0.1), task="regression", classes=())
    report = run(model, features, truth, [Gate(metric="rmse", max=2.0)])
    assert report.passed
    curve, qq = report.curves
    assert len(curve.x) == 1000
    assert qq.name == "qq"
    assert 300 < len(qq.x) < 700  # thinned, the tails kept
    assert qq.x == tuple(sorted(qq.x))
    assert qq.y == tuple(sorted(qq.y))
    assert (
        max(abs(x - y) for x, y in zip(qq.x[200:-200], qq.y[200:-200], strict=True)) < 0.15
    )  # normal residuals
    shown = {round(x, 6) for x in curve.x}
    assert shown <= {round(float(x) + 0.1, 6) for x in features.numbers[:, 0]}
    publish(report, tmp_path)


def quantiled(predict, levels):
    model = predictor(predict, task="regression", classes=())
    return Predictor(msgspec.structs.replace(model.manifest, quantiles=levels), predict)


def spread(levels, width: float = 1.0):
    """Right quantiles of the second number about the first, where ``width`` is 1."""
    ends = np.array([NormalDist(0, width).inv_cdf(level) for level in levels])

    def predict(batch: Batch) -> Answers:
        values = batch.numbers[:, :1] + ends
        return Answers(values[:, len(levels) // 2], None, values)

    return predict


def test_quantiles_are_held_against_the_champion_of_the_same_levels_and_its_prediction_else(tmp_path):
    features, _ = rows(2000)
    truth, levels = features.numbers.sum(axis=1), (0.1, 0.5, 0.9)
    gates = [
        Gate(metric="coverage", min=0.77, max=0.83),
        Gate(metric="pinball", no_worse_than="prod", test="non_inferiority"),
        Gate(metric="rmse", no_worse_than="test"),
    ]
    live = {
        "prod": quantiled(spread(levels, 3.0), levels),
        "test": quantiled(spread((0.4, 0.5), 3.0), (0.4, 0.5)),
    }
    report = run(quantiled(spread(levels), levels), features, truth, gates, live)
    assert report.passed
    assert report.metric("coverage").aim == pytest.approx(0.8)
    assert report.metric("crossing").value == 0
    same, other = report.comparisons
    assert same.metric("pinball").difference < 0
    assert same.metric("coverage") is None
    assert other.metric("pinball") is None
    assert other.metric("rmse") is not None
    publish(report, tmp_path)
    assert "near 0.8" in (tmp_path / "report.md").read_text()
    with pytest.raises(SettingsError, match="better neither above nor below"):
        run(
            quantiled(spread(levels), levels),
            features,
            truth,
            [Gate(metric="coverage", no_worse_than="prod")],
        )


def test_where_errors_lean_is_told_and_not_of_columns_about_a_person(tmp_path):
    features, _ = rows(2000)
    truth = features.numbers[:, 0] + np.where(features.numbers[:, 1] > 1, 3.0, 0.0)
    personal = msgspec.structs.replace(SCHEMA.columns[0], personal=True)
    schema = msgspec.structs.replace(SCHEMA, columns=(personal, *SCHEMA.columns[1:]))
    noise = np.random.default_rng(0).normal(0, 0.2, 2000)
    model = predictor(
        lambda b: Answers(b.numbers[:, 0] + noise[: len(b)]), schema=schema, task="regression", classes=()
    )
    report = run(model, features, truth, wanted=Wanted(search=True))
    (leaning,) = report.residuals  # a ward for all tells nothing
    assert leaning.column == "size"
    assert leaning.lows[-1] > 1
    assert all(
        low < 0.2 and high > -0.2 for low, high in zip(leaning.lows[:-1], leaning.highs[:-1], strict=True)
    )
    publish(report, tmp_path)
    assert "Where the errors lean" in (tmp_path / "report.html").read_text()


def test_long_curves_are_thinned_but_keep_their_ends():
    features, truth = rows(20_000)
    report = run(predictor(by_column(0)), features, truth)
    for curve in report.curves[:2]:
        assert len(curve.x) <= 400
        assert len(curve.x) > 100
    roc = report.curves[0]
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    area = float(np.trapezoid(roc.y, roc.x))
    assert area == pytest.approx(report.metric("roc_auc").value, abs=1e-3)
