"""What a study tries next: the same from the same seed, also after it was interrupted."""

from __future__ import annotations

from typing import Any

import pytest

import modelyard as my
from modelyard.errors import SettingsError
from modelyard.records.run import Scalar, Trial
from modelyard.training.proposals import Proposals, Sampler

SPACE: dict[str, Any] = {
    "C": my.log_uniform(1e-3, 1e2, default=1.0),
    "share": my.uniform(0.0, 1.0, default=0.5),
    "depth": my.integer(1, 9, default=3),
    "kind": my.choice([1, True, "1"], default=True),
}


def proposals(sampler: Sampler = "random", **asked: Any) -> Proposals:
    named: dict[str, Any] = {
        "given": {},
        "trials": None,
        "points": None,
        "seed": 3,
        "higher": True,
        "pruned": True,
    }
    return Proposals(SPACE, sampler=sampler, **{**named, **asked})


def worth(params: dict[str, Scalar]) -> float:
    return -abs(float(params["share"]) - 0.25) - int(params["depth"])


def went(study: Proposals, numbers: range) -> list[Trial]:
    found = []
    for number in numbers:
        params = study.ask(number)
        for name, entry in SPACE.items():
            assert entry.contains(params[name])
        folds = (worth(params), worth(params) - 0.1)
        pruned = study.prunes(number, 0, folds[0])
        folds = folds[:1] if pruned else folds
        state: Any = "pruned" if pruned else "failed" if number == 4 else "complete"
        value = None if state == "failed" else sum(folds) / len(folds)
        trial = Trial(number=number, state=state, value=value, folds=folds, params=params, seconds=0.0)
        study.tell(trial)
        found.append(trial)
    return found


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes"])
def test_a_study_that_was_interrupted_goes_on_as_if_it_had_not_been(sampler: Sampler) -> None:
    whole = went(proposals(sampler), range(25))
    assert whole[0].params == {name: entry.default for name, entry in SPACE.items()}
    assert any(trial.state == "pruned" for trial in whole)
    for cut in (0, 5, 17):
        again = proposals(sampler)
        for trial in whole[:cut]:
            again.replay(trial)
        assert went(again, range(cut, 25)) == whole[cut:]
    assert went(proposals(sampler, seed=4), range(3)) != whole[:3]


def test_cma_es_goes_on_with_trials_that_ended_in_another_order_than_they_began() -> None:
    whole = went(proposals("cmaes"), range(25))
    again = proposals("cmaes")
    for trial in (*whole[:10], *reversed(whole[10:17])):
        again.replay(trial)
    assert len({repr(trial.params) for trial in whole[:17] + went(again, range(17, 25))}) == 25


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_what_was_good_is_searched_more(sampler: Sampler) -> None:
    study = proposals(sampler, pruned=False)
    found = went(study, range(60))
    assert max(trial.value or -9 for trial in found) > -1.3
    assert sum(study.importance().values()) == pytest.approx(1)


def test_a_grid_is_every_point_once_or_some_of_them() -> None:
    study = proposals("grid", points=3, given={"C": 1})
    assert study.trials == 3 * 3 * 3
    points = [study.ask(number) for number in range(27)]
    assert len({repr(point) for point in points}) == 27
    assert {p["share"] for p in points} == {0.0, 0.5, 1.0}
    assert {p["depth"] for p in points} == {1, 5, 9}
    assert all(p["C"] == 1.0 for p in points)
    some = proposals("grid", points=3, given={"C": 1}, trials=5)
    drawn = [some.ask(number) for number in range(some.trials)]
    assert len(drawn) == 5
    assert all(point in points for point in drawn)
    assert drawn != points[:5]


def test_what_cannot_be_searched_is_one_sentence() -> None:
    with pytest.raises(SettingsError, match="The grid has 2,700,000,000 points, more than 10,000"):
        proposals("grid", points=10_000)
    with pytest.raises(SettingsError, match="every parameter of SPACE is given"):
        proposals(given={name: entry.default for name, entry in SPACE.items()})
    with pytest.raises(SettingsError, match=r"model\.py has no SPACE"):
        Proposals({}, given={}, sampler="tpe", trials=1, points=None, seed=0, higher=True, pruned=False)
    with pytest.raises(SettingsError, match="no parameter 'c' in the model's SPACE"):
        proposals(given={"c": 1})
