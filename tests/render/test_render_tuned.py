"""A study in a report: words, a table and drawings, whatever parameters are called."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from modelyard.records.run import Study, Trial
from modelyard.render.tuned import drawings, studied

NAMES = ("C", "<b>\"'&\\", "kind")


def trial(number: int, **fields: Any) -> Trial:
    params = dict(zip(NAMES, (10.0 ** (number - 3), number * 2, number % 2 == 0), strict=True))
    made = {
        "state": "complete",
        "value": 0.5 + number / 10,
        "folds": (0.5,),
        "params": params,
        "seconds": 0.1,
    }
    return Trial(number=number, **{**made, **fields})


TRIALS = (
    *map(trial, range(5)),
    trial(5, state="pruned", value=0.1),
    trial(6, state="failed", value=None, error="no"),
)
STUDY = Study(
    key="k",
    sampler="tpe",
    metric="rmse",
    higher_is_better=False,
    planned=7,
    complete=5,
    pruned=1,
    failed=1,
    best=0,
    value=0.5,
    importance={"kind": 0.7, NAMES[1]: 0.2, "C": 0.1},
)


def test_the_best_comes_first_and_what_ended_early_is_counted() -> None:
    view = studied(STUDY, TRIALS)
    assert [row.number for row in view.trials] == ["0", "1", "2", "3", "4"]
    assert view.searched == ("kind", NAMES[1], "C")
    assert view.trials[0].params == f"kind = True, {NAMES[1]} = 0, C = 0.001"
    assert "7 trials" in view.summary
    assert "1 pruned, 1 failed" in view.summary


def test_there_is_a_drawing_of_the_course_of_importance_and_of_each_parameter() -> None:
    drawn = drawings(STUDY, TRIALS)
    assert [title for title, _, _ in drawn][:3] == ["The search", "Which parameters mattered", "By kind"]
    assert len(drawn) == 5
    for _, _, svg in drawn:
        ElementTree.fromstring(svg)
    assert "the best 0.5." in drawn[0][2]


def test_nothing_is_drawn_of_one_trial() -> None:
    assert drawings(STUDY, TRIALS[:1]) == []
