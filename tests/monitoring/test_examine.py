"""What a window's report says: each kind of finding, and each odd column's stated answer."""

from __future__ import annotations

import datetime as dt
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from modelyard.errors import DataRefused
from modelyard.monitoring import Evidence, examine
from modelyard.records.finding import Finding, WindowReport
from modelyard.records.profile import Profile
from modelyard.records.schema import Column, Kind, Schema
from modelyard.settings import MonitorSettings
from modelyard.tables.batch import Batch
from modelyard.tables.profile import anchor, anchor_answers, count, count_answers

NOTHING = Profile(rows=0, columns=())
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RANDOM = np.random.default_rng(11)
NORMAL = RANDOM.normal(size=2000)


def report(
    reference: Profile,
    window: Profile,
    answers: Profile = NOTHING,
    answered: Profile = NOTHING,
    **options: object,
) -> WindowReport:
    return examine(
        Evidence(
            reference=reference,
            window=window,
            answers=answers,
            window_answers=answered,
            settings=msgspec.convert(options, MonitorSettings),
            environment="prod",
            model="screening",
            version=7,
            start=START,
            end=START + dt.timedelta(hours=1),
        )
    )


def of_numbers(reference: object, window: object, kind: Kind = "float", **options: object) -> WindowReport:
    def batch(values: object) -> Batch:
        column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
        return Batch(column, np.empty((len(column), 0), dtype=object))

    anchored = anchor(batch(reference), Schema(columns=(Column(name="radius", kind=kind),)))
    return report(anchored, count(batch(window), anchored), **options)


def of_texts(
    reference: list[str | None], window: list[str | None], *, bins: int = 256, **options: object
) -> WindowReport:
    def batch(values: list[str | None]) -> Batch:
        column = np.empty((len(values), 1), dtype=object)
        column[:, 0] = values
        return Batch(np.empty((len(values), 0)), column)

    anchored = anchor(batch(reference), Schema(columns=(Column(name="sex", kind="string"),)), bins=bins)
    return report(anchored, count(batch(window), anchored), **options)


def only(found: WindowReport, kind: str) -> Finding:
    (finding,) = [f for f in found.findings if f.kind == kind]
    return finding


def test_a_shift_is_told_with_its_way_and_size() -> None:
    finding = only(of_numbers(NORMAL, RANDOM.normal(0.9, 1, 500)), "drift")
    assert finding.alert
    assert finding.effect_name == "psi"
    assert 0.5 < finding.effect < 1.2
    assert finding.sentence.startswith("radius moved up by 0.9")
    assert " sd: PSI " in finding.sentence
    assert " over 500 rows, p = " in finding.sentence
    assert finding.sentence.endswith("after Holm")
    down = only(of_numbers(NORMAL, RANDOM.normal(-0.5, 1, 500), correction="benjamini-hochberg"), "drift")
    assert "moved down by" in down.sentence
    assert down.sentence.endswith("after Benjamini-Hochberg")


def test_a_change_of_spread_or_shape_alone() -> None:
    assert "spread out to" in only(of_numbers(NORMAL, RANDOM.normal(0, 2, 500)), "drift").sentence
    assert "narrowed to" in only(of_numbers(NORMAL, RANDOM.normal(0, 0.5, 500)), "drift").sentence
    two = np.repeat([-1.0, 1.0], 250)
    assert "changed its shape" in only(of_numbers(NORMAL, two), "drift").sentence


def test_dates_move_earlier_and_later() -> None:
    days = np.arange(20_000, 20_400)
    assert "moved later by" in only(of_numbers(days, days[:200] + 300, "date"), "drift").sentence


def test_no_drift_says_what_could_have_been_seen() -> None:
    found = of_numbers(NORMAL, RANDOM.normal(size=500))
    assert not found.alerts
    sentence = only(found, "drift").sentence
    assert sentence.startswith("radius shows no drift: PSI ")
    assert sentence.endswith("sd would be found at least four times in five")


def test_a_trifle_in_a_large_window_is_no_alert() -> None:
    finding = only(of_numbers(RANDOM.normal(size=50_000), RANDOM.normal(0.05, 1, 50_000)), "drift")
    assert finding.p_corrected is not None
    assert finding.p_corrected < 1e-6
    assert not finding.alert
    assert "less than the floor of PSI 0.01" in finding.sentence


@pytest.mark.parametrize(("rows", "note"), [(0, "No predictions"), (49, "49 predictions")])
def test_a_small_window_is_not_judged(rows: int, note: str) -> None:
    found = of_numbers(NORMAL, [1e9] * rows)
    assert (found.rows, found.findings, found.alerts) == (rows, (), ())
    assert found.note.startswith(note)
    assert found.note.endswith("nothing was judged.")


def test_a_small_window_is_judged_where_settings_say_so() -> None:
    assert of_numbers(NORMAL, [5.0] * 10, min_rows=10).alerts


def test_a_column_of_few_values_is_not_tested_for_drift() -> None:
    found = of_numbers(NORMAL, [*[math.nan] * 180, *[9.0] * 20])
    finding = only(found, "drift")
    assert (finding.p_value, finding.p_corrected, finding.alert) == (None, None, False)
    assert finding.sentence == "radius was not tested for drift: 20 values in the window, fewer than 50"
    assert only(found, "missing").alert
    short = only(of_numbers(NORMAL[:10], NORMAL[:200]), "drift")
    assert "the reference has only 10 values" in short.sentence


def test_a_constant_column() -> None:
    same = of_numbers([3.0] * 400, [3.0] * 200)
    assert only(same, "drift").sentence == "radius is constant in the reference and in the window"
    assert not same.alerts
    left = of_numbers([3.0] * 400, [3.0] * 100 + [4.0] * 100)
    assert only(left, "drift").alert
    assert "left its constant value 3" in only(left, "drift").sentence
    assert "(100 above 3)" in only(left, "out_of_range").sentence
    assert not of_numbers([3.0] * 400, [3.0] * 199 + [4.0]).alerts


def test_an_all_null_column() -> None:
    nothing = [math.nan] * 300
    quiet = of_numbers(nothing, nothing)
    assert not quiet.alerts
    assert "the reference has no values" in only(quiet, "drift").sentence
    filled = of_numbers(nothing, NORMAL[:300])
    assert {f.kind for f in filled.alerts} == {"missing"}
    assert "missing less often: 0 % of rows, 100 % in the reference" in only(filled, "missing").sentence
    emptied = of_numbers(NORMAL, nothing)
    assert {f.kind for f in emptied.alerts} == {"missing"}


def test_infinities_are_beyond_the_range() -> None:
    found = of_numbers(NORMAL, [*NORMAL[:450], *[math.inf] * 40, *[-math.inf] * 10])
    finding = only(found, "out_of_range")
    assert finding.alert
    assert finding.value == 0.1
    assert "in 50 of 500 rows (10 below" in finding.sentence
    with_them = [*NORMAL[:1900], *[math.inf] * 100]
    assert not of_numbers(with_them, [*NORMAL[:475], *[math.inf] * 25]).alerts
    only_them = of_numbers(NORMAL, [math.inf] * 100)
    assert "holds only infinities" in only(only_them, "drift").sentence


def test_more_missing_values_than_usual() -> None:
    finding = only(of_numbers(NORMAL, [*NORMAL[:450], *[math.nan] * 50]), "missing")
    assert finding.alert
    assert finding.value == 0.1
    assert finding.sentence.startswith(
        "radius is missing more often: 10 % of rows, 0 % in the reference; p = "
    )
    usual = [*NORMAL[:900], *[math.nan] * 100]
    assert not of_numbers(usual, RANDOM.permutation(usual)[:500]).alerts


def test_few_distinct_numbers() -> None:
    random = np.random.default_rng(1)
    before = random.choice([0, 1, 2], 2000, p=[0.9, 0.08, 0.02])
    assert not of_numbers(before, random.choice([0, 1, 2], 500, p=[0.9, 0.08, 0.02]), "integer").alerts
    assert of_numbers(before, random.choice([0, 1, 2], 500, p=[0.8, 0.1, 0.1]), "integer").alerts
    rare = [0] * 1995 + [1] * 5
    assert of_numbers(rare, [0] * 450 + [1] * 50, "integer").alerts
    assert not of_numbers(rare, [0] * 498 + [1] * 2, "integer").alerts


def test_booleans_and_strings_name_what_changed() -> None:
    yes = only(of_numbers([0, 1] * 500, [0] * 100 + [1] * 300, "boolean"), "drift")
    assert yes.statistic == "chi_square"
    assert "radius changed: 'false' from 50 % to 25 %, 'true' from 50 % to 75 %: PSI" in yes.sentence
    sex = of_texts(["f", "m"] * 300 + ["x"] * 2, ["f"] * 200 + ["m"] * 300)
    assert sex.alerts[0].sentence.startswith("sex changed: 'm' from 50 % to 60 %, 'f' from 50 % to 40 %: PSI")


def test_a_new_category_is_a_finding_of_its_own() -> None:
    found = of_texts(["f", "m"] * 1000, ["f", "m"] * 225 + ["?"] * 50)
    assert [f.kind for f in found.alerts] == ["new_categories"]
    assert found.alerts[0].value == 0.1
    assert "in 50 of 500 rows (none expected): '?'" in found.alerts[0].sentence
    one = of_texts(["f", "m"] * 1000, ["f", "m"] * 225 + ["?"])
    assert only(one, "new_categories").p_value == pytest.approx(451 / 2451)
    assert not one.alerts
    all_new = of_texts(["f", "m"] * 1000, ["?"] * 100)
    assert "all of the window's values are new" in only(all_new, "drift").sentence
    assert [f.kind for f in all_new.alerts] == ["new_categories"]


def test_names_that_are_always_new_are_no_news() -> None:
    before: list[str | None] = [f"person {i}" for i in range(200)]
    now: list[str | None] = [f"person {i}" for i in range(200, 400)]
    assert not of_texts(before, now).alerts
    assert not of_texts([f"person {i}" for i in range(3000)], now).alerts


def test_labels_beyond_the_cap_are_compared_as_one() -> None:
    usual = ["a"] * 500 + ["b"] * 400 + ["c"] * 60 + ["d"] * 40
    quiet = of_texts(usual, usual[::4], bins=2)  # type: ignore[arg-type]
    assert not quiet.alerts
    loud = of_texts(usual, ["a"] * 125 + ["z"] * 125, bins=2)  # type: ignore[arg-type]
    assert {f.kind for f in loud.alerts} == {"drift"}


def test_answers_are_prediction_drift() -> None:
    def answers(p: NDArray[np.float64]) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
        return np.where(p > 0.5, "malignant", "benign").astype(object), np.stack([1 - p, p], axis=1)

    before, after = RANDOM.beta(0.5, 1, 400), RANDOM.beta(1, 0.5, 300)
    reference = anchor_answers(*answers(before), task="binary", classes=("benign", "malignant"))
    features = anchor(Batch(NORMAL[:300, None].copy(), np.empty((300, 0), object)), _ONE)
    found = report(features, features, reference, count_answers(*answers(after), reference))
    assert [(f.kind, f.column) for f in found.alerts] == [
        ("prediction_drift", "prediction"),
        ("prediction_drift", "probability"),
    ]
    assert found.alerts[0].sentence.startswith("prediction changed: 'benign' from ")
    assert found.alerts[1].sentence.startswith("probability moved up by ")
    still = report(
        features, features, reference, count_answers(*answers(RANDOM.beta(0.5, 1, 300)), reference)
    )
    assert not still.alerts


def test_one_sure_answer_for_all() -> None:
    """A model that says the same for everyone: constant probability, one class."""
    sure = np.full(200, "benign", dtype=object), np.tile([1.0, 0.0], (200, 1))
    reference = anchor_answers(*sure, task="binary", classes=("benign", "malignant"))
    features = anchor(Batch(NORMAL[:200, None].copy(), np.empty((200, 0), object)), _ONE)
    found = report(features, features, reference, count_answers(*sure, reference))
    assert not found.alerts
    assert all("constant" in f.sentence for f in found.findings if f.kind == "prediction_drift")


def test_a_window_counted_on_another_reference_is_refused() -> None:
    one = anchor(Batch(NORMAL[:300, None].copy(), np.empty((300, 0), object)), _ONE)
    other = anchor(Batch(NORMAL[300:600, None].copy(), np.empty((300, 0), object)), _ONE)
    with pytest.raises(DataRefused, match="another reference"):
        report(one, other)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.floats(), max_size=60), st.lists(st.floats(), max_size=60))
def test_any_numbers_have_a_report(reference: list[float], window: list[float]) -> None:
    found = of_numbers(reference * 3, window, min_rows=1)
    assert msgspec.json.decode(msgspec.json.encode(found), type=WindowReport) == found
    assert all("nan" not in f.sentence for f in found.findings)
    assert not of_numbers(reference * 3, reference * 3, min_rows=1).alerts


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from([None, *"abcdef"]), max_size=80),
    st.lists(st.sampled_from([None, *"defghi"]), max_size=80),
    st.integers(1, 5),
)
def test_any_labels_have_a_report(reference: list[str | None], window: list[str | None], bins: int) -> None:
    found = of_texts(reference, window, bins=bins, min_rows=1)
    assert msgspec.json.decode(msgspec.json.encode(found), type=WindowReport) == found
    assert not of_texts(reference, reference, bins=bins, min_rows=1).alerts


@pytest.mark.parametrize("labels", [4, 40, 400])
def test_categories_alarm_at_their_rate(labels: int) -> None:
    """Few labels, many, and more than a profile lists: frequencies as words have them."""
    random, alarms = np.random.default_rng(labels), 0
    share_ = 1 / np.arange(1, labels + 1)
    share_ /= share_.sum()
    names = np.array([f"label {i}" for i in range(labels)], dtype=object)
    for _ in range(300):
        before, now = random.choice(names, 455, p=share_), random.choice(names, 300, p=share_)
        alarms += bool(of_texts(before.tolist(), now.tolist(), bins=100, min_effect=0).alerts)
    assert alarms <= binom.ppf(0.99, 300, 0.05)


def test_a_report_survives_json() -> None:
    found = of_numbers(NORMAL, [*NORMAL[:400], *[math.inf] * 100])
    assert msgspec.json.decode(msgspec.json.encode(found), type=WindowReport) == found
    assert all(math.isfinite(f.value) and math.isfinite(f.effect) for f in found.findings)


_ONE = Schema(columns=(Column(name="radius", kind="float"),))
