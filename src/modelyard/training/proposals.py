"""Which parameters a study tries next, by Optuna; its import is for studies only.

Optuna's study is in memory and can be made anew from the trials. Each proposal draws from a generator of its own,
seeded by the study's seed and the trial's number, so a study that was killed goes on as if it had not been.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from modelyard.authoring import Choice, Integer, Space
from modelyard.errors import ExtraMissing, SettingsError
from modelyard.records.run import Scalar, Trial
from modelyard.training.fit import resolve

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial as Asked

Sampler = Literal["random", "grid", "tpe", "cmaes"]
LARGEST = 10_000
"""Points of a grid that is searched whole."""
POINTS = 5


class Proposals:
    """Not for two threads at once."""

    def __init__(
        self,
        space: Mapping[str, Space],
        *,
        given: Mapping[str, Scalar],
        sampler: Sampler,
        trials: int | None,
        points: int | None,
        seed: int,
        higher: bool,
        pruned: bool,
    ) -> None:
        """What is ``given`` is not searched; ``trials`` of None are 20, or a whole grid."""
        optuna = load()
        whole = resolve(space, given)
        self._fixed: dict[str, Scalar] = {name: whole[name] for name in given}
        self._sampler, self._seed = sampler, seed
        self._space = {name: entry for name, entry in space.items() if name not in given}
        if not self._space:
            raise SettingsError(
                "There is nothing to tune: every parameter of SPACE is given by 'params' or --set; leave one open."
                if space
                else "There is nothing to tune: model.py has no SPACE; add one, or take 'tune' out of the settings."
            )
        self._given = self._firsts(trials, points or POINTS)
        self.trials = (len(self._given) if sampler == "grid" else 20) if trials is None else trials
        if sampler == "grid":
            self.trials = min(self.trials, len(self._given))
        self._distributions = {name: _distribution(entry) for name, entry in self._space.items()}
        self._study = optuna.create_study(
            direction="maximize" if higher else "minimize",
            sampler=optuna.samplers.RandomSampler(seed=seed),
            pruner=optuna.pruners.MedianPruner() if pruned else optuna.pruners.NopPruner(),
        )
        self._asked: dict[int, Asked] = {}

    def ask(self, number: int) -> dict[str, Scalar]:
        """The parameters of a trial, all of ``SPACE``."""
        return self._ask(number, self._given[number] if number < len(self._given) else None)

    def prunes(self, number: int, step: int, value: float) -> bool:
        """Whether the trial is to end, given its mean after fold ``step``."""
        self._asked[number].report(value, step)
        return bool(self._asked[number].should_prune())

    def tell(self, trial: Trial) -> None:
        """What became of it."""
        from optuna.trial import TrialState

        asked = self._asked.pop(trial.number)
        if trial.state == "complete":
            self._study.tell(asked, trial.value)
        else:
            self._study.tell(asked, state=TrialState.PRUNED if trial.state == "pruned" else TrialState.FAIL)

    def replay(self, trial: Trial) -> None:
        """A trial that ended before, as if it had been asked and told now."""
        self._ask_again(trial)
        if trial.state != "failed":
            for step, _ in enumerate(trial.folds):
                self._asked[trial.number].report(math.fsum(trial.folds[: step + 1]) / (step + 1), step)
        self.tell(trial)

    def importance(self) -> dict[str, float]:
        """By PED-ANOVA, the most important first; empty where there are too few trials to tell."""
        import optuna

        try:
            found = optuna.importance.get_param_importances(
                self._study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
        except (ValueError, RuntimeError):
            return {}
        return {name: float(share) for name, share in found.items() if math.isfinite(share)}

    def _ask_again(self, trial: Trial) -> None:
        """CMA-ES keeps what it learnt beside the trials that it drew itself, so that they are drawn again. Those of
        several jobs, which were asked in another order, come out as others and are only told."""
        if self._sampler == "cmaes" and trial.number >= len(self._given):
            if self._ask(trial.number, None) == trial.params:
                return
            from optuna.trial import TrialState

            self._study.tell(self._asked.pop(trial.number), state=TrialState.FAIL)
        self._ask(trial.number, trial.params)

    def _ask(self, number: int, given: Mapping[str, Scalar] | None) -> dict[str, Scalar]:
        self._study.sampler = _sampler(self._sampler, _mixed(self._seed, number))
        if given is not None:
            self._study.enqueue_trial({n: _inward(e, given[n]) for n, e in self._space.items()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = self._study.ask(self._distributions)
        self._asked[number] = asked
        drawn = {name: _outward(entry, asked.params[name]) for name, entry in self._space.items()}
        return self._fixed | drawn

    def _firsts(self, trials: int | None, points: int) -> list[dict[str, Scalar]]:
        """What is not drawn: the grid's points, or the defaults as the first trial."""
        if self._sampler != "grid":
            return [{name: entry.default for name, entry in self._space.items()}]
        axes = {name: _axis(entry, points) for name, entry in self._space.items()}
        size = math.prod(len(axis) for axis in axes.values())
        if size > LARGEST:
            raise SettingsError(
                f"The grid has {size:,} points, more than {LARGEST:,}; set fewer 'points', or sampler = 'random'."
            )
        found = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
        if trials is not None and trials < size:
            random.Random(self._seed).shuffle(found)
        return found


def load() -> Any:
    """Optuna, quiet."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise ExtraMissing("Tuning needs Optuna; run 'pip install \"modelyard[yard]\"'.") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _sampler(kind: Sampler, seed: int) -> BaseSampler:
    from optuna import samplers

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "tpe":
            return samplers.TPESampler(seed=seed)
        if kind == "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    return samplers.RandomSampler(seed=seed)


def _mixed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")


def _distribution(entry: Space) -> BaseDistribution:
    from optuna import distributions

    if isinstance(entry, Choice):  # by place: to Optuna 1, 1.0 and True are one option
        return distributions.CategoricalDistribution(tuple(range(len(entry.options))))
    if isinstance(entry, Integer):
        return distributions.IntDistribution(entry.low, entry.high)
    return distributions.FloatDistribution(float(entry.low), float(entry.high), log=entry.log)


def _inward(entry: Space, value: Scalar) -> Scalar:
    if isinstance(entry, Choice):
        return next(at for at, o in enumerate(entry.options) if type(o) is type(value) and o == value)
    return value


def _outward(entry: Space, value: Any) -> Scalar:
    if isinstance(entry, Choice):
        return entry.options[int(value)]
    if isinstance(entry, Integer):
        return int(value)
    return min(max(float(value), float(entry.low)), float(entry.high))


def _axis(entry: Space, points: int) -> list[Scalar]:
    """The values of one parameter, evenly apart on its scale, both ends among them."""
    if isinstance(entry, Choice):
        return list(entry.options)
    shares = [at / (points - 1) for at in range(points)]
    if isinstance(entry, Integer):
        return sorted({round(entry.low + share * (entry.high - entry.low)) for share in shares})
    if entry.log:
        spread = math.log(entry.high / entry.low)
        inner = [entry.low * math.exp(share * spread) for share in shares[1:-1]]
    else:
        inner = [entry.low + share * (entry.high - entry.low) for share in shares[1:-1]]
    return [float(entry.low), *inner, float(entry.high)]
