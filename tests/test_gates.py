"""Gates: every rule, both directions, and sentences with the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import GateFailed, SettingsError
from modelyard.gates import decide, refuse
from modelyard.metrics import higher_is_better
from modelyard.records.comparison import Comparison, PairedMetric
from modelyard.records.gate import Gate


def one(gate, metrics, live=None):
    (outcome,) = decide([gate], metrics, compared(metrics, live or {}))
    return outcome


def compared(metrics, live, error=0.01):
    """Live versions with these metrics beside the tested one."""
    return {
        environment: Comparison(
            environment=environment,
            metrics=tuple(
                PairedMetric(
                    name=name,
                    value=metrics[name],
                    champion=other,
                    difference=metrics[name] - other,
                    error=error,
                    higher_is_better=higher_is_better(name),
                )
                for name, other in scores.items()
                if name in metrics and math.isfinite(other)
            ),
        )
        for environment, scores in live.items()
    }


def test_min_and_max_include_their_bound():
    assert one(Gate(metric="roc_auc", min=0.95), {"roc_auc": 0.95}).passed
    assert one(Gate(metric="brier", max=0.1), {"brier": 0.1}).passed
    assert not one(Gate(metric="roc_auc", min=0.95), {"roc_auc": 0.9499}).passed
    assert not one(Gate(metric="brier", max=0.1), {"brier": 0.1001}).passed


def test_the_sentence_says_the_numbers():
    outcome = one(Gate(metric="roc_auc", min=0.95), {"roc_auc": 0.9312})
    assert "0.9312" in outcome.sentence
    assert "0.95" in outcome.sentence


def test_numbers_that_differ_never_look_the_same():
    outcome = one(Gate(metric="roc_auc", min=0.95), {"roc_auc": 0.9499999})
    assert not outcome.passed
    assert "0.9499999" in outcome.sentence


def test_one_gate_may_hold_three_bounds():
    gate = Gate(metric="accuracy", min=0.5, max=0.9, no_worse_than="prod")
    outcomes = decide([gate], {"accuracy": 0.95}, compared({"accuracy": 0.95}, {"prod": {"accuracy": 0.94}}))
    assert [(o.rule, o.passed) for o in outcomes] == [("min", True), ("max", False), ("no_worse_than", True)]


def test_nothing_live_passes_and_says_so():
    outcome = one(Gate(metric="roc_auc", no_worse_than="prod"), {"roc_auc": 0.9})
    assert outcome.passed
    assert "nothing is live in prod" in outcome.sentence


@pytest.mark.parametrize(
    ("metric", "value", "other", "tolerance", "passed"),
    [
        ("roc_auc", 0.98, 0.97, 0.0, True),
        ("roc_auc", 0.97, 0.98, 0.0, False),
        ("roc_auc", 0.975, 0.98, 0.005, True),
        ("roc_auc", 0.974, 0.98, 0.005, False),
        ("log_loss", 0.10, 0.20, 0.0, True),
        ("log_loss", 0.20, 0.10, 0.0, False),
        ("log_loss", 0.105, 0.10, 0.005, True),
        ("rmse", 51.0, 50.0, 0.5, False),
    ],
)
def test_worse_than_live_knows_which_way_is_better(metric, value, other, tolerance, passed):
    gate = Gate(metric=metric, no_worse_than="prod", tolerance=tolerance)
    outcome = one(gate, {metric: value}, {"prod": {metric: other}})
    assert outcome.passed is passed
    assert f"{value:g}" in outcome.sentence
    assert f"{other:g}" in outcome.sentence
    assert "prod" in outcome.sentence


@pytest.mark.parametrize("metrics", [{"roc_auc": math.nan}, {}])
def test_an_undefined_metric_fails_every_rule(metrics):
    gate = Gate(metric="roc_auc", min=0.0, max=1.0, no_worse_than="prod")
    assert not any(o.passed for o in decide([gate], metrics, compared(metrics, {"prod": {"roc_auc": 0.1}})))
    assert not any(o.passed for o in decide([gate], metrics, {}))


def test_an_undefined_live_metric_fails():
    gate = Gate(metric="roc_auc", no_worse_than="prod")
    assert not one(gate, {"roc_auc": 0.9}, {"prod": {"roc_auc": math.nan}}).passed
    assert not one(gate, {"roc_auc": 0.9}, {"prod": {}}).passed


def test_a_live_version_that_does_not_fit_fails_with_the_reason():
    gate = Gate(metric="roc_auc", no_worse_than="prod")
    unfit = {"prod": Comparison(environment="prod", unfit="it needs the column 'age'")}
    (outcome,) = decide([gate], {"roc_auc": 0.9}, unfit)
    assert not outcome.passed
    assert "it needs the column 'age'" in outcome.sentence


def test_an_unknown_metric_is_a_misuse():
    with pytest.raises(SettingsError, match="did you mean 'roc_auc'"):
        decide([Gate(metric="roc_auk", min=0.5)], {}, {})


def test_refuse_raises_one_sentence_with_every_reason():
    outcomes = decide(
        [Gate(metric="roc_auc", min=0.95), Gate(metric="brier", max=0.01), Gate(metric="f1", min=0.1)],
        {"roc_auc": 0.9, "brier": 0.2, "f1": 0.5},
        {},
    )
    with pytest.raises(GateFailed) as caught:
        refuse(outcomes)
    message = str(caught.value)
    assert "2 of 3 gates" in message
    assert "roc_auc is 0.9" in message
    assert "brier is 0.2" in message
    assert "f1" not in message
    refuse([o for o in outcomes if o.passed])
    refuse([])


@settings(max_examples=50, deadline=None)
@given(
    value=st.floats(0, 1),
    other=st.floats(0, 1),
    tolerance=st.floats(0, 1),
    metric=st.sampled_from(["roc_auc", "brier"]),
)
def test_a_larger_tolerance_never_turns_a_yes_into_a_no(value, other, tolerance, metric):
    def passed(allowed):
        gate = Gate(metric=metric, no_worse_than="prod", tolerance=allowed)
        return one(gate, {metric: value}, {"prod": {metric: other}}).passed

    assert passed(tolerance) >= passed(0.0)
    assert passed(1.0)


@pytest.mark.parametrize(
    ("test", "value", "tolerance", "passed", "said"),
    [
        # the error is 0.01, so that 0.95 one-sided reaches 0.01645 either way
        (
            "non_inferiority",
            0.90,
            0.017,
            True,
            "show with 95 % confidence that it is not worse by more than 0.017",
        ),
        ("non_inferiority", 0.90, 0.016, False, "do not show with 95 % confidence that it is not worse"),
        ("non_inferiority", 0.92, 0.0, True, "not worse at all (p = 0.023)"),
        ("inferiority", 0.884, 0.0, True, "do not show with 95 % confidence that it is worse at all"),
        ("inferiority", 0.883, 0.0, False, "show with 95 % confidence that it is worse at all (p = 0.045)"),
        ("inferiority", 0.883, 0.001, True, "worse by more than 0.001"),
    ],
)
def test_a_statistical_rule_weighs_the_error_of_the_difference(test, value, tolerance, passed, said):
    gate = Gate(metric="roc_auc", no_worse_than="prod", tolerance=tolerance, test=test)
    outcome = one(gate, {"roc_auc": value}, {"prod": {"roc_auc": 0.9}})
    assert outcome.passed is passed
    assert said in outcome.sentence
    lower = Gate(metric="log_loss", no_worse_than="prod", tolerance=tolerance, test=test)
    mirrored = one(lower, {"log_loss": 1.8 - value}, {"prod": {"log_loss": 0.9}})
    assert mirrored.passed is passed


@pytest.mark.parametrize(("test", "passed"), [("non_inferiority", False), ("inferiority", True)])
def test_an_error_that_is_unknown_shows_nothing(test, passed):
    gate = Gate(metric="roc_auc", no_worse_than="prod", tolerance=0.5, test=test)
    found = compared({"roc_auc": 0.9}, {"prod": {"roc_auc": 0.9}}, error=None)
    assert decide([gate], {"roc_auc": 0.9}, found)[0].passed is passed


@pytest.mark.parametrize("test", ["non_inferiority", "inferiority"])
def test_the_same_answers_pass_every_test(test):
    gate = Gate(metric="roc_auc", no_worse_than="prod", test=test)
    found = compared({"roc_auc": 0.9}, {"prod": {"roc_auc": 0.9}}, error=0.0)
    assert decide([gate], {"roc_auc": 0.9}, found)[0].passed
